"""How busy the machine is: what other processes take, what the container is refused, and what memory is left.

Reading costs a few milliseconds and happens between two turns, never during one.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import cgroup

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_S = 0.05
"""Time is counted in hundredths of a second: over less than this a share of it says nothing."""
TICKS = os.sysconf("SC_CLK_TCK")


class Monitor:
    """Compares what the whole machine did since the last look with what this process and its workers did.

    Attributes
    ----------
    root_pids
        Processes whose whole trees, besides this process itself, are the study's own.
    """

    def __init__(self, root_pids: tuple[int, ...] = ()) -> None:
        self.root_pids = root_pids
        self._throttled_at_first = cgroup.throttled_s()
        self._last: tuple[float, float, float] | None = None

    def read(self) -> dict[str, Any]:
        """Look at the machine; the keys are the fields of `optkit.events.MachineRead`."""
        throttled, first = cgroup.throttled_s(), self._throttled_at_first
        busy = _busy_s()
        return {
            "load_1min": os.getloadavg()[0],
            "others_cpus": None if busy is None else self._others(busy[0]),
            "visible_cpus": None if busy is None else busy[1],
            "throttled_s": None if throttled is None or first is None else throttled - first,
            "memory_available_bytes": available_memory_bytes(),
            "workers_bytes": tree_bytes(self.root_pids),
        }

    def _others(self, busy_s: float) -> float | None:
        now, own_s = time.monotonic(), _own_s((os.getpid(),), self.root_pids)
        last, self._last = self._last, (now, busy_s, own_s)
        if last is None or now - last[0] < SHORTEST_S:
            return None
        passed, busy, own = now - last[0], busy_s - last[1], own_s - last[2]
        # A process that ended between the looks takes its time along, unless its parent has waited for it.
        return max(0.0, (busy - max(own, 0.0)) / passed)


def available_memory_bytes() -> int | None:
    """Return how much memory a further process could have; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return cgroup.memory_free_bytes()
    told = {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":", 1) for line in lines)}
    known = [amount for amount in (told.get("MemAvailable"), cgroup.memory_free_bytes()) if amount is not None]
    return min(known, default=None)


def private_bytes(pid: int) -> int:
    """Return how much memory a process holds that it shares with no other; 0 where that cannot be read."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def tree_bytes(roots: tuple[int, ...]) -> int | None:
    """Return how much memory whole trees of processes hold; a page that several share counts once. None if unreadable.

    What a page is shared with outside of the trees is taken off in proportion (``Pss`` of proc(5)).
    """
    parents = {pid: int(fields[1]) for pid, fields in _processes()} if roots else {}
    held = [proportional_bytes(pid) for pid in parents if _is_below(pid, roots, parents)]
    known = [amount for amount in held if amount is not None]
    return sum(known) if known else None


def proportional_bytes(pid: int) -> int | None:
    """Return how much memory a process holds, of a page that several share its part; None where that is not told."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each process, with the fields of its ``stat`` that follow its name."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                yield int(entry.name), (entry / "stat").read_text().rpartition(")")[2].split()


def _busy_s() -> tuple[float, int] | None:
    """Return the seconds that all CPUs together were busy or taken away since the start, and how many there are."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = (int(ticks) for ticks in lines[0].split()[1:9])
    cpus = sum(line.startswith("cpu") for line in lines) - 1
    return (user + nice + system + irq + softirq + steal) / TICKS, cpus


def _own_s(alone: tuple[int, ...], trees: tuple[int, ...]) -> float:
    """Return the CPU seconds of some processes, and of whole trees with the children that these have waited for."""
    parents: dict[int, int] = {}
    used: dict[int, tuple[float, float]] = {}
    for pid, fields in _processes():
        parents[pid] = int(fields[1])
        used[pid] = (int(fields[11]) + int(fields[12])) / TICKS, (int(fields[13]) + int(fields[14])) / TICKS
    total = sum(used[pid][0] for pid in alone if pid in used and not _is_below(pid, trees, parents))
    for pid, (itself, waited_for) in used.items():
        if _is_below(pid, trees, parents):
            total += itself + waited_for
    return total


def _is_below(pid: int, roots: tuple[int, ...], parents: dict[int, int]) -> bool:
    while pid:
        if pid in roots:
            return True
        pid = parents.get(pid, 0)
    return False
