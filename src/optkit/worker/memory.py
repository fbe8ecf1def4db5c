"""How much memory this process holds, and the most it held, on the host and on an accelerator. Read in a worker.

`ru_maxrss` is not used: a child inherits its parent's. VmHWM can be set back through ``clear_refs`` (proc(5)).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident_bytes() -> int | None:
    """Return the memory that this process holds now, shared pages included; None where that is not told."""
    return _status("VmRSS")


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
        "peak_bytes": _status("VmHWM") if is_reset else None,
        "accelerator_bytes": torch.cuda.max_memory_reserved(device) if on_device else None,
    }


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
