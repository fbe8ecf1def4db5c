"""The parent's side of the process boundary: one zygote, the workers it forks, and one place that waits for all.

There are no threads here. Whoever asks a worker something blocks in `select` on everything that can happen meanwhile:
its answer, what any worker prints, the end of a worker, the deadline, and Stop, which another thread can ask for.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from optkit import private, text
from optkit.environment import is_scrubbed
from optkit.errors import WorkerError
from optkit.worker import frames
from optkit.worker.endings import SkippedError, StoppedError, Tail, WorkerFailedError, exit_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

START_LIMIT_S = 300.0
FORK_LIMIT_S = 30.0
END_LIMIT_S = 2.0

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from optkit.worker.zygote import main; main(int(sys.argv[2]), sys.argv[3])"
)


class Worker:
    """One forked process, as the parent sees it."""

    def __init__(self, host: Host, pid: int, commands: int, folder: Path) -> None:
        self.host = host
        self.pid = pid
        self.commands = commands
        self.folder = folder
        self.tail = Tail()
        self.answers: list[dict[str, Any]] = []
        self.exit_status: int | None = None
        self.broken = ""
        self.unwanted = False

    @property
    def cache(self) -> Path:
        """Its private Inductor cache directory."""
        return self.folder / "inductor"

    def ask(self, command: dict[str, Any], limit_s: float) -> dict[str, Any]:
        """Send a command and wait for the answer; what the worker tells before it is passed over. See `converse`."""
        conversation = self.converse(command, limit_s)
        while True:
            try:
                next(conversation)
            except StopIteration as end:
                answer: dict[str, Any] = end.value
                return answer

    def converse(self, command: dict[str, Any], limit_s: float) -> Generator[dict[str, Any], None, dict[str, Any]]:
        """Send a command, yield the news that the worker has before its answer, and return the answer.

        Raises
        ------
        WorkerFailedError
            If the worker raised, ended, or did not answer within `limit_s` seconds (it is killed then).
        SkippedError
            If `skip` was called.
        StoppedError
            If `Host.stop` was called.
        """
        self.answers.clear()
        with contextlib.suppress(BrokenPipeError):  # then its end is about to be reported
            frames.write(self.commands, command)
        until = time.monotonic() + limit_s
        while "news" in (answer := self._next_answer(limit_s, until - time.monotonic())):
            yield answer["news"]
        if "error" in answer:
            said = self.printed()
            printed = f"\n\nIt printed:\n{said}" if said else ""
            raise WorkerFailedError(answer["error"], answer["details"] + printed, raised=True)
        return answer

    def _next_answer(self, limit_s: float, left_s: float) -> dict[str, Any]:
        def heard() -> bool:
            return bool(self.answers or self.broken or self.unwanted) or self.exit_status is not None

        is_in_time = self.host.wait(heard, left_s)
        if self.unwanted:
            self.end()
            raise SkippedError("It was skipped.", str(self.tail))
        if not is_in_time:
            self.end()
            raise WorkerFailedError(f"No answer within {limit_s:.0f} s, so it was ended.", str(self.tail))
        if self.broken:
            self.end()
            raise WorkerFailedError(self.broken, str(self.tail))
        if not self.answers:
            raise WorkerFailedError(exit_sentence(self.exit_status or 0), str(self.tail))
        return self.answers.pop(0)

    def printed(self) -> str:
        """Return the last lines that it has printed until now."""
        self.host.wait(lambda: False, 0)  # they may still lie in the pipe
        return str(self.tail)

    def skip(self) -> None:
        """Let whoever waits for an answer of this worker wait no longer, from any thread."""
        self.unwanted = True
        self.host.wake()

    def end(self) -> None:
        """Kill the worker and everything it started."""
        self.host.end(self)


class Host:
    """Owns a zygote and its workers; use it as a context manager.

    Nothing here imports torch. `stop` may be called from any thread; everything else belongs to one. The zygote is
    there from the beginning, because it removes the private folder, also where this process is killed before its use.
    """

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.folder = Path(tempfile.gettempdir()) / f"optkit-{secrets.token_hex(8)}"  # made when this is entered
        self._selector = selectors.DefaultSelector()
        self._stop_r, self._stop_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._stop_r, selectors.EVENT_READ, self._on_wake)
        self._notices: list[dict[str, Any]] = []
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._zygote_tail = Tail()
        self._zygote_gone = False
        self._ready = False
        self._closed = False
        self._stopped = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._spawn()
        try:
            self._notice("made", START_LIMIT_S)  # by the zygote, so that there is no folder without one to remove it
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self) -> None:
        """Start the interpreter that is to be the zygote; it imports nothing heavy until it is told to."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environ = {name: value for name, value in os.environ.items() if not is_scrubbed(name)}
        environ["TMPDIR"] = str(self.folder)  # Inductor's precompiled headers lie there whatever its cache directory is
        environ["TORCH_WARM_POOL"] = "0"  # Inductor's compile workers start when they are needed, in the worker
        path = [str(Path(entry).absolute()) for entry in sys.path]
        self._zygote = subprocess.Popen(
            # -P: the working folder is not searched before the user's own path is in place
            [sys.executable, "-P", "-c", _BOOT, json.dumps(path), str(theirs.fileno()), str(self.folder)],
            pass_fds=[theirs.fileno()],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal is for the parent alone
            umask=private.UMASK,
        )
        theirs.close()
        assert self._zygote.stdout is not None
        self._selector.register(self._control, selectors.EVENT_READ, self._on_control)
        self._watch_output(self._zygote.stdout.fileno(), self._zygote_tail)

    def start(self, import_path: Sequence[str] = ()) -> dict[str, float]:
        """Start the zygote; return the seconds that each of its imports took.

        Parameters
        ----------
        import_path
            Folders in which workers look for modules first, before those of this process.

        Raises
        ------
        WorkerError
            If torch cannot be imported; the message ends with what the interpreter printed.
        """
        assert self._control is not None
        path = [str(Path(entry).absolute()) for entry in (*import_path, *sys.path)]
        with contextlib.suppress(OSError):  # then it is gone, which `_notice` is about to find out
            self._control.send(json.dumps({"import": path}).encode())
        ready = self._notice("ready", START_LIMIT_S)
        self._ready = True
        return {str(name): float(seconds) for name, seconds in ready.items()}

    def fork(self, name: str, seed_cache: Path | None = None) -> Worker:
        """Fork a worker with private folders; `seed_cache` is copied into its Inductor cache directory."""
        folder = self.folder / f"{len(self.workers)}-{name}"
        private.folder(folder / "tmp")
        cache = folder / "inductor"
        if seed_cache is None:
            private.folder(cache)
        else:
            shutil.copytree(seed_cache, cache)
        commands_r, commands_w = os.pipe()
        replies_r, replies_w = os.pipe()
        output_r, output_w = os.pipe()
        environ = {
            "TORCHINDUCTOR_CACHE_DIR": str(cache),
            "TRITON_CACHE_DIR": str(cache / "triton"),
            "TMPDIR": str(folder / "tmp"),
        }
        theirs = [commands_r, replies_w, output_w]
        assert self._control is not None
        with contextlib.suppress(ConnectionError):  # then the zygote is gone, which `_notice` is about to find out
            socket.send_fds(self._control, [json.dumps({"environ": environ}).encode()], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        worker = Worker(self, self._notice("forked", FORK_LIMIT_S), commands_w, folder)
        self.workers.append(worker)
        self._watch_output(output_r, worker.tail)
        self._watch_replies(replies_r, worker)
        return worker

    @property
    def zygote_pid(self) -> int:
        """Process id of the zygote, whose children the workers are; 0 before `start`."""
        return 0 if self._zygote is None else self._zygote.pid

    def stop(self) -> None:
        """End whatever is going on, from any thread; the thread that waits raises StoppedError."""
        self._stopped = True
        self.wake()

    def wake(self) -> None:
        """Let the thread that waits look again at what it waits for; may be called from any thread."""
        with self._lock:
            if not self._closed:
                os.write(self._stop_w, b"w")

    def end(self, worker: Worker) -> None:
        """Kill a worker with everything it started, and wait until it is gone."""
        if worker.exit_status is None and not self._zygote_gone and self._control is not None:
            with contextlib.suppress(OSError):
                self._control.send(json.dumps({"kill": worker.pid}).encode())
            self.wait(lambda: worker.exit_status is not None, END_LIMIT_S)

    def wait(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Handle what happens until `done` holds; False where that took longer than `limit_s`."""
        until = time.monotonic() + limit_s
        while not done():
            remaining = until - time.monotonic()
            ready = self._selector.select(max(remaining, 0))
            # The zygote's news last: it reads what others have to say, and a pipe must not be read when it is empty.
            for key, _ in sorted(ready, key=lambda entry: entry[0].fileobj is self._control):
                key.data()
            if not ready and remaining <= 0:
                return done()
        return True

    def close(self) -> None:
        """End everything and remove the private folders. Safe to call twice."""
        with self._lock:  # `stop` must not write to a descriptor that is somebody else's by now
            if self._closed:
                return
            self._closed = True
        if self._control is not None:
            self._control.close()  # the zygote ends its workers, then itself
        for worker in self.workers:
            with contextlib.suppress(OSError):
                os.close(worker.commands)  # and so would each worker, were the zygote gone
        self._end_zygote()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, int) and key.fileobj != self._stop_r:
                os.close(key.fileobj)
        self._selector.close()
        os.close(self._stop_r)
        os.close(self._stop_w)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_zygote(self) -> None:
        if self._zygote is None:
            return
        try:
            self._zygote.wait(
                END_LIMIT_S if self._ready else 0
            )  # while it imports it has no workers, and hears nothing
        except subprocess.TimeoutExpired:
            for worker in self.workers:
                if worker.exit_status is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(worker.pid, signal.SIGKILL)
            self._zygote.kill()
            self._zygote.wait()
        if self._zygote.stdout is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(self._zygote.stdout.fileno())
            self._zygote.stdout.close()

    def _notice(self, kind: str, limit_s: float) -> Any:
        """Wait for a message of the zygote and return what it says."""
        self.wait(lambda: self._zygote_gone or any(kind in notice for notice in self._notices), limit_s)
        for notice in self._notices:
            if kind in notice:
                self._notices.remove(notice)
                return notice[kind]
        raise WorkerError(
            f"The process that starts workers ended or hung; it printed: {self._zygote_tail or 'nothing'}"
        )

    def _on_wake(self) -> None:
        if self._stopped:
            raise StoppedError
        os.read(self._stop_r, 4096)

    def _on_control(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._zygote_gone = True
            self._selector.unregister(self._control)
            for worker in self.workers:  # without the zygote nobody reports their end any more
                if worker.exit_status is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(worker.pid, signal.SIGKILL)
                    worker.exit_status = -signal.SIGKILL
            return
        notice = json.loads(data)
        if "exited" in notice:
            for worker in self.workers:
                if worker.pid == notice["exited"] and worker.exit_status is None:
                    worker.exit_status = notice["status"]
            # Its last words may still lie in its pipes; they are read before anyone acts on its end.
            for key, _ in self._selector.select(0):
                if key.fileobj is not self._control:
                    key.data()
        else:
            self._notices.append(notice)

    def _watch_output(self, descriptor: int, tail: Tail) -> None:
        def read() -> None:
            data = os.read(descriptor, 65536)
            tail.add(data)
            if not data:
                self._forget(descriptor)

        self._selector.register(descriptor, selectors.EVENT_READ, read)

    def _watch_replies(self, descriptor: int, worker: Worker) -> None:
        decoder = frames.Decoder()

        def read() -> None:
            data = os.read(descriptor, 1 << 20)
            try:
                worker.answers += map(text.plain_json, decoder.feed(data))  # its words are shown, and kept
            except WorkerError as error:  # the model's code found the pipe; this worker can no longer be understood
                worker.broken = str(error)
                self._forget(descriptor)
                return
            if not data:
                self._forget(descriptor)

        self._selector.register(descriptor, selectors.EVENT_READ, read)

    def _forget(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        if self._zygote is None or self._zygote.stdout is None or descriptor != self._zygote.stdout.fileno():
            os.close(descriptor)
