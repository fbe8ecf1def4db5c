"""What the doctor says of a machine, rule by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optkit import seen as module
from optkit.findings import find
from optkit.seen import Seen, look

SEEN = Seen(
    torch_build="cpu",
    torchvision_build="cpu",
    torchvision_wants="2.13.0",
    memory_available_bytes=6 * 10**9,
    load_1min=0.1,
    machine_cpus=8,
    temp_free_bytes=50 * 10**9,
    ipykernel="7.1.0",
)
VERSIONS = {
    "python": "3.12.1", "torch": "2.13.0+cpu", "torchvision": "0.28.0+cpu", "onnx": "1.21.0", "onnxscript": "0.7.0",
    "onnxruntime": "1.24.1", "torchao": "0.18.0", "distributed": "2025.1.0",
}  # fmt: skip
CARD = {"name": "A Card", "driver": "570.1", "memory_bytes": 80 * 10**9}


@pytest.fixture
def well(environment):
    """Return a machine on which nothing is missing."""
    return replace(environment, cpu_quota=None, cpu_flags=("avx512_bf16", "avx512_vnni"), versions=VERSIONS)


def finding(name, environment, seen=SEEN):
    return next(finding for finding in find(environment, seen) if finding.name == name)


def test_on_a_good_machine_nothing_is_wrong_and_everything_is_said(well):
    found = find(well, SEEN)
    assert {f.name for f in found if f.status != "ok"} == {"accelerator", "TorchScript"}
    assert {f.status for f in found} == {"ok", "note"}
    assert all(f.said for f in found)


def test_it_always_speaks_of_the_same_things_in_the_same_order(well):
    bare = replace(well, cuda=True, cxx_compiler="", versions={"python": "3.14.0"}, memory_bytes=10**9)
    assert [f.name for f in find(bare, Seen())] == [f.name for f in find(well, SEEN)]


def test_whatever_is_missing_or_warned_of_comes_with_a_remedy(well):
    bare = replace(
        well, cxx_compiler="", python_headers=False, versions={"python": "3.14.0"}, memory_bytes=10**9, cpu_quota=0.5,
        variables={"TORCH_COMPILE_DISABLE": "1"},
    )  # fmt: skip
    found = find(bare, replace(SEEN, load_1min=9.0, temp_free_bytes=0, ipykernel="7.0.1", device_nodes=("cuda",)))
    bad = [f for f in found if f.status in ("missing", "warning")]
    assert len(bad) == len(found) - 2  # Python itself, and the CPU
    assert all(f.remedy for f in bad if f.name != "TorchScript")


def test_without_pythons_headers_inductor_cannot_compile(well):
    found = finding("Python headers", replace(well, python_headers=False))
    assert found.status == "missing"
    assert "python3.12-dev" in found.remedy


@pytest.mark.parametrize(
    ("builds", "said"),
    [({}, "a CPU build"), ({"cuda": "13.0"}, "built for CUDA 13.0"), ({"hip": "6.2"}, "built for ROCm 6.2")],
)
def test_it_is_told_what_torch_was_built_for(builds, said, well):
    assert finding("torch", well, replace(SEEN, torch_builds=builds)).said.endswith(said)


@pytest.mark.parametrize(("version", "status"), [("2.8.0", "warning"), ("2.9.0", "ok"), ("2.16.0", "warning")])
def test_a_torch_that_optkit_was_not_tried_with_is_warned_of(version, status, well):
    assert finding("torch", replace(well, versions=VERSIONS | {"torch": version})).status == status


def test_without_torch_nothing_can_be_measured(well):
    found = finding("torch", replace(well, versions={"python": "3.12.1"}))
    assert found.status == "missing"
    assert found.remedy == "pip install torch"


def test_torchvision_of_another_release_than_torch_is_warned_of(well):
    found = finding("torchvision", well, replace(SEEN, torchvision_wants="2.12.0"))
    assert found.status == "warning"
    assert "torch==2.12.0" in found.remedy


def test_torchvision_for_cuda_beside_a_cpu_build_of_torch_is_noted_with_what_still_works(well):
    found = finding("torchvision", well, replace(SEEN, torchvision_build="cu130"))
    assert found.status == "note"
    assert "classification models work" in found.said
    assert "detection operators" in found.said


@pytest.mark.parametrize(("theirs", "status"), [("cu130", "ok"), ("cu131", "ok"), ("cu128", "warning")])
def test_torchvision_refuses_another_major_version_of_cuda_only(theirs, status, well):
    seen = replace(SEEN, torch_builds={"cuda": "13.0"}, torch_build="cu130", torchvision_build=theirs)
    assert finding("torchvision", well, seen).status == status


def test_without_torchvision_there_are_only_the_tiny_models(well):
    versions = {name: version for name, version in VERSIONS.items() if name != "torchvision"}
    assert "tiny_cnn" in finding("torchvision", replace(well, versions=versions)).said


@pytest.mark.parametrize(("cuda", "said"), [(False, "cannot compile on a CPU"), (True, "C compiler")])
def test_a_missing_compiler_is_said_to_be_needed_for_what_it_is_needed_for(cuda, said, well):
    found = finding("C++ compiler", replace(well, cxx_compiler="", cuda=cuda))
    assert (found.status, said in found.said) == ("missing", True)
    assert "g++" in found.remedy


def test_an_accelerator_is_described_as_far_as_the_driver_tells(well):
    known = replace(well, cuda=True, accelerators=(CARD | {"compute_capability": "9.0"},))
    assert finding("accelerator", known).said == "A Card, 80 GB, driver 570.1, compute capability 9.0"
    assert finding("accelerator", replace(known, accelerators=(CARD,))).said == "A Card, 80 GB, driver 570.1"


@pytest.mark.parametrize(
    ("cuda", "builds", "nodes", "status", "said"),
    [
        (False, {}, (), "note", "none: everything runs on the CPU."),
        (False, {"cuda": "13.0"}, (), "note", "torch was built for CUDA and runs on the CPU"),
        (False, {}, ("cuda",), "warning", "a CUDA device, but torch is a CPU build"),
        (False, {"cuda": "13.0"}, ("hip",), "warning", "a ROCm device, but torch is for CUDA"),
        (True, {"cuda": "13.0"}, ("cuda",), "warning", "nvidia-smi does not answer"),
        (True, {"hip": "6.2"}, ("hip",), "ok", "a ROCm device"),
    ],
)
def test_it_is_told_why_no_accelerator_is_used(cuda, builds, nodes, status, said, well):
    found = finding("accelerator", replace(well, cuda=cuda), replace(SEEN, torch_builds=builds, device_nodes=nodes))
    assert found.status == status
    assert said in found.said


def test_the_cpus_units_are_named_and_their_absence_is_noted(well):
    assert "AVX-512 BF16 for bf16, AVX-512 VNNI for int8" in finding("CPU", well).said
    found = finding("CPU", replace(well, cpu_flags=("avx2", "avx_vnni")))
    assert found.status == "note"
    assert "AVX-VNNI for int8; no bf16 units" in found.said


@pytest.mark.parametrize(
    ("quota", "status", "remedy"),
    [(None, "ok", ""), (8.0, "ok", ""), (2.5, "warning", "+threads=2 "), (0.5, "warning", "+threads=1 ")],
)
def test_a_quota_below_the_cpus_is_warned_of_with_the_threads_it_allows(quota, status, remedy, well):
    found = finding("CPU quota", replace(well, cpu_quota=quota))
    assert found.status == status
    assert remedy in found.remedy


@pytest.mark.parametrize(
    ("total", "available", "status"),
    [(8e9, 6e9, "ok"), (8e9, 1.9e9, "warning"), (1.5e9, None, "warning"), (8e9, None, "ok")],
)
def test_little_memory_is_warned_of(total, available, status, well):
    here = replace(well, memory_bytes=int(total))
    assert finding("memory", here, replace(SEEN, memory_available_bytes=available)).status == status


@pytest.mark.parametrize(("load", "status"), [(0.0, "ok"), (2.0, "ok"), (2.1, "warning"), (30.0, "warning")])
def test_a_busy_machine_is_warned_of_with_what_that_means_for_numbers(load, status, well):
    found = finding("load", well, replace(SEEN, load_1min=load))
    assert found.status == status
    assert ("small differences cannot be told" in found.said) is (status == "warning")


@pytest.mark.parametrize(
    ("free", "runs_code", "said"),
    [(50e9, True, "50 GB free"), (0.5e9, True, "500 MB free: each"), (50e9, False, "noexec")],
)
def test_a_temporary_folder_without_room_or_without_code_is_warned_of(free, runs_code, said, well):
    found = finding("temporary folder", well, replace(SEEN, temp_free_bytes=int(free), temp_runs_code=runs_code))
    assert said in found.said
    assert (found.status == "ok") is (found.remedy == "")


def test_variables_that_switch_compiling_off_are_warned_of_and_others_noted(well):
    name = "TORCH_COMPILE_DISABLE"
    off = finding("environment variables", replace(well, variables={name: "1"}, scrubbed=(name,)))
    assert (off.status, off.remedy) == ("warning", f"unset {name}")
    noted = finding("environment variables", replace(well, scrubbed=("TORCHINDUCTOR_CACHE_DIR",)))
    assert noted.status == "note"
    assert "TORCHINDUCTOR_CACHE_DIR" in noted.said


@pytest.mark.parametrize(
    ("python", "torch", "status"),
    [("3.13.1", "2.9.1", "ok"), ("3.13.1", "2.10.0+cpu", "note"), ("3.14.0", "2.9.1", "warning")],
)
def test_torchscript_is_deprecated_or_not_supported_by_version(python, torch, status, well):
    here = replace(well, versions=VERSIONS | {"python": python, "torch": torch})
    assert finding("TorchScript", here).status == status


@pytest.mark.parametrize(
    ("extra", "package"),
    [
        ("onnx", "onnx"),
        ("onnx", "onnxscript"),
        ("onnx", "onnxruntime"),
        ("quant", "torchao"),
        ("dask", "distributed"),
    ],
)
def test_an_extra_of_which_anything_is_missing_comes_with_the_command_that_installs_it(extra, package, well):
    assert finding(f"extra {extra}", well).status == "ok"
    versions = {name: version for name, version in VERSIONS.items() if name != package}
    found = finding(f"extra {extra}", replace(well, versions=versions))
    assert found.status == "missing"
    assert found.said.startswith(f"{package} missing")
    assert found.remedy == f'pip install "optkit[{extra}]"'


@pytest.mark.parametrize(("version", "status"), [("", "missing"), ("6.29.0", "ok"), ("7.0.1", "warning")])
def test_the_ipykernel_that_loses_updates_is_warned_of(version, status, well):
    assert finding("ipykernel", well, replace(SEEN, ipykernel=version)).status == status


@pytest.mark.parametrize(
    ("requires", "wants"),
    [(["numpy", "torch (==2.13.0)"], "2.13.0"), (["torch==2.9.1"], "2.9.1"), (["torch>=2", "torchaudio==1.0"], ""),
     (None, "")],
)  # fmt: skip
def test_the_torch_that_torchvision_wants_is_read_from_its_metadata(requires, wants, monkeypatch):
    monkeypatch.setattr(module.metadata, "requires", lambda _: requires)
    assert look().torchvision_wants == wants


@pytest.mark.parametrize(
    ("text", "build"),
    [("__version__ = '2.13.0+cpu'\n", "cpu"), ('__version__ = "0.28.0+cu130"\n', "cu130"), ("x = 1\n", ""), ("", "")],
)
def test_the_build_is_read_from_the_packages_own_version(text, build, monkeypatch):
    monkeypatch.setattr(module.accelerators, "version_file", lambda _: text)
    assert look().torch_build == build


def test_looking_finds_room_and_cpus():
    seen = look()
    assert seen.temp_free_bytes > 0
    assert seen.machine_cpus >= 1
