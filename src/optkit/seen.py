"""What the doctor looks at beyond the environment record: what changes by the minute, or matters to nobody else."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from importlib import metadata

from optkit import accelerators, environment, machine


@dataclass(frozen=True)
class Seen:
    """What was seen.

    Attributes
    ----------
    torch_builds
        What torch was built for, see `optkit.accelerators.torch_builds`.
    torch_build, torchvision_build
        How the packages themselves name their build, e.g. ``"cpu"`` or ``"cu130"``; empty where they do not.
    torchvision_wants
        The version of torch that torchvision's metadata asks for; empty where it asks for none.
    device_nodes
        Kinds of accelerators with a device node.
    memory_available_bytes
        What a further process could have; None where that is not told.
    load_1min, machine_cpus
        Processes that were running or waiting, on average over a minute, and the CPUs of the whole machine.
    temp_free_bytes, temp_runs_code
        Room in the temporary folder, and whether compiled code may be loaded from there.
    ipykernel
        Its version; empty where it is not installed.
    """

    torch_builds: dict[str, str] = field(default_factory=dict)
    torch_build: str = ""
    torchvision_build: str = ""
    torchvision_wants: str = ""
    device_nodes: tuple[str, ...] = ()
    memory_available_bytes: int | None = None
    load_1min: float = 0.0
    machine_cpus: int = 1
    temp_free_bytes: int = 0
    temp_runs_code: bool = True
    ipykernel: str = ""


def look() -> Seen:
    """Look at this machine, without importing torch."""
    folder = tempfile.gettempdir()
    return Seen(
        torch_builds=accelerators.torch_builds(),
        torch_build=_build("torch"),
        torchvision_build=_build("torchvision"),
        torchvision_wants=_wanted_torch(),
        device_nodes=accelerators.device_nodes(),
        memory_available_bytes=machine.available_memory_bytes(),
        load_1min=os.getloadavg()[0],
        machine_cpus=os.cpu_count() or 1,
        temp_free_bytes=shutil.disk_usage(folder).free,
        temp_runs_code=not os.statvfs(folder).f_flag & os.ST_NOEXEC,
        ipykernel=environment.installed("ipykernel") or "",
    )


def _build(package: str) -> str:
    """Return what follows the plus in a package's own version."""
    found = re.search(r"""^__version__\s*=\s*['"][^'"+]*\+([^'"]+)""", accelerators.version_file(package), re.MULTILINE)
    return found[1] if found else ""


def _wanted_torch() -> str:
    try:
        wanted = metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError:
        return ""
    found = (re.match(r"torch\s*\(?==([\w.]+)", requirement) for requirement in wanted)
    return next((match[1] for match in found if match), "")
