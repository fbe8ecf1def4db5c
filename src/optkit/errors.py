"""The errors a user of optkit can meet.

::

    OptkitError
    ├── UsageError (also a ValueError)   what was asked for does not make sense; the message says what to do
    │   ├── VariantError                 an unknown engine, key, value or preset
    │   └── WorkloadError                an unknown model, or inputs that the model does not take
    └── WorkerError                      a worker process broke the protocol (a bug in optkit, not in the model)
"""

from __future__ import annotations

from optkit.text import plain

LONGEST = 4000
"""Characters that are shown of a message, which can quote what somebody has typed."""


class OptkitError(Exception):
    """Base class of every error that optkit raises on purpose; its text is `optkit.text.plain`, whatever it quotes."""

    def __str__(self) -> str:
        return plain(super().__str__(), limit=LONGEST)


class UsageError(OptkitError, ValueError):
    """What was asked for does not make sense; the message is one sentence that says what to do."""


class VariantError(UsageError):
    """A variant that does not exist: unknown engine, key, value or preset."""


class WorkloadError(UsageError):
    """A model that is unknown, or inputs that the model does not take."""


class WorkerError(OptkitError):
    """A worker process said something that is not part of the protocol."""
