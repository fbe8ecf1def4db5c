"""The zygote: one clean interpreter that imports torch once and forks a worker for each request.

A fork is ready after some 15 ms, a new interpreter after seconds, and the pages of torch are shared. The zygote builds
no model, runs no operator and asks no accelerator anything: a fork would inherit half of the threads' state.

It adopts whatever its workers leave behind (PR_SET_CHILD_SUBREAPER) and kills it, and kills everything when the process
that started it goes away.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_CHILD_SUBREAPER = 36
MAXIMUM_REQUEST_BYTES = 65536
KILL_PASSES = 3
"""A process may have started another while it was being looked for."""


def main(control_fd: int, folder: str) -> NoReturn:
    """Make the private folder, import torch when told to, then serve until the other end of the socket closes.

    The private `folder` holds the user's model; it is removed at the end, also where the parent was killed.
    """
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        Path(folder).mkdir(mode=0o700)  # fails where somebody else has made it
        control.send(json.dumps({"made": folder}).encode())
        request = control.recv(MAXIMUM_REQUEST_BYTES)
        if not request:
            sys.exit()
        sys.path[:] = json.loads(request)["import"]
        with _ending_with(control, folder):
            seconds = _import_torch()
        gc.collect()
        gc.freeze()  # keeps the collector from touching, and so copying, the shared pages
        control.send(json.dumps({"ready": seconds}).encode())
        Zygote(control).serve()
    except Exception:  # noqa: BLE001 - the parent tells what was printed
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)


@contextlib.contextmanager
def _ending_with(control: socket.socket, folder: str) -> Iterator[None]:
    """End this process as soon as the parent is gone, though it be busy importing. No thread is left at the end."""
    over_r, over_w = os.pipe()

    def watch() -> None:
        watched: list[Any] = [control, over_r]
        if control in select.select(watched, [], [])[0]:  # nothing is asked meanwhile, so it has closed
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(0)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        os.close(over_w)
        thread.join()
        os.close(over_r)


def _import_torch() -> dict[str, float]:
    """Import what every worker needs; return the seconds each took."""
    seconds = {}
    begin = time.perf_counter()
    for name in ("torch", "torch._dynamo", "torch._inductor.compile_fx"):
        __import__(name)
        seconds[name] = time.perf_counter() - begin
        begin = time.perf_counter()
    import optkit.worker.session  # so that forks need not

    del optkit.worker.session
    return seconds


class Zygote:
    """Forks workers on request, and reports the end of each."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.workers: set[int] = set()
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self) -> None:
        """Answer requests until the parent is gone, then end everything."""
        while True:
            watched: list[Any] = [self.control, self._wake_r]
            ready = select.select(watched, [], [])[0]
            if self._wake_r in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake_r, 4096)
                self._reap()
            if self.control in ready:
                request, descriptors, _, _ = socket.recv_fds(self.control, MAXIMUM_REQUEST_BYTES, 3)
                if not request:
                    break
                self._answer(json.loads(request), descriptors)
        for _ in range(KILL_PASSES):
            for pid in descendants(os.getpid()):
                kill(pid)

    def _answer(self, request: dict[str, Any], descriptors: list[int]) -> None:
        if "kill" in request:
            self._end(request["kill"])
            return
        pid = os.fork()
        if pid == 0:
            self._become_worker(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.workers.add(pid)
        self.control.send(json.dumps({"forked": pid}).encode())

    def _become_worker(self, request: dict[str, Any], descriptors: list[int]) -> NoReturn:
        """Turn the forked process into a worker; never returns to the zygote's code."""
        status = 1
        try:
            os.setsid()  # a process group of its own, so that all it starts can be ended with it
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self.control.close()
            os.close(self._wake_r)
            os.close(self._wake_w)
            commands, replies, output = descriptors
            _redirect(output)
            for descriptor in (commands, replies):
                os.set_inheritable(descriptor, False)  # what the model starts must not hold the pipes
            os.environ.update(request["environ"])
            tempfile.tempdir = None  # it remembers the zygote's
            from optkit.worker.session import Session

            Session(commands, replies).serve()
            status = 0
        finally:
            os._exit(status)

    def _end(self, pid: int) -> None:
        """Kill a worker with everything it started, also what has moved to another process group."""
        if pid in self.workers:
            started = descendants(pid)
            _kill_group(pid)
            for process in started:
                kill(process)

    def _reap(self) -> None:
        """Collect dead children; a worker's whole group is killed before its number can be used again."""
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            pid = dead.si_pid
            if pid in self.workers:
                _kill_group(pid)
            _, status = os.waitpid(pid, 0)
            if pid in self.workers:
                self.workers.discard(pid)
                for orphan in children().get(os.getpid(), []):
                    if orphan not in self.workers:
                        kill(orphan)
                self.control.send(json.dumps({"exited": pid, "status": os.waitstatus_to_exitcode(status)}).encode())


def _redirect(output: int) -> None:
    """Send what the worker prints, at the level of file descriptors, to `output`; give it no standard input."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(null)
    os.close(output)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def children() -> dict[int, list[int]]:
    """Return the children of every process, from /proc."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found.setdefault(parent, []).append(int(entry.name))
    return found


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`."""
    tree = children()
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = tree.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill(pid: int) -> None:
    """Kill one process, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
