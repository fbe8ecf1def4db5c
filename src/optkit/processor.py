"""What the processor is and can do, read from the files in which the system tells it."""

from __future__ import annotations

import platform
import re
from pathlib import Path

BFLOAT16_UNITS = (("amx_bf16", "AMX"), ("avx512_bf16", "AVX-512 BF16"), ("bf16", "ARM BF16"))
"""Flags of units that multiply bf16, the fastest first, and what people call them."""
INT8_UNITS = (
    ("amx_int8", "AMX"), ("avx512_vnni", "AVX-512 VNNI"), ("avx_vnni", "AVX-VNNI"), ("i8mm", "ARM I8MM"),
)  # fmt: skip
"""The same for 8-bit integers."""


def model() -> str:
    """Return the model name of the processor."""
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), flags=re.MULTILINE)
    except OSError:
        match = None
    return match[1] if match else platform.processor() or platform.machine()


def flags() -> tuple[str, ...]:
    """Return what the processor says that it can do."""
    try:
        found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), flags=re.MULTILINE)
    except OSError:
        found = None
    return tuple(found[1].split()) if found else ()


def units(known: tuple[tuple[str, str], ...], told: tuple[str, ...]) -> str:
    """Return the name of the fastest of the `known` units that the flags `told` name; empty where there is none."""
    return next((name for flag, name in known if flag in told), "")


def cores() -> int | None:
    """Return how many physical cores there are: distinct pairs of package and core; None where that is not told."""
    pairs = set()
    for folder in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology"):
        try:
            pairs.add(tuple((folder / name).read_text() for name in ("physical_package_id", "core_id")))
        except OSError:
            return None
    return len(pairs) or None


def governor() -> str:
    """Return how the kernel chooses the clock rate; empty where that is not told."""
    found = set()
    for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        try:
            found.add(path.read_text().strip())
        except OSError:
            continue
    return "|".join(sorted(found))
