"""Which accelerators there are and whether this build of torch is for them, learnt without importing torch."""

from __future__ import annotations

import ast
import re
import subprocess
from importlib import util
from pathlib import Path
from typing import Any

NODES = {"cuda": ("nvidia[0-9]*", "dxg"), "hip": ("kfd",)}
"""Names in ``/dev`` that a driver makes, by what torch calls the kind of device."""
FIELDS = ("name", "driver_version", "memory.total")
CAPABILITY = "compute_cap"
"""A field that the tool of older drivers (470 is one) does not know."""


def version_file(package: str) -> str:
    """Return the text of a package's ``version.py``; empty where there is none."""
    spec = util.find_spec(package)
    if spec is None or spec.origin is None:
        return ""
    path = Path(spec.origin).with_name("version.py")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def torch_builds() -> dict[str, str]:
    """Return what torch was built for: the version of ``"cuda"`` or ``"hip"``; empty for a CPU build, or no torch."""
    told = re.findall(r"^(cuda|hip)\b[^=\n]*=\s*(.+)$", version_file("torch"), flags=re.MULTILINE)
    return {name: version for name, value in told if (version := ast.literal_eval(value))}


def device_nodes() -> tuple[str, ...]:
    """Return the kinds of accelerators that have a device node here."""
    return tuple(
        kind for kind, patterns in NODES.items() if any(next(Path("/dev").glob(name), None) for name in patterns)
    )


def are_likely() -> bool:
    """Whether torch was built for an accelerator that has a device node. A worker has the last word."""
    return bool(torch_builds().keys() & set(device_nodes()))


def ask_driver() -> tuple[dict[str, Any], ...]:
    """Ask the driver's own tool: asking torch would import it, and take memory of the device."""
    for fields in ((*FIELDS, CAPABILITY), FIELDS):
        try:
            return tuple(map(_described, _query(*fields)))
        except (ValueError, subprocess.CalledProcessError):
            continue  # an old tool refuses everything because of the one field
        except (OSError, subprocess.SubprocessError):
            break
    return ()


def _query(*fields: str) -> list[list[str]]:
    """Return a line of values for each accelerator."""
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout
    lines = [[part.strip() for part in line.split(",")] for line in told.splitlines()]
    if any(len(line) != len(fields) for line in lines):
        raise ValueError(f"nvidia-smi answered {told!r}")
    return lines


def _described(values: list[str]) -> dict[str, Any]:
    name, driver, mebibytes, *more = values
    found = {"name": name, "driver": driver, "memory_bytes": int(mebibytes) * 2**20}
    if more and re.fullmatch(r"\d+\.\d+", more[0]):
        found["compute_capability"] = more[0]
    return found
