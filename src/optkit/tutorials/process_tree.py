"""A process with all that it started, however deep: what it holds and uses, and how all of it is ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time

import psutil

from optkit.machine import proportional_bytes

PR_SET_CHILD_SUBREAPER = 36
KILL_PASSES = 5
"""A process may have started another while it was being looked for."""
LOOKS_S = 0.05


class Watch:
    """Looks at all that a process started; the process itself only runs papermill, and does not count.

    Attributes
    ----------
    peak_bytes
        The most memory that was seen: of a page that several share each has its part (``Pss`` of proc(5)), and where
        that cannot be read, all that a process has in memory. None before anything was seen.
    cpu_s
        The processor time that was seen. It lacks what processes used that ended between two looks, unless somebody
        has waited for them.
    """

    def __init__(self, pid: int) -> None:
        self.peak_bytes: int | None = None
        self.cpu_s = 0.0
        self._pid = pid
        self._seen: set[psutil.Process] = set()

    def look(self) -> None:
        """Look once, which costs a few milliseconds a process."""
        members = below(self._pid)
        self._seen.update(members)
        held = [amount for amount in map(_held_bytes, members) if amount]
        if held:
            self.peak_bytes = max(self.peak_bytes or 0, sum(held))
        self.cpu_s = max(self.cpu_s, sum(map(_cpu_s, members)))

    def kill(self) -> None:
        """End whatever was seen and lives, also where the process that held it together is gone."""
        for _ in range(KILL_PASSES):
            # The number of one that has ended may be somebody else's by now: psutil compares when they were started.
            living = {process for process in self._seen | set(below(self._pid)) if is_alive(process)}
            for process in tuple(living):
                with contextlib.suppress(psutil.Error):
                    living.update(process.children(recursive=True))
            if not living:
                return
            for process in living:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            time.sleep(LOOKS_S)


def below(pid: int) -> list[psutil.Process]:
    """Return all processes that a process started, and those that these did."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether a process does anything yet; one that has ended remains until its parent has waited for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def adopt() -> None:
    """Have this process adopt whatever loses its parent below it, so that nothing can leave the tree."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children(patience_s: float) -> list[str]:
    """Wait until nothing below this process is left, then end what is; return the names of what had to be ended."""
    until = time.monotonic() + patience_s
    while (living := _living_below()) and time.monotonic() < until:
        time.sleep(LOOKS_S)
    names = []
    for _ in range(KILL_PASSES):
        for process in living:
            with contextlib.suppress(psutil.Error):
                names.append(process.name())
                process.kill()
        if not (living := _living_below()):
            break
        time.sleep(LOOKS_S)
    return list(dict.fromkeys(names))


def collect() -> None:
    """Wait for every child that has ended, so that the system counts its processor time as that of a child."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _living_below() -> list[psutil.Process]:
    return [process for process in below(os.getpid()) if is_alive(process)]


def _held_bytes(process: psutil.Process) -> int | None:
    held = proportional_bytes(process.pid)
    if held is not None:
        return held
    try:
        resident: int = process.memory_info().rss
    except psutil.Error:
        return None
    return resident


def _cpu_s(process: psutil.Process) -> float:
    """Return what a process used, with the children that it has waited for."""
    try:
        used = process.cpu_times()
    except psutil.Error:
        return 0.0
    own: float = used.user + used.system
    return own + getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)
