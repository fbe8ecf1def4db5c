"""What was measured, and seen, of a variant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from optkit.events.base import VariantEvent


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
        number soon), ``round`` (the ones the result is made of) or ``confirm`` (by workers forked afresh).
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
    compiles
        How often torch compiled, or tried to, during these calls and the discarded ones before them; None where it
        does not say.
    reloaded
        True where the worker was not kept beside the others, for lack of memory: the round is an ABBA cycle.
    """

    kind: Literal["early", "settle", "preliminary", "round", "confirm"]
    first_call: int
    calls_per_sample: int
    durations_ns: tuple[int, ...]
    round_number: int | None = None
    steady: bool | None = None
    compiles: int | None = None
    reloaded: bool = False

    @property
    def seconds_per_call(self) -> list[float]:
        """One float a sample: seconds per call."""
        return [ns / (1e9 * self.calls_per_sample) for ns in self.durations_ns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(VariantEvent):
    """What torch itself says it has done for the variant, up to now; the latest replaces those before.

    Attributes
    ----------
    facts
        See `optkit.worker.compile_trace.Trace.facts`. A fact that torch does not tell is None, never 0.
    """

    facts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(VariantEvent):
    """The variant's outputs were compared with eager's, after all timing.

    Attributes
    ----------
    agreement
        ``equal``, ``close`` and ``reduced`` pass; ``different``, ``nan``, ``inf``, ``shape``, ``dtype`` and
        ``structure`` do not; ``nondeterministic`` and ``stateful``: eager's own outputs change, so nothing can be said.
    max_abs_error
        Largest absolute difference from eager's outputs; None where there are none to compare.
    details
        ``cosine``, ``top1``, ``where`` (path of the worst output), ``why`` (a sentence), ``random`` (a sentence where
        outputs cannot be repeated), ``state`` (buffers and parameters that calls changed), ``inputs_changed``,
        ``stateful``, ``metric`` and ``metric_error`` (of the user's ``evaluate``).
    """

    agreement: str
    max_abs_error: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThroughputMeasured(VariantEvent):
    """Calls were made without waiting in between.

    Attributes
    ----------
    batch_size
        Inputs in a call; None for the user's own batches.
    items, calls, duration_ns
        Inputs and calls in all, and the time that they took together.
    """

    batch_size: int | None
    items: int
    calls: int
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryMeasured(VariantEvent):
    """The most memory that was held while a few more calls were made, after all timing.

    Attributes
    ----------
    host_bytes
        Beyond what an idle worker holds; None where the system does not tell.
    accelerator_bytes
        What torch's allocator held of the accelerator; None without one.
    artifact_bytes
        What compiling left in the variant's private cache; None where nothing was.
    """

    host_bytes: int | None = None
    accelerator_bytes: int | None = None
    artifact_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStarted(VariantEvent):
    """Another new worker started on the cache that the first one filled.

    Attributes
    ----------
    probe_s, build_s, prepare_s
        Seconds of these phases; `probe_s` is Inductor's look at what is known of the CPU already.
    durations_ns
        Calls 1 to 3.
    facts
        See `Evidence`; what the caches gave is of interest here.
    """

    build_s: float
    prepare_s: float
    durations_ns: tuple[int, ...]
    probe_s: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)
