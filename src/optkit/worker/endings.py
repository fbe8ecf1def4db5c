"""How asking a worker can end badly, and what is kept of what it printed."""

from __future__ import annotations

import signal

TAIL_BYTES = 16_384


class StoppedError(Exception):
    """`Host.stop` was called. Not an error of anybody's: it ends whatever was waiting."""


class WorkerFailedError(Exception):
    """A worker raised, ended or did not answer in time.

    Attributes
    ----------
    reason
        One sentence.
    details
        Traceback, if there is one, and the tail of what the worker printed.
    raised
        Whether the model's own code raised, and the worker lives on.
    """

    def __init__(self, reason: str, details: str, *, raised: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details
        self.raised = raised


class SkippedError(WorkerFailedError):
    """Whoever watches does not want this worker's variant any more."""


class Tail:
    """The last bytes of an output, however much there was."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Take more output, and forget the oldest."""
        self._data += data
        surplus = len(self._data) - TAIL_BYTES
        if surplus > 0:
            del self._data[:surplus]
            self.dropped += surplus

    def __str__(self) -> str:
        text = self._data.decode(errors="replace").strip()
        return f"[{self.dropped} bytes before this]\n{text}" if self.dropped else text


def exit_sentence(status: int) -> str:
    """Say how a worker ended: by itself, or by which signal."""
    if status >= 0:
        return f"The worker process ended by itself with exit status {status}; the model's code may have called exit."
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hints = {
        "SIGKILL": " Something killed it from outside; on a machine short of memory that is the kernel.",
        "SIGSEGV": " Native code crashed: an operator, an extension or compiled code.",
        "SIGABRT": " Native code gave up; its last lines say why.",
    }
    return f"The worker process was ended by {name}.{hints.get(name, '')}"
