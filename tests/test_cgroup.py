"""What the container grants, from the files of control groups; the CPU quota is tested with the environment."""

from __future__ import annotations

import pytest

from optkit import cgroup

V2 = {"/proc/self/cgroup": "0::/box\n"}
V1 = {"/proc/self/cgroup": "4:cpu,cpuacct:/box\n3:memory:/box\n"}


@pytest.fixture
def lay_out(tmp_path, monkeypatch):
    def write(files):
        for name, content in files.items():
            path = tmp_path / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        monkeypatch.setattr(cgroup, "Path", lambda path: tmp_path / str(path).lstrip("/"))

    return write


@pytest.mark.parametrize(
    ("files", "seconds"),
    [
        ({}, None),
        (V2 | {"/sys/fs/cgroup/box/cpu.stat": "nr_throttled 3\nthrottled_usec 2500000\n"}, 2.5),
        (V1 | {"/sys/fs/cgroup/cpu,cpuacct/box/cpu.stat": "throttled_time 1500000000\n"}, 1.5),
        (V2 | {"/sys/fs/cgroup/box/cpu.stat": "usage_usec 1\n"}, None),
    ],
)
def test_the_time_for_which_the_container_was_held_back(files, seconds, lay_out):
    files = {name.replace("cpu,cpuacct", "cpu"): content for name, content in files.items()}
    lay_out(files)
    assert cgroup.throttled_s() == seconds


def test_free_memory_is_what_the_limit_leaves_and_cached_files_count_as_free(lay_out):
    lay_out(
        V2
        | {
            "/sys/fs/cgroup/box/memory.max": "1000",
            "/sys/fs/cgroup/box/memory.current": "900",
            "/sys/fs/cgroup/box/memory.stat": "anon 700\ninactive_file 150\n",
        }
    )
    assert cgroup.memory_limit_bytes() == 1000
    assert cgroup.memory_free_bytes() == 250


def test_version_1_writes_a_huge_number_where_there_is_no_limit(lay_out):
    lay_out(V1 | {"/sys/fs/cgroup/memory/box/memory.limit_in_bytes": f"{2**63 - 4096}"})
    assert cgroup.memory_limit_bytes() is None
    assert cgroup.memory_free_bytes() is None


def test_of_nested_groups_the_tightest_counts(lay_out):
    lay_out(
        {
            "/proc/self/cgroup": "0::/pod/box\n",
            "/sys/fs/cgroup/pod/box/memory.max": "max",
            "/sys/fs/cgroup/pod/memory.max": "5000",
            "/sys/fs/cgroup/pod/memory.current": "1000",
        }
    )
    assert (cgroup.memory_limit_bytes(), cgroup.memory_free_bytes()) == (5000, 4000)
