"""What is said of the software that is installed: whether it fits together, and what is missing. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from optkit.environment import EXTRAS

if TYPE_CHECKING:
    from optkit.environment import Environment
    from optkit.seen import Seen

Status = Literal["ok", "note", "warning", "missing"]
WITHOUT_TORCHSCRIPT, DEPRECATES_TORCHSCRIPT = (3, 14), (2, 10)
"""The version of Python from which torch.jit is not supported, and that of torch from which it is deprecated."""
OLDEST_TORCH, TOO_NEW_TORCH = (2, 9), (2, 16)
KINDS = {"cuda": "CUDA", "hip": "ROCm"}
GIVES = {
    "onnx": "export to ONNX and ONNX Runtime", "quant": "quantization by torchao", "dask": "sweeps on a cluster",
}  # fmt: skip


class Told(NamedTuple):
    """A status with what is said; a `Finding` without its name."""

    status: Status
    said: str
    remedy: str = ""


def headers(environment: Environment) -> Told:
    """Return whether the code that Inductor writes finds what it includes."""
    if environment.python_headers:
        return Told("ok", "Python.h is here")
    package = f"python{'.'.join(environment.versions['python'].split('.')[:2])}-dev"
    return Told(
        "missing",
        "Python.h was not found, which the code that Inductor writes for a CPU includes, so it cannot compile.",
        f"Install {package} (Debian, Ubuntu) or python3-devel (Fedora).",
    )


def torch(environment: Environment, seen: Seen) -> Told:
    """Return the version and what it was built for."""
    version = environment.versions.get("torch")
    if version is None:
        return Told("missing", "not installed, so nothing can be measured.", "pip install torch")
    kinds = [f"{KINDS[kind]} {built_for}" for kind, built_for in seen.torch_builds.items()]
    said = f"{version}, " + (f"built for {' and '.join(kinds)}" if kinds else "a CPU build")
    if OLDEST_TORCH <= _numbers(version) < TOO_NEW_TORCH:
        return Told("ok", said)
    oldest, newest = (f"{major}.{minor}" for major, minor in (OLDEST_TORCH, TOO_NEW_TORCH))
    return Told("warning", f"{said}; optkit was not tried with it.", f'pip install "torch>={oldest},<{newest}"')


def torchvision(environment: Environment, seen: Seen) -> Told:
    """Return whether torchvision is of the same release, and the same build, as torch."""
    version, torch = environment.versions.get("torchvision"), environment.versions.get("torch", "")
    if version is None:
        said = "not installed: of the models by name there are only tiny_cnn and tiny_transformer."
        return Told("missing", said, "pip install torchvision")
    wants = seen.torchvision_wants
    if torch and wants and torch.partition("+")[0] != wants:
        said = f"{version} is made for torch {wants}, and torch {torch} is installed: its models may fail to load."
        return Told("warning", said, f'pip install "torch=={wants}", or the torchvision that goes with torch {torch}')
    ours, theirs = seen.torch_build, seen.torchvision_build
    if theirs.startswith("cu") and torch and "cuda" not in seen.torch_builds:
        return Told(
            "note",
            f"{version} was built for CUDA ({theirs}) beside a CPU build of torch: classification models work in "
            "optkit, but a plain `import torchvision` fails, and detection operators such as nms do not work.",
            "For those, install the CPU build of torchvision.",
        )
    if theirs.startswith("cu") and ours.startswith("cu") and theirs[:-1] != ours[:-1]:
        said = f"{version} was built for another CUDA ({theirs}) than torch ({ours}), and refuses to be imported."
        return Told("warning", said, "Install torch and torchvision of the same build.")
    return Told("ok", f"{version}" + (f", made for torch {wants}" if wants else ""))


def compiler(environment: Environment) -> Told:
    """Return the compiler that Inductor uses on a CPU."""
    if environment.cxx_compiler:
        return Told("ok", environment.cxx_compiler)
    if environment.cuda:
        said = "none was found. On CUDA, Inductor's kernels need a C compiler to be started."
    else:
        said = "none was found, so Inductor cannot compile on a CPU."
    return Told("missing", said, "Install g++, for example: apt-get install g++")


def torchscript(environment: Environment) -> Told:
    """Return whether torch.jit is supported with these versions."""
    if _numbers(environment.versions["python"]) >= WITHOUT_TORCHSCRIPT:
        return Told(
            "warning", "torch.jit is not supported on Python 3.14 and newer.", "Use torch.compile or torch.export."
        )
    if "torch" not in environment.versions:
        return Told("missing", "needs torch.")
    if _numbers(environment.versions["torch"]) >= DEPRECATES_TORCHSCRIPT:
        return Told(
            "note", "works, but torch has deprecated it since 2.10: torch.compile and torch.export take its place."
        )
    return Told("ok", "works here")


def added_by(name: str, environment: Environment) -> Told:
    """Return the packages that an extra adds, or how to install it."""
    found = [package for package in EXTRAS[name] if package in environment.versions]
    said = ", ".join(f"{package} {environment.versions[package]}" for package in found)
    missing = [package for package in EXTRAS[name] if package not in found]
    if not missing:
        return Told("ok", said)
    said = f"{', '.join(missing)} missing" + (f" beside {said}" if said else "") + f": no {GIVES[name]}."
    return Told("missing", said, f'pip install "optkit[{name}]"')


def ipykernel(seen: Seen) -> Told:
    """Return whether widgets in notebooks are kept up to date."""
    if not seen.ipykernel:
        return Told("missing", "not installed: no widgets in notebooks.", "pip install ipykernel")
    if seen.ipykernel.startswith("7.0."):
        said = f"{seen.ipykernel} loses widget updates that are made from a thread."
        return Told("warning", said, 'pip install "ipykernel!=7.0.*"')
    return Told("ok", seen.ipykernel)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version; nothing where there are none."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
