"""Whether other processes used the machine while something was timed, and how to say so. Pure but for the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from optkit.machine import Monitor

NOISY_SHARE = 0.25
"""Other processes that use more than this share of the CPUs disturb what is timed."""


def load(monitor: Monitor) -> dict[str, Any]:
    """Return what others took since the monitor's last look: ``others_cpus`` of ``visible_cpus``; None: not known."""
    told = monitor.read()
    return {name: told[name] for name in ("others_cpus", "visible_cpus")}


def most(loads: Iterable[Mapping[str, Any]]) -> tuple[float, int]:
    """Return the most CPUs that others used, and of how many."""
    told = [(float(one.get("others_cpus") or 0.0), int(one.get("visible_cpus") or 1)) for one in loads]
    return max(told, default=(0.0, 1))


def is_high(loads: Iterable[Mapping[str, Any]]) -> bool:
    """Whether others used so much that what was timed meanwhile is not to be compared."""
    used, visible = most(loads)
    return used > NOISY_SHARE * visible


def sentence(loads: Iterable[Mapping[str, Any]], follows: str) -> str | None:
    """Say how busy the machine was with something else, and what follows; None where it was quiet enough."""
    known = list(loads)
    if not is_high(known):
        return None
    used, visible = most(known)
    return f"Meanwhile other processes used up to {used:.1f} of {visible} CPUs, so {follows}."
