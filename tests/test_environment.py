"""What is learnt of the machine without importing torch."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from optkit import cgroup, processor
from optkit import environment as module
from optkit.environment import EXTRAS, detect, is_scrubbed


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that lays out the files of a machine; every absolute path is then looked up among them."""

    def lay_out(files: dict[str, str]) -> None:
        for name, content in files.items():
            path = tmp_path / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for reader in (module, cgroup, processor):
            monkeypatch.setattr(reader, "Path", lambda path: tmp_path / str(path).lstrip("/"))

    return lay_out


V2 = {"/proc/self/cgroup": "0::/pod/box\n"}
V1 = {"/proc/self/cgroup": "5:cpuset:/\n4:cpu,cpuacct:/box\n3:memory:/box\n"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        (V2, None),
        (V2 | {"/sys/fs/cgroup/pod/box/cpu.max": "max 100000\n"}, None),
        (V2 | {"/sys/fs/cgroup/pod/box/cpu.max": "150000 100000\n"}, 1.5),
        (
            V2 | {"/sys/fs/cgroup/pod/box/cpu.max": "max 100000", "/sys/fs/cgroup/pod/cpu.max": "50000 100000"},
            0.5,
        ),
        (
            V2 | {"/sys/fs/cgroup/pod/box/cpu.max": "400000 100000", "/sys/fs/cgroup/cpu.max": "200000 100000"},
            2.0,
        ),
        ({"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3.0),
        (V2 | {"/sys/fs/cgroup/pod/box/cpu.max": "gibberish\n"}, None),
        (
            V1
            | {
                "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "25000\n",
                "/sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "50000\n",
            },
            0.5,
        ),
        (
            {
                "/proc/self/cgroup": "4:cpu:/box\n",
                "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "-1\n",
                "/sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
    ],
)
def test_the_quota_is_the_tightest_limit_of_the_container(files, quota, machine):
    machine(files)
    assert cgroup.cpu_quota() == quota


def test_memory_is_the_containers_limit_where_that_is_lower(machine):
    machine(V2 | {"/sys/fs/cgroup/pod/box/memory.max": "max\n", "/sys/fs/cgroup/pod/memory.max": "1048576\n"})
    assert module._memory_bytes() == 1048576
    machine({"/sys/fs/cgroup/pod/memory.max": f"{2**60}\n"})
    assert module._memory_bytes() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(("quota", "usable"), [(None, 8), (2.5, 2.5), (64.0, 8)])
def test_usable_cpus_is_the_quota_but_never_more_than_there_are(quota, usable, environment):
    assert replace(environment, cpu_quota=quota).usable_cpus == usable


@pytest.mark.parametrize(
    ("name", "scrubbed"),
    [
        ("TORCH_COMPILE_DISABLE", True),
        ("TORCHDYNAMO_DISABLE", True),
        ("TORCHINDUCTOR_CACHE_DIR", True),
        ("TORCHINDUCTOR_FORCE_DISABLE_CACHES", True),
        ("TRITON_CACHE_DIR", True),
        ("OMP_NUM_THREADS", False),
        ("PATH", False),
        ("TORCH_HOME", False),
    ],
)
def test_only_variables_that_change_what_is_compiled_or_cached_are_scrubbed(name, scrubbed):
    assert is_scrubbed(name) is scrubbed


@pytest.fixture
def fresh():
    module._detect.cache_clear()
    yield
    module._detect.cache_clear()


def test_what_is_scrubbed_is_named(monkeypatch, fresh):
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")
    monkeypatch.setenv("TORCHDYNAMO_VERBOSE", "1")
    assert {"TORCH_COMPILE_DISABLE", "TORCHDYNAMO_VERBOSE"} <= set(detect().scrubbed)


@pytest.mark.parametrize(("cxx", "found"), [("", ["g++"]), ("my-cc", ["my-cc"])])
def test_the_compiler_is_the_one_that_inductor_would_use(cxx, found, monkeypatch, fresh):
    monkeypatch.setenv("CXX", cxx)
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/bin/{name}" if name in ("g++", "my-cc") else None)
    assert [detect().cxx_compiler] == found


def test_without_a_compiler_its_name_is_empty(monkeypatch, fresh):
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    assert detect().cxx_compiler == ""


def test_this_machine_is_described_as_json(fresh):
    found = detect()
    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()
    assert found.cpus >= 1
    assert found.memory_bytes > 2**20
    assert set(found.versions) >= {"python", "torch"}


def test_looking_at_the_machine_imports_neither_torch_nor_numpy(run_python):
    said = run_python(
        "import sys\nfrom optkit.environment import detect\ndetect()\nprint({'torch', 'numpy'} & set(sys.modules))"
    )
    assert said == "set()\n"


def test_only_variables_of_the_list_are_recorded_and_of_paths_the_last_part(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("LD_PRELOAD", "/home/someone/lib/libjemalloc.so.2:/opt/x/libfoo.so")
    monkeypatch.setenv("MY_SECRET_TOKEN", "hush")
    monkeypatch.setenv("MALLOC_CONF", "x" * 1000)
    told = detect().to_json()
    assert told["variables"]["OMP_NUM_THREADS"] == "3"
    assert told["variables"]["LD_PRELOAD"] == "libjemalloc.so.2 libfoo.so"
    assert len(told["variables"]["MALLOC_CONF"]) == 200
    assert "hush" not in json.dumps(told)
    assert "someone" not in json.dumps(told)


@pytest.mark.parametrize(("value", "names"), [("1", ["TORCH_COMPILE_DISABLE"]), ("0", []), ("true", [])])
def test_a_variable_that_switches_compiling_off_is_known_by_its_value(value, names, monkeypatch):
    monkeypatch.delenv("TORCHDYNAMO_DISABLE", raising=False)
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", value)
    assert detect().to_json()["disables_compile"] == names


def test_the_governor_and_the_cores_are_read_where_they_are_told(machine):
    cpu = "/sys/devices/system/cpu"
    machine(
        {f"{cpu}/cpu{n}/cpufreq/scaling_governor": "powersave\n" for n in (0, 1)}
        | {f"{cpu}/cpu{n}/topology/physical_package_id": "0" for n in (0, 1)}
        | {f"{cpu}/cpu{n}/topology/core_id": "7" for n in (0, 1)}
    )
    assert processor.governor() == "powersave"
    assert processor.cores() == 1
    machine({f"{cpu}/cpu1/cpufreq/scaling_governor": "performance\n"})
    assert processor.governor() == "performance|powersave"


@pytest.mark.parametrize(
    ("told", "bfloat16", "int8"),
    [
        ("flags : fpu avx2 avx_vnni", "", "AVX-VNNI"),
        ("flags : avx512_bf16 avx512_vnni", "AVX-512 BF16", "AVX-512 VNNI"),
        ("flags : avx512_bf16 avx512_vnni amx_tile amx_bf16 amx_int8", "AMX", "AMX"),
        ("Features : asimd i8mm bf16", "ARM BF16", "ARM I8MM"),
        ("", "", ""),
    ],
)
def test_units_for_narrow_numbers_are_known_by_the_flags_of_the_cpu(told, bfloat16, int8, machine, environment):
    machine({"/proc/cpuinfo": f"processor : 0\n{told}\n"})
    here = replace(environment, cpu_flags=processor.flags())
    assert (here.bfloat16_units, here.int8_units) == (bfloat16, int8)
    record = here.to_json()
    assert (record["bfloat16_units"], record["int8_units"]) == (bfloat16, int8)
    assert "cpu_flags" not in record


@pytest.mark.parametrize(
    ("installed", "version"),
    [({"onnxruntime": "1.24.0", "onnxruntime-gpu": "1.23.0"}, "1.24.0"), ({"onnxruntime-gpu": "1.23.0"}, "1.23.0")],
)
def test_onnxruntime_may_be_installed_under_the_name_of_its_gpu_build(installed, version, monkeypatch, fresh):
    def find(package):
        if package not in installed:
            raise module.metadata.PackageNotFoundError(package)
        return installed[package]

    monkeypatch.setattr(module.metadata, "version", find)
    versions = detect().versions
    assert versions["onnxruntime"] == version
    assert set(versions) == {"python", "onnxruntime"}


def test_the_extras_are_those_of_the_project():
    project = Path(module.__file__).parents[2] / "pyproject.toml"
    if not project.exists():
        pytest.skip("installed without its checkout")
    extras = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {name: tuple(want.partition(">=")[0] for want in wants) for name, wants in extras.items() if name != "all"}
    assert named == EXTRAS


@pytest.mark.parametrize("there", [True, False])
def test_pythons_headers_are_looked_for_where_inductor_looks(there, tmp_path, monkeypatch, fresh):
    if there:
        (tmp_path / "Python.h").touch()
    monkeypatch.setattr(module.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    assert detect().to_json()["python_headers"] is there
