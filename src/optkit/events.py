"""Frozen records of what happened in a study, and their JSON form.

A study is a stream of these; everything that optkit shows is a fold over them (`optkit.Comparison`). Times are
integers in nanoseconds where they are raw clock readings (``*_ns``) and floats in seconds elsewhere (``*_s``).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from optkit.errors import OptkitError

Phase = Literal["import", "probe", "build", "prepare", "first_call", "early_calls", "settle", "preliminary", "rounds"]
"""The phases of one variant, in order. `early_calls` are calls 2 and 3."""

EndReason = Literal["rounds", "target", "budget", "stopped", "nothing_left", "baseline_failed"]
"""Why a study ended; `optkit.comparison.ENDINGS` puts each in words."""


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
            If the record names no known kind of event, or has other fields than that kind.
        """
        values = dict(record)
        kind = cls.kinds.get(values.pop("event", ""))
        if kind is None:
            raise OptkitError(f"{record.get('event')!r} is no kind of event; known are {', '.join(sorted(cls.kinds))}.")
        try:
            fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
            return kind(**fields)
        except TypeError as error:
            raise OptkitError(
                f"A {kind.__name__} event with other fields than this version of optkit knows."
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStarted(Event):
    """The study began. Carries everything that is needed to read the rest later, on another machine."""

    run_id: str
    time_unix_s: float
    workload: dict[str, Any]
    variants: tuple[str, ...]
    baseline: str
    plan: dict[str, Any]
    environment: dict[str, Any]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSkipped(VariantEvent):
    """The variant was not run, because of `reason` (a sentence)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBegan(VariantEvent):
    """A phase began. `round_number` and `round_limit` are given in the phases that consist of rounds."""

    phase: Phase
    round_number: int | None = None
    round_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnded(VariantEvent):
    """A phase that is not made of model calls ended after `seconds`; `details` says what came out of it."""

    phase: Phase
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCall(VariantEvent):
    """The first call, the one that compiles, took `duration_ns`.

    Attributes
    ----------
    graphs
        Graphs that were compiled in it; None where torch does not say.
    graph_breaks
        Graph breaks that were counted in it; None where torch does not say.
    """

    duration_ns: int
    graphs: int | None = None
    graph_breaks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples(VariantEvent):
    """Times of consecutive calls.

    Attributes
    ----------
    kind
        ``early`` (calls 2 and 3), ``settle`` (warming up), ``preliminary`` (three rounds so that a watcher sees a
        number soon) or ``round`` (the ones the result is made of).
    first_call
        Number of the first timed call, counted from 1 since the worker began; calls that were made but not timed count.
    calls_per_sample
        How many calls each sample spans (more than 1 for calls under 100 µs, which are timed in blocks).
    durations_ns
        One integer a sample: the time of all its calls together.
    round_number
        Counted from 1; None outside rounds.
    steady
        In ``settle``: whether the calls became steady; None where there were too few to tell.
    """

    kind: Literal["early", "settle", "preliminary", "round"]
    first_call: int
    calls_per_sample: int
    durations_ns: tuple[int, ...]
    round_number: int | None = None
    steady: bool | None = None

    @property
    def seconds_per_call(self) -> list[float]:
        """One float a sample: seconds per call."""
        return [ns / (1e9 * self.calls_per_sample) for ns in self.durations_ns]


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFailed(VariantEvent):
    """The variant's worker raised, exited, was killed or did not answer in time; what was measured before stays.

    Attributes
    ----------
    phase
        The phase it was in.
    reason
        One sentence.
    details
        Traceback, where there is one, and the last lines the worker printed.
    raised
        True where the model's own code raised; False where its process ended or hung.
    """

    phase: Phase
    reason: str
    details: str = ""
    raised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFinished(VariantEvent):
    """All rounds that this variant was to have are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEnded(Event):
    """The study is over."""

    because: EndReason


Event.kinds.update(
    {
        kind.__name__: kind
        for kind in (
            StudyStarted,
            VariantSkipped,
            PhaseBegan,
            PhaseEnded,
            FirstCall,
            Samples,
            VariantFailed,
            VariantFinished,
            StudyEnded,
        )
    }
)

__all__ = [
    "EndReason",
    "Event",
    "FirstCall",
    "Phase",
    "PhaseBegan",
    "PhaseEnded",
    "Samples",
    "StudyEnded",
    "StudyStarted",
    "VariantEvent",
    "VariantFailed",
    "VariantFinished",
    "VariantSkipped",
]
