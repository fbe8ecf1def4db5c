"""What this machine is and can do, learnt without importing torch."""

from __future__ import annotations

import ast
import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "numpy")


@dataclass(frozen=True)
class Environment:
    """The machine, as far as it decides what can run and how to read a number.

    Attributes
    ----------
    cpu
        Model name of the processor.
    cpus
        Logical CPUs this process may run on.
    cpu_quota
        CPUs' worth of time that the container grants (cgroup), None where it sets no limit.
    memory_bytes
        Memory of the machine, or the container's limit where that is lower.
    cuda
        Whether torch was built for CUDA or ROCm and a device node is present. A worker has the last word.
    cxx_compiler
        Name of the C++ compiler that Inductor would use on a CPU; empty where none was found.
    versions
        Versions of Python and of the packages that matter.
    scrubbed
        Names of environment variables that workers do not inherit, because they change what is measured.
    """

    platform: str
    cpu: str
    cpus: int
    cpu_quota: float | None
    memory_bytes: int
    cuda: bool
    cxx_compiler: str
    versions: dict[str, str]
    scrubbed: tuple[str, ...] = ()

    @property
    def device(self) -> str:
        """The device that is used where the user names none."""
        return "cuda" if self.cuda else "cpu"

    def placed(self, device: str) -> Environment:
        """Return this machine as a workload on `device` sees it: presets and problems differ between CPU and CUDA."""
        return replace(self, cuda=device.startswith("cuda"))

    @property
    def usable_cpus(self) -> float:
        """CPUs' worth of time that can be had: the quota where there is one, else the logical CPUs."""
        return self.cpus if self.cpu_quota is None else min(float(self.cpus), self.cpu_quota)

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        return asdict(self) | {"scrubbed": list(self.scrubbed)}


def detect() -> Environment:
    """Look at this machine (once per process, but for the environment variables, which a notebook can change)."""
    return replace(_detect(), scrubbed=tuple(sorted(filter(is_scrubbed, os.environ))))


@cache
def _detect() -> Environment:
    return Environment(
        platform=platform.platform(),
        cpu=_cpu_model(),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        cpu_quota=_cpu_quota(),
        memory_bytes=_memory_bytes(),
        cuda=_cuda_is_likely(),
        cxx_compiler=next((name for name in _compilers() if name and shutil.which(name)), ""),
        versions={"python": platform.python_version()} | _versions(),
    )


def is_scrubbed(name: str) -> bool:
    """Whether an environment variable is kept from workers: it would silently change what is compiled or cached."""
    return name.startswith(("TORCHINDUCTOR_", "TORCHDYNAMO_", "TORCH_COMPILE_", "TRITON_CACHE_"))


def _compilers() -> tuple[str, ...]:
    return (os.environ.get("CXX", ""), "g++", "clang++", "c++")


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cuda_is_likely() -> bool:
    """Read torch's version file rather than importing torch, and look for a device node."""
    spec = util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version_file = Path(spec.origin).with_name("version.py")
    built_for = {}
    if version_file.exists():
        for name, value in re.findall(r"^(cuda|hip)\b[^=\n]*=\s*(.+)$", version_file.read_text(), flags=re.MULTILINE):
            built_for[name] = ast.literal_eval(value)
    nodes = {"cuda": ("nvidia[0-9]*", "dxg"), "hip": ("kfd",)}
    return any(
        built_for.get(name) and any(next(Path("/dev").glob(pattern), None) for pattern in patterns)
        for name, patterns in nodes.items()
    )


def _cpu_model() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), flags=re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else platform.processor() or platform.machine()


def _cpu_quota() -> float | None:
    """CPUs granted by the container: the tightest cgroup limit on the way up (version 2, then version 1)."""
    quotas = []
    for folder in _cgroup_folders("cpu"):
        try:
            if (folder / "cpu.max").exists():
                quota, period = (folder / "cpu.max").read_text().split()
            else:
                quota = (folder / "cpu.cfs_quota_us").read_text().strip()
                period = (folder / "cpu.cfs_period_us").read_text().strip()
        except (OSError, ValueError):
            continue
        if quota not in ("max", "-1"):
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _memory_bytes() -> int:
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for folder in _cgroup_folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            try:
                limits.append(int((folder / name).read_text()))
            except (OSError, ValueError):
                continue
    return min(limits)


def _cgroup_folders(controller: str) -> list[Path]:
    """Return the cgroup folders of this process for a controller, from its own up to the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or controller in controllers.split(","):
            root = Path("/sys/fs/cgroup") / (controller if controllers else "")
            own = root / path.lstrip("/")
            folders += [own, *(parent for parent in own.parents if parent == root or root in parent.parents)]
    return folders
