"""How asking a worker can end badly, and what is kept of what it printed."""

from __future__ import annotations

import signal

from optkit import text

TAIL_BYTES = 16_384
LONGEST_REASON, LONGEST_DETAILS = 2000, 100_000
"""Characters; a session keeps to far fewer."""


class StoppedError(Exception):
    """`Host.stop` was called. Not an error of anybody's: it ends whatever was waiting."""


class WorkerFailedError(Exception):
    """A worker raised, ended or did not answer in time. What it says is `optkit.text.plain`: they are a worker's words.

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
        self.reason = text.plain(reason, limit=LONGEST_REASON)
        self.details = text.plain(details, limit=LONGEST_DETAILS)
        super().__init__(self.reason)
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
        said = printed(bytes(self._data))
        return f"[{self.dropped} bytes before this]\n{said}" if self.dropped else said


def printed(data: bytes) -> str:
    """Return what a process has printed, without its colours, and without anything else that a terminal would obey."""
    said = text.COLOURS.sub("", data.decode(errors="replace")).replace("\r\n", "\n").replace("\r", "\n")
    return text.plain(said.strip())


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
