"""How much memory this process holds, and the most it held, on the host and on an accelerator. Read in a worker.

`ru_maxrss` is not used: a child inherits its parent's. VmHWM can be set back through ``clear_refs`` (proc(5)). Pages of
shared libraries are left out: they lie in memory once for all workers, and a fork maps each anew when it is first used,
so that tens of megabytes of torch's own code would count as the model's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SMAPS = Path("/proc/self/smaps")
MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")


def held_bytes() -> int | None:
    """Return the memory that this process holds now, but for shared libraries; None where that is not told."""
    return _without_libraries(_status("VmRSS"))


def peak_during(calls: Callable[[], None], device: str) -> dict[str, Any]:
    """Return the most memory that was held while `calls` ran.

    Returns
    -------
    dict
        ``peak_bytes`` of the host, and ``accelerator_bytes``, what torch's allocator held of the device; None where
        that is not told, or where there is no accelerator.
    """
    on_device = device.startswith("cuda")
    if on_device:
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()  # what compiling left over is no part of a call; pools of CUDA graphs stay
        torch.cuda.reset_peak_memory_stats(device)
    is_reset = _reset_peak()
    calls()
    if on_device:
        torch.cuda.synchronize(device)
    return {
        "peak_bytes": _without_libraries(_status("VmHWM")) if is_reset else None,
        "accelerator_bytes": torch.cuda.max_memory_reserved(device) if on_device else None,
    }


def _without_libraries(resident: int | None) -> int | None:
    """Take off what is resident of shared libraries; once mapped, a library stays."""
    libraries, is_library = 0, False
    try:
        lines = SMAPS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if MAPPING.match(line):
            is_library = ".so" in line
        elif is_library and line.startswith("Rss:"):
            libraries += int(line.split()[1]) * 1024
    return None if resident is None else resident - libraries


def _reset_peak() -> bool:
    """Set the high-water mark to what is held now; False where the system does not let us."""
    try:
        CLEAR_REFS.write_text("5")
    except OSError:
        return False
    return True


def _status(name: str) -> int | None:
    try:
        found = re.search(rf"^{name}:\s*(\d+) kB$", STATUS.read_text(), flags=re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
