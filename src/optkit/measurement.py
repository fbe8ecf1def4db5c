"""Measurement: all that is known of one variant, folded from its events. Raw samples included."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from optkit import bill, doubts, page, stats
from optkit.doubts import Surroundings
from optkit.events import (
    Checked,
    CompileBegan,
    CompileEnded,
    Evidence,
    FirstCall,
    MemoryMeasured,
    PhaseBegan,
    PhaseEnded,
    Samples,
    ThroughputMeasured,
    VariantFailed,
    VariantFinished,
    VariantSkipped,
    WarmStarted,
)
from optkit.verdicts import PASSING, Doubt, Verdict, decide

if TYPE_CHECKING:
    from optkit.cost import BreakEven, Startup
    from optkit.events import EndReason, VariantEvent

Status = Literal["waiting", "running", "ok", "failed", "stopped", "skipped"]

DISAGREEING = ("different", "nan", "inf", "shape", "dtype", "structure")


@dataclass
class Measurement:
    """What is known of one variant.

    Attributes
    ----------
    variant
        Text of the variant; also ``str(measurement)``.
    status
        ``waiting`` and ``running`` while a study goes on; then ``ok``, ``failed``, ``stopped`` or ``skipped``.
    phase
        The phase it is in, or was in last.
    first_call_s, early_s
        Seconds of call 1, the one that compiles, and of calls 2 and 3.
    threads, modules
        Threads within an operator; what building the model imports of torch, whatever the engine.
    facts
        What torch itself says it has done; empty for an engine that does not compile.
    engine_facts
        What the engine found out while it exported or prepared; see `optkit.engines.LoadedModel`.
    round_samples_s, preliminary_samples_s, confirm_samples_s
        Seconds per call of every sample, by round. Only the first make the result; the last, by workers forked
        afresh, can widen its interval.
    check
        How its outputs compare with eager's; None while, or where, that was not looked at.
    warm
        How a second process started that found the first one's cache; None where that was not asked for.
    memory, throughputs
        What the passes after the rounds gave; throughputs by batch size, None being that of the inputs.
    compiles, compiling
        What torch compiled, in order, and what it is compiling now.
    reloaded
        Whether it was loaded in turn with the baseline, because they did not fit in memory together.
    ended_because
        What ended its rounds.
    baseline, twin
        What it is compared with; of the baseline, its second worker.
    surroundings
        What is known of study and machine.
    final
        Whether the study is over: intervals then come from the bootstrap.
    """

    variant: str
    seed: int = 0
    status: Status = "waiting"
    phase: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    first_call_s: float | None = None
    early_s: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    engine_facts: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None
    modules: tuple[str, ...] = ()
    settled: bool = False
    steady: bool | None = None
    settle_s: list[float] = field(default_factory=list)
    preliminary_samples_s: dict[int, list[float]] = field(default_factory=dict)
    round_samples_s: dict[int, list[float]] = field(default_factory=dict)
    confirm_samples_s: dict[int, list[float]] = field(default_factory=dict)
    check: Checked | None = None
    warm: WarmStarted | None = None
    memory: MemoryMeasured | None = None
    throughputs: dict[int | None, list[ThroughputMeasured]] = field(default_factory=dict)
    compiles: list[CompileEnded] = field(default_factory=list)
    compiling: str | None = None
    reloaded: bool = False
    ended_because: EndReason | None = None
    calls: int = 0
    timed_singly: bool = True
    failed_phase: str | None = None
    reason: str | None = None
    details: str = ""
    raised: bool = False
    baseline: Measurement | None = field(default=None, repr=False)
    twin: Measurement | None = field(default=None, repr=False)
    surroundings: Surroundings = field(default_factory=Surroundings, repr=False)
    final: bool = False

    def __str__(self) -> str:
        return self.variant

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return page.measurement(self)

    def apply(self, event: VariantEvent) -> None:
        """Take in one more fact."""
        match event:
            case PhaseBegan():
                self.phase = event.phase
                if self.status == "waiting":
                    self.status = "running"
            case PhaseEnded():
                if event.details.get("of") != "machine":  # that is not this variant's own
                    self.seconds[event.phase] = event.seconds
                    self.threads = event.details.get("threads", self.threads)
                    self.modules = tuple(event.details.get("modules", self.modules))
                    self.engine_facts = self.engine_facts | event.details.get("facts", {})
                    self.details = "\n".join(filter(None, (self.details, event.details.get("printed"))))
            case FirstCall():
                self.first_call_s = event.duration_ns / 1e9
                self.facts = {"graphs": event.graphs, "graph_breaks": event.graph_breaks}
            case Evidence():
                self.facts = event.facts
            case Samples():
                self._take(event)
            case VariantSkipped() | VariantFinished() | VariantFailed():
                self._end(event)
            case _:
                self._take_more(event)

    def _take_more(self, event: VariantEvent) -> None:
        """Take in what was compiled, and what a pass after the rounds gave."""
        match event:
            case CompileBegan():
                self.compiling = event.compile_id
            case CompileEnded():
                self.compiles, self.compiling = [*self.compiles, event], None
            case Checked():
                self.check = event
            case WarmStarted():
                self.warm = event
            case MemoryMeasured():
                self.memory = event
            case ThroughputMeasured():
                before = self.throughputs.get(event.batch_size, [])
                self.throughputs = self.throughputs | {event.batch_size: [*before, event]}

    def _end(self, event: VariantEvent) -> None:
        """Note how it ended; a baseline that was only to be confirmed has been measured all the same."""
        if isinstance(event, VariantSkipped):
            self.status, self.reason = "skipped", event.reason
        elif isinstance(event, VariantFinished) and self.status not in ("failed", "skipped"):
            self.status, self.ended_because = "ok", event.because
        if not isinstance(event, VariantFailed) or (event.phase == "confirm" and self.baseline is self):
            return
        self.status, self.failed_phase = "failed", event.phase
        self.reason, self.details, self.raised = event.reason, event.details, event.raised

    def _take(self, event: Samples) -> None:
        # Replaced, never changed in place: another thread may be reading a comparison that is still being folded.
        times, number = event.seconds_per_call, event.round_number or 0
        if event.kind == "early":
            self.early_s = self.early_s + times
        elif event.kind == "settle":
            self.settle_s, self.settled = self.settle_s + times, True
            self.steady = event.steady
        elif event.kind == "preliminary":
            self.preliminary_samples_s = self.preliminary_samples_s | {number: times}
        elif event.kind == "confirm":
            self.confirm_samples_s = self.confirm_samples_s | {number: times}
        else:
            before = self.round_samples_s.get(number, [])  # in an ABBA cycle there are two turns a round
            self.round_samples_s = self.round_samples_s | {number: before + times}
            self.calls += len(times) * event.calls_per_sample
            self.timed_singly &= event.calls_per_sample == 1
            self.reloaded |= event.reloaded and self.baseline is not self

    @property
    def samples_s(self) -> list[float]:
        """Seconds per call of every steady sample, in the order they were taken; never the first calls."""
        return [value for number in sorted(self.round_samples_s) for value in self.round_samples_s[number]]

    @property
    def rounds(self) -> int:
        """How many rounds the result rests on."""
        return len(self.round_samples_s)

    @property
    def preliminary(self) -> bool:
        """Whether the numbers shown rest on preliminary rounds, because there are no others yet."""
        return not self.round_samples_s and bool(self.preliminary_samples_s)

    @property
    def median_s(self) -> float | None:
        """Seconds per call: median over rounds of the medians within them."""
        medians = round_medians(self._shown_rounds())
        return stats.median(list(medians.values())) if medians else None

    @property
    def graphs(self) -> int | None:
        """How many graphs torch.compile made; None where it does not say, or was not asked."""
        return self.facts.get("graphs")

    @property
    def all_ratios(self) -> list[float]:
        """One speed-up a round, leading rounds of warm-up included."""
        if self.baseline is None or self.baseline is self:
            return []
        kind = "preliminary_samples_s" if self.preliminary else "round_samples_s"
        return stats.paired_ratios(self._reference(kind), round_medians(self._shown_rounds()))

    @property
    def warmup_rounds(self) -> int:
        """How many leading rounds were still warm-up, and are left out of the result."""
        return 0 if self.preliminary else stats.warmup_rounds(self.all_ratios)

    @property
    def ratios(self) -> list[float]:
        """One speed-up a round: the baseline's median over this variant's, within the same round."""
        return self.all_ratios[self.warmup_rounds :]

    @property
    def confirmed_speedup(self) -> float | None:
        """The speed-up that workers forked afresh gave; None where there were none."""
        if self.baseline is None or self.baseline is self:
            return None
        ratios = stats.paired_ratios(self._reference("confirm_samples_s"), round_medians(self.confirm_samples_s))
        return stats.median(ratios) if ratios else None

    def _reference(self, kind: str) -> dict[int, float]:
        """Return what this is compared with, by round: the geometric mean of both baseline workers' medians.

        Two equal workers are a better reference than one, whose addresses may be lucky or whose turn was disturbed.
        Where one of them missed a round, the other stands in; the twin itself is compared with the baseline alone.
        """
        if self.baseline is None:
            return {}
        twin = None if self.baseline.twin is self else self.baseline.twin
        medians = [round_medians(getattr(worker, kind)) for worker in (self.baseline, twin) if worker is not None]
        numbers = set().union(*medians)
        return {n: stats.geometric_mean([one[n] for one in medians if n in one]) for n in numbers}

    @property
    def speedup(self) -> float | None:
        """Median over rounds of the baseline's time over this variant's; 1 for the baseline, None where unknown."""
        if self.baseline is self:
            return 1.0 if self.median_s is not None else None
        return stats.median(self.ratios) if self.ratios else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Return the interval of the speed-up, or None where there are too few rounds for one.

        While the study goes on it comes from order statistics, then from the bootstrap. It is stretched by how far the
        two equal workers lie apart, and widened to what workers forked afresh gave, where there were some.
        """
        ratios = self.ratios
        found = stats.order_interval(ratios, confidence)
        if self.final and stats.order_interval(ratios, 0.95) is not None:
            found = _bootstrap(tuple(ratios), confidence, self.seed)
        if found is None:
            return None
        # Rounds tell how much chance there is within these workers; only other workers tell how lucky these are.
        found = stats.stretched(found, self.baseline.twin_gap if self.baseline else 0.0)
        again = self.confirmed_speedup
        return found if again is None else stats.widened(found, again)

    def is_within(self, target: float) -> bool:
        """Whether the 95 % interval lies within this fraction of the speed-up."""
        interval, speedup = self.interval(0.95), self.speedup
        if interval is None or speedup is None:
            return False
        return interval[0] >= speedup * (1 - target) and interval[1] <= speedup * (1 + target)

    @property
    def twin_gap(self) -> float:
        """Of the baseline: how far apart it and its twin, an equal worker, are on the whole; 0 while unknown."""
        ratios = [] if self.twin is None else self.twin.ratios
        return abs(math.log(stats.median(ratios))) if ratios else 0.0

    @property
    def noise(self) -> float | None:
        """Of the baseline: how far the ratio to its twin, an equal worker, strays from 1; None while unknown.

        The larger distance of the ends of the 95 % interval from 1, or of the ratio that workers forked afresh gave:
        what this machine can make of no difference.
        """
        if self.twin is None:
            return None
        again = self.twin.confirmed_speedup
        return stats.pooled_band(self.twin.ratios, () if again is None else (again,))

    @property
    def verdict(self) -> Verdict | None:
        """Faster, slower, same or inconclusive; None where nothing was measured."""
        if self.speedup is None:
            return None
        if self.baseline is self:
            return Verdict.BASELINE
        interval = self.interval(0.99)
        if interval is None or self.preliminary:
            return Verdict.INCONCLUSIVE
        noise = self.baseline.noise if self.baseline else None
        if noise is None:  # without the twin nobody knows what this machine makes of no difference
            return Verdict.INCONCLUSIVE
        return decide(interval, len(self.ratios), noise)

    @property
    def remedies(self) -> dict[Doubt, str]:
        """Reasons not to take the numbers at face value, each with what to do about it in one sentence."""
        return doubts.find(self)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Reasons not to take the numbers at face value."""
        return tuple(self.remedies)

    @property
    def agreement(self) -> str | None:
        """How the outputs compare with eager's (see `Checked`); None where that is not known.

        Where two eager workers do not agree with each other, nobody else can be held to agree with one of them.
        """
        if self.check is None:
            return None
        own = None if self.baseline is None else self.baseline.check
        twin = None if self.baseline is None or self.baseline.twin is None else self.baseline.twin.check
        if own is not None and twin is not None and own.agreement == "equal" and twin.agreement in DISAGREEING:
            return "nondeterministic"
        return self.check.agreement

    @property
    def merit(self) -> float:
        """The speed-up, as far as it may be an answer: 0 for what failed, compiled nothing or gives other outputs."""
        sound = self.status not in ("failed", "skipped") and Doubt.NOT_COMPILED not in self.doubts
        sound &= not self.facts.get("fell_back")
        if not sound or self.agreement not in (None, *PASSING):
            return 0.0
        return self.speedup or 0.0

    def startup(self, *, warm: bool = False) -> Startup | None:
        """Return how a fresh process starts, part by part: cold with an empty cache, warm with a filled one."""
        return bill.startup(self, warm=warm)

    def break_even(self, *, warm: bool = False) -> BreakEven:
        """Return after how many calls, start-up included, this variant is no later than the baseline."""
        return bill.break_even(self, warm=warm)

    def cumulative_s(self, calls: float, *, warm: bool = False) -> float | None:
        """Return the seconds from the start of a fresh process to the end of this many calls."""
        return bill.cumulative_s(self, calls, warm=warm)

    def throughput_per_s(self, batch_size: int | None = None) -> float | None:
        """Return how many inputs a second it takes when calls follow each other; None where that was not measured."""
        turns = self.throughputs.get(batch_size, [])
        return stats.median([one.items / (one.duration_ns / 1e9) for one in turns]) if turns else None

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most memory that calls take: of the accelerator where there is one, else of the host; None if unknown."""
        if self.memory is None:
            return None
        on_accelerator = self.memory.accelerator_bytes
        return self.memory.host_bytes if on_accelerator is None else on_accelerator

    @property
    def headroom(self) -> float | None:
        """How many times the least time of a call that this machine could do it in; None where that is not known."""
        return bill.headroom(self)

    @property
    def beats_floor(self) -> bool:
        """Whether it, or another variant, shows that the least time is wrong."""
        return bill.beats_floor(self)

    @property
    def prepare_s(self) -> float | None:
        """Seconds of exporting, where a file is run, and of preparing; None where that did not end."""
        parts = [self.seconds[phase] for phase in ("export", "prepare") if phase in self.seconds]
        return sum(parts) if "prepare" in self.seconds else None

    def is_near(self, max_error: float) -> bool:
        """Whether its outputs are known to lie no further than this from eager's."""
        error = None if self.check is None else self.check.max_abs_error
        return error is not None and error <= max_error

    @property
    def metric(self) -> float | None:
        """What the user's ``evaluate`` made of the outputs; None where there is none."""
        return None if self.check is None else self.check.details.get("metric")

    @property
    def outliers(self) -> int:
        """How many samples lie far from the others of their round; counted, never removed."""
        return sum(map(stats.count_outliers, self.round_samples_s.values()))

    def percentile_s(self, rank: int) -> float | None:
        """Return a percentile of the calls, or None where there are too few calls or they were timed in blocks."""
        return stats.percentile(self.samples_s, rank) if self.timed_singly else None

    def _shown_rounds(self) -> dict[int, list[float]]:
        return self.preliminary_samples_s if self.preliminary else self.round_samples_s


_bootstrap = lru_cache(maxsize=1024)(stats.bootstrap_interval)
"""The same interval is asked for by the table, the verdict, the answer and the chart."""


def round_medians(rounds: dict[int, list[float]]) -> dict[int, float]:
    """Return the median of each round."""
    return {number: stats.median(samples) for number, samples in rounds.items()}
