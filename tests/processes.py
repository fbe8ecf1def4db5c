"""Find every process that a test started, however deep, by a mark in its environment."""

from __future__ import annotations

import time
from pathlib import Path

MARK = "OPTKIT_TEST_MARK"


def marked(mark: str) -> list[int]:
    """Return the processes that inherited the mark; one that has ended but was not collected yet has no environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue
            if f"{MARK}={mark}".encode() in environ.split(b"\0"):
                found.append(int(entry.name))
    return found


def wait_for(condition, limit_s: float = 120.0):
    """Return the first truthy result of `condition`; fail after `limit_s`, which is for hangs and no measure."""
    until = time.monotonic() + limit_s
    while not (result := condition()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)
    return result


def wait_until_gone(mark: str, limit_s: float = 2.0) -> None:
    """Fail, and name them, where marked processes are left after `limit_s`."""
    until = time.monotonic() + limit_s
    while left := marked(mark):
        if time.monotonic() > until:
            names = [(pid, _command(pid)) for pid in left]
            raise AssertionError(f"left behind: {names}")
        time.sleep(0.02)


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "gone meanwhile"
