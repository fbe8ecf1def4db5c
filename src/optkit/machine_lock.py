"""One study at a time on a machine: two would disturb each other's rounds. Advisory, and nothing that can be left over.

The lock is a name in Linux's abstract namespace of Unix sockets: the system lets go of it the moment its holder dies,
however that happens, and tells who holds it. Nothing is ever sent through it. Containers with a network of their own
do not see each other's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Self

from optkit import text
from optkit.errors import OptkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VARIABLE = "OPTKIT_LOCK"
"""Names another lock, so that studies that are to run side by side can."""
LOOKS_S = 0.5
WAITERS = 1024
UNKNOWN = "a process that does not say who it is"
LONGEST = 80


class MachineLock:
    """The lock of this machine; use it as a context manager, which lets go of it."""

    def __init__(self) -> None:
        self._name = f"\0optkit-study-{os.environ.get(VARIABLE) or 'machine'}"
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> bool:
        """Take the lock, or return False where somebody else has it."""
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            one.bind(self._name)
            one.listen(WAITERS)
        except OSError as error:
            one.close()
            if error.errno == errno.EADDRINUSE:
                return False
            raise OptkitError(
                f"The lock that keeps studies apart cannot be had: {error.strerror}; {VARIABLE} names it, in at most "
                "80 characters."
            ) from error
        self._socket = one
        _HELD.add(one)
        return True

    def release(self) -> None:
        """Let go of it, where it is held."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def wait(self, look_again: Callable[[float], object]) -> Iterator[str]:
        """Take the lock as soon as it is free; yield who has it, each time that this is another.

        Parameters
        ----------
        look_again
            Is called with the seconds until the next look; it may raise, and nothing is waited for then.
        """
        said = False
        while not self.acquire():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as one:
                one.setblocking(False)
                try:
                    one.connect(self._name)
                except OSError:  # it is free again, or its holder does not tell, or more wait than can be counted
                    look_again(LOOKS_S)
                    if not said:
                        said = True
                        yield UNKNOWN
                    continue
                said = True
                yield _named(_pid_behind(one))
                while not select.select([one], [], [], 0)[0]:  # it closes when the holder lets go, or dies
                    look_again(LOOKS_S)


@contextlib.contextmanager
def machine_lock() -> Iterator[None]:
    """Hold the lock, after waiting for it as long as it takes."""
    with MachineLock() as lock:
        for _ in lock.wait(time.sleep):
            pass
        yield


_HELD: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _let_go() -> None:
    """Close what a fork has inherited, so that it does not keep the lock when its parent lets go."""
    for one in _HELD:
        one.close()


os.register_at_fork(after_in_child=_let_go)


def _pid_behind(one: socket.socket) -> int:
    told = one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", told)[0]
    return pid


def _named(pid: int) -> str:
    """Return a process as its user would know it: its number, and how it was called."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return f"process {pid}"
    called = " ".join(Path(word).name if word.startswith("/") else word for word in words if word)
    return f"process {pid} ({text.plain(called, limit=LONGEST)})" if called else f"process {pid}"
