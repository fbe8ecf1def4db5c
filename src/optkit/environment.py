"""What this machine is and can do, learnt without importing torch."""

from __future__ import annotations

import ast
import os
import platform
import re
import shutil
import subprocess
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

from optkit import cgroup

PACKAGES = ("torch", "torchvision", "numpy")
DISABLING = ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE")
PATHS = {"CXX", "LD_PRELOAD"}
LONGEST_VALUE = 200
# fmt: off
VARIABLES = (
    *DISABLING, *sorted(PATHS), "TORCHDYNAMO_SUPPRESS_ERRORS", "OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES",
    "OMP_DYNAMIC", "OMP_WAIT_POLICY", "GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT", "KMP_AFFINITY", "KMP_BLOCKTIME",
    "MKL_NUM_THREADS", "MKL_DYNAMIC", "OPENBLAS_NUM_THREADS", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "MALLOC_CONF", "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_ALLOC_CONF", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)
# fmt: on
"""The only variables whose values are recorded: they decide how fast torch is, and hold no secrets."""


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
    cores
        Physical cores; None where that is not told.
    affinity
        Numbers of the logical CPUs that this process may run on.
    governor
        How the kernel chooses the clock rate, e.g. ``"performance"``; empty where that is not told.
    accelerators
        ``name``, ``driver`` and ``memory_bytes`` of each NVIDIA accelerator.
    cpu_flags
        What the processor says that it can do. Not part of the record.
    variables
        Environment variables that decide speed, of those in `VARIABLES`; never the value of any other.
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
    cores: int | None = None
    affinity: tuple[int, ...] = ()
    governor: str = ""
    accelerators: tuple[dict[str, Any], ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    cpu_flags: tuple[str, ...] = field(default=(), repr=False)

    @property
    def disables_compile(self) -> tuple[str, ...]:
        """Variables that switch torch.compile off in the user's own processes; workers do not inherit them."""
        return tuple(name for name in DISABLING if self.variables.get(name) == "1")

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
        lists = {
            name: list(getattr(self, name)) for name in ("scrubbed", "affinity", "accelerators", "disables_compile")
        }
        record = asdict(self) | lists
        del record["cpu_flags"]
        return record


def detect() -> Environment:
    """Look at this machine (once per process, but for the environment variables, which a notebook can change)."""
    return replace(_detect(), scrubbed=tuple(sorted(filter(is_scrubbed, os.environ))), variables=_variables())


@cache
def _detect() -> Environment:
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cuda = _cuda_is_likely()
    return Environment(
        platform=platform.platform(),
        cpu=_cpu_model(),
        cpus=len(affinity),
        cores=_cores(),
        affinity=tuple(affinity),
        cpu_flags=_cpu_flags(),
        governor=_governor(),
        accelerators=_accelerators() if cuda else (),
        cpu_quota=cgroup.cpu_quota(),
        memory_bytes=_memory_bytes(),
        cuda=cuda,
        cxx_compiler=next((name for name in _compilers() if name and shutil.which(name)), ""),
        versions={"python": platform.python_version()} | _versions(),
    )


def is_scrubbed(name: str) -> bool:
    """Whether an environment variable is kept from workers: it would silently change what is compiled or cached."""
    return name.startswith(("TORCHINDUCTOR_", "TORCHDYNAMO_", "TORCH_COMPILE_", "TRITON_CACHE_"))


def _variables() -> dict[str, str]:
    """Return those of the allowed variables that are set; of paths only the last part, which names no user."""
    found = {name: os.environ[name][:LONGEST_VALUE] for name in VARIABLES if name in os.environ}
    for name in PATHS & found.keys():
        found[name] = " ".join(Path(part).name for part in re.split(r"[\s:]+", os.environ[name]))[:LONGEST_VALUE]
    return found


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


def _cpu_flags() -> tuple[str, ...]:
    """Return what the processor says that it can do."""
    try:
        found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), flags=re.MULTILINE)
    except OSError:
        found = None
    return tuple(found[1].split()) if found else ()


def _cores() -> int | None:
    """Physical cores: distinct pairs of package and core."""
    pairs = set()
    for folder in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology"):
        try:
            pairs.add(tuple((folder / name).read_text() for name in ("physical_package_id", "core_id")))
        except OSError:
            return None
    return len(pairs) or None


def _governor() -> str:
    found = set()
    for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            found.add(path.read_text().strip())
        except OSError:
            continue
    return "|".join(sorted(found))


def _accelerators() -> tuple[dict[str, Any], ...]:
    """Ask the driver's own tool: asking torch would import it, and take memory of the device."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True).stdout
        lines = [[part.strip() for part in line.split(",")] for line in told.splitlines()]
        return tuple(
            {"name": name, "driver": driver, "memory_bytes": int(mebibytes) * 2**20}
            for name, driver, mebibytes in lines
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()


def _memory_bytes() -> int:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(physical, cgroup.memory_limit_bytes() or physical)
