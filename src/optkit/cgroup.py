"""What the container grants: CPU time and memory, read from control groups of version 1 and 2."""

from __future__ import annotations

from pathlib import Path

NO_LIMIT = 2**62
"""Version 1 writes a number near this where there is no limit."""


def folders(controller: str) -> list[Path]:
    """Return the folders of this process for a controller, from its own up to the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or controller in controllers.split(","):
            root = Path("/sys/fs/cgroup") / (controller if controllers else "")
            own = root / path.lstrip("/")
            found += [own, *(parent for parent in own.parents if parent == root or root in parent.parents)]
    return found


def cpu_quota() -> float | None:
    """Return how many CPUs' worth of time is granted, the tightest limit on the way up; None without a limit."""
    quotas = []
    for folder in folders("cpu"):
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


def throttled_s() -> float | None:
    """Return for how many seconds this container was held back since it began; None where that is not told."""
    for folder in folders("cpu"):
        try:
            told = dict(line.split() for line in (folder / "cpu.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        if "throttled_usec" in told:
            return int(told["throttled_usec"]) / 1e6
        if "throttled_time" in told:
            return int(told["throttled_time"]) / 1e9
    return None


def memory_limit_bytes() -> int | None:
    """Return the lowest memory limit on the way up, in bytes; None without one."""
    limits = [limit for folder in folders("memory") if (limit := _limit(folder)) is not None]
    return min(limits, default=None)


def memory_free_bytes() -> int | None:
    """Return how many bytes may still be taken; files cached in memory count as free. None without a limit."""
    free = []
    for folder in folders("memory"):
        limit, used = _limit(folder), _first(folder, "memory.current", "memory.usage_in_bytes")
        if limit is not None and used is not None:
            free.append(limit - used + _cached(folder))
    return max(min(free), 0) if free else None


def _limit(folder: Path) -> int | None:
    limit = _first(folder, "memory.max", "memory.limit_in_bytes")
    return None if limit is None or limit >= NO_LIMIT else limit


def _cached(folder: Path) -> int:
    """Return the bytes of cached files that the kernel would give back first."""
    try:
        told = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(told.get("total_inactive_file", told.get("inactive_file", 0)))


def _first(folder: Path, *names: str) -> int | None:
    for name in names:
        try:
            return int((folder / name).read_text())
        except (OSError, ValueError):
            continue
    return None
