"""What this machine is and can do, learnt without importing torch."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sysconfig
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from optkit import accelerators, cgroup, processor, text

EXTRAS = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "quant": ("torchao",), "dask": ("distributed",)}
"""What ``pip install "optkit[NAME]"`` adds, by that name."""
PACKAGES = ("torch", "torchvision", "numpy", *(package for packages in EXTRAS.values() for package in packages))
TWINS = {"onnxruntime": ("onnxruntime-gpu",)}
"""Packages that provide the same module under another name."""
DISABLING = ("TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE")
PATHS = {"CXX", "LD_PRELOAD"}
LONGEST_VALUE = 200
_FOLDERS = re.compile(r"[^\s,;:=]*/")
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

MACHINE = {"cpu": "processor", "cpus": "CPUs", "cpu_quota": "CPU quota", "accelerators": "accelerators", "cuda": "CUDA"}
"""What of the machine decides how long calls take: keys of the environment's record, and what to call them."""


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
        Versions of Python and of the packages that matter; a package that is not installed is not among them.
    scrubbed
        Names of environment variables that workers do not inherit, because they change what is measured.
    cores
        Physical cores; None where that is not told.
    affinity
        Numbers of the logical CPUs that this process may run on.
    governor
        How the kernel chooses the clock rate, e.g. ``"performance"``; empty where that is not told.
    accelerators
        ``name``, ``driver`` and ``memory_bytes`` of each NVIDIA accelerator, and its ``compute_capability``, e.g.
        ``"9.0"``, where the driver tells it.
    cpu_flags
        What the processor says that it can do. Not part of the record.
    variables
        Environment variables that decide speed, of those in `VARIABLES`; never the value of any other.
    python_headers
        Whether ``Python.h`` is there, which the code that Inductor writes for a CPU includes.
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
    python_headers: bool = True
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

    @property
    def bfloat16_units(self) -> str:
        """What in this CPU multiplies bf16, e.g. ``"AMX"``; empty where that would be emulated."""
        return processor.units(processor.BFLOAT16_UNITS, self.cpu_flags)

    @property
    def int8_units(self) -> str:
        """What in this CPU multiplies 8-bit integers, e.g. ``"AVX-512 VNNI"``; empty where there is nothing."""
        return processor.units(processor.INT8_UNITS, self.cpu_flags)

    @property
    def compute_capability(self) -> tuple[int, int] | None:
        """The CUDA generation that all accelerators have, e.g. ``(9, 0)``; None where one of them is not known."""
        told = [str(device.get("compute_capability", "")).split(".") for device in self.accelerators]
        if not told or any(len(parts) != 2 for parts in told):  # noqa: PLR2004 - major and minor
            return None
        return min((int(major), int(minor)) for major, minor in told)

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        lists = {
            name: list(getattr(self, name)) for name in ("scrubbed", "affinity", "accelerators", "disables_compile")
        }
        units = {"bfloat16_units": self.bfloat16_units, "int8_units": self.int8_units}
        record = asdict(self) | lists | units
        del record["cpu_flags"]
        return record | {"cxx_compiler": Path(self.cxx_compiler).name}  # not in whose home it lies


def detect() -> Environment:
    """Look at this machine (once per process, but for the environment variables, which a notebook can change)."""
    return replace(_detect(), scrubbed=tuple(sorted(filter(is_scrubbed, os.environ))), variables=_variables())


@cache
def _detect() -> Environment:
    affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    cuda = accelerators.are_likely()
    return Environment(
        platform=platform.platform(),
        cpu=processor.model(),
        cpus=len(affinity),
        cores=processor.cores(),
        affinity=tuple(affinity),
        cpu_flags=processor.flags(),
        governor=processor.governor(),
        accelerators=accelerators.ask_driver() if cuda else (),
        cpu_quota=cgroup.cpu_quota(),
        memory_bytes=_memory_bytes(),
        cuda=cuda,
        cxx_compiler=next((name for name in _compilers() if name and shutil.which(name)), ""),
        versions={"python": platform.python_version()} | _versions(),
        python_headers=_has_python_headers(),
    )


def is_scrubbed(name: str) -> bool:
    """Whether an environment variable is kept from workers: it would silently change what is compiled or cached."""
    return name.startswith(("TORCHINDUCTOR_", "TORCHDYNAMO_", "TORCH_COMPILE_", "TRITON_CACHE_"))


def _variables() -> dict[str, str]:
    """Return those of the allowed variables that are set; of paths only the last part, which names no user."""
    found = {}
    for name in filter(os.environ.__contains__, VARIABLES):
        value = os.environ[name]
        if name in PATHS:
            value = " ".join(Path(part).name for part in re.split(r"[\s:]+", value))
        found[name] = text.one_line(_FOLDERS.sub("", value), limit=LONGEST_VALUE)
    return found


def _compilers() -> tuple[str, ...]:
    return (os.environ.get("CXX", ""), "g++", "clang++", "c++")


def installed(package: str) -> str | None:
    """Return the version of an installed package, or of one that provides the same module; None where there is none."""
    for name in (package, *TWINS.get(package, ())):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _versions() -> dict[str, str]:
    return {package: version for package in PACKAGES if (version := installed(package)) is not None}


def _has_python_headers() -> bool:
    """Look where Inductor looks."""
    return (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()


def _memory_bytes() -> int:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(physical, cgroup.memory_limit_bytes() or physical)
