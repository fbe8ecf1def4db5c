"""Frozen records of what happened in a study, and their JSON form.

A study is a stream of these; everything that optkit shows is a fold over them (`optkit.Comparison`). Times are
integers in nanoseconds where they are raw clock readings (``*_ns``) and floats in seconds elsewhere (``*_s``).
"""

from __future__ import annotations

import dataclasses
import reprlib
from dataclasses import dataclass, field
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
        return decoding.decode(kind, {key: value for key, value in record.items() if key != "event"})


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
class StudyResumed(Event):
    """A study that had ended early goes on, with new workers. `plan` is the one from here on."""

    time_unix_s: float
    plan: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Event):
    """The study waits until another one on this machine is over: that of `holder`, a process in words."""

    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKept(Event):
    """The study's events cannot be kept in the history, because of `reason`, a sentence; they are tried again."""

    reason: str


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
    """A phase that is not made of timed calls ended after `seconds`; `details` says what came out of it."""

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
class CompileBegan(VariantEvent):
    """torch began to compile; `compile_id` is its name for it: ``function/number``."""

    compile_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileEnded(VariantEvent):
    """torch has compiled, or given up.

    Attributes
    ----------
    compile_id, function
        Which compile it was, and of which function.
    seconds
        How long it took; None where torch does not say.
    phases_s
        Seconds by phase: ``dynamo``, ``aot_autograd``, ``inductor``, ``code_gen``. Each contains those after it: never
        to be summed. A phase that a cache made unnecessary is missing.
    reason
        Why it had to compile again; None for the first of its function.
    failed
        What went wrong; None where it went well.
    """

    compile_id: str
    function: str
    seconds: float | None = None
    phases_s: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    failed: str | None = None


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
class WorkCounted(Event):
    """The least work of one call of the model. See `optkit.worker.work.count`."""

    flops: float
    read_bytes: float
    written_bytes: float
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesMeasured(Event):
    """What the machine can do at most with so many threads, in a dtype. See `optkit.worker.rates.measure`.

    Attributes
    ----------
    flops_per_s
        Of a matrix product.
    copy_bytes_per_s, read_bytes_per_s
        Pairs of a tensor's bytes and the rate at that size, in ascending order.
    measured_at_unix_s
        When; it can have been measured before this study and kept.
    """

    device: str
    dtype: str
    threads: int | None
    flops_per_s: float
    copy_bytes_per_s: tuple[tuple[int, float], ...]
    read_bytes_per_s: tuple[tuple[int, float], ...]
    measured_at_unix_s: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRead(Event):
    """How busy the machine was, between two turns. See `optkit.machine.Monitor.read`.

    Attributes
    ----------
    load_1min
        The system's load average; None where unreadable.
    others_cpus
        CPUs' worth of time that other processes took since the previous reading; None at the first.
    visible_cpus
        How many CPUs that is out of.
    throttled_s
        Seconds for which the container was held back since the study began; None where unreadable.
    memory_available_bytes
        Memory that a further process could have.
    """

    load_1min: float | None = None
    others_cpus: float | None = None
    visible_cpus: int | None = None
    throttled_s: float | None = None
    memory_available_bytes: int | None = None


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
class PassFailed(VariantEvent):
    """A pass after the rounds gave no number, because of `reason`, a sentence; what was measured before stays."""

    phase: Phase
    reason: str
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFinished(VariantEvent):
    """All rounds that this variant was to have are done; `because` says what ended them."""

    because: EndReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEnded(Event):
    """The study is over."""

    because: EndReason


Event.kinds.update(
    {
        kind.__name__: kind
        for kind in (
            StudyStarted,
            StudyResumed,
            Waiting,
            NotKept,
            VariantSkipped,
            PhaseBegan,
            PhaseEnded,
            FirstCall,
            CompileBegan,
            CompileEnded,
            Evidence,
            Samples,
            Checked,
            ThroughputMeasured,
            MemoryMeasured,
            WarmStarted,
            WorkCounted,
            RatesMeasured,
            MachineRead,
            VariantFailed,
            PassFailed,
            VariantFinished,
            StudyEnded,
        )
    }
)

__all__ = [
    "Checked",
    "CompileBegan",
    "CompileEnded",
    "EndReason",
    "Event",
    "Evidence",
    "FirstCall",
    "MachineRead",
    "MemoryMeasured",
    "NotKept",
    "PassFailed",
    "Phase",
    "PhaseBegan",
    "PhaseEnded",
    "RatesMeasured",
    "Samples",
    "StudyEnded",
    "StudyResumed",
    "StudyStarted",
    "ThroughputMeasured",
    "VariantEvent",
    "VariantFailed",
    "VariantFinished",
    "VariantSkipped",
    "Waiting",
    "WarmStarted",
    "WorkCounted",
]
