"""What every event is: one immutable fact, and its JSON form."""

from __future__ import annotations

import dataclasses
import reprlib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from optkit import decoding, text
from optkit.errors import OptkitError

# fmt: off
Phase = Literal[
    "import", "probe", "build", "export", "prepare", "first_call", "early_calls", "settle", "preliminary", "reload",
    "rounds", "throughput", "memory", "checks", "headroom", "warm_start", "confirm",
]
# fmt: on
"""The phases of one variant, in order. `export` writes a file that another worker loads in `prepare`; `early_calls` are
calls 2 and 3; `reload` is another worker of a variant that does not fit in memory beside the others; `confirm` repeats
some rounds with workers that were forked afresh."""

EndReason = Literal[
    "rounds", "target", "decided", "budget", "stopped", "nothing_left", "baseline_failed", "interrupted"
]
"""Why a study ended; `optkit.answers.ENDINGS` puts each in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One immutable fact.

    Attributes
    ----------
    at_s
        Seconds since the study began, on the clock of the process that runs the study.
    """

    kinds: ClassVar[dict[str, type[Event]]] = {}
    at_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the event as a JSON object; `from_json` reads it back."""
        return {"event": type(self).__name__} | dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Event:
        """Read what `to_json` wrote.

        Raises
        ------
        OptkitError
            If the record names no known kind of event, or has other fields than that kind, or fields of other types.
        """
        if not isinstance(record, dict):
            raise OptkitError(f"An event is a JSON object, and this is a {type(record).__name__}.")
        name = record.get("event")
        kind = cls.kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            told = text.one_line(reprlib.repr(name), limit=text.LONGEST_NAME)
            raise OptkitError(f"{told} is no kind of event; known are {', '.join(sorted(cls.kinds))}.")
        event = decoding.decode(kind, {key: value for key, value in record.items() if key != "event"})
        event.check()
        return event

    def check(self) -> None:
        """Raise an OptkitError where the fields of a record that was read make no sense together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantEvent(Event):
    """A fact about one variant.

    Attributes
    ----------
    variant
        The text of the variant.
    twin
        True for A′, the baseline's second worker. It is never a row; it shows how far two equal workers lie apart.
    """

    variant: str
    twin: bool = False
