"""Measurement: all that is known of one variant, folded from its events. Raw samples included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from optkit import bill, doubts, page, stats, takeaway
from optkit.doubts import Surroundings
from optkit.events import (
    Checked,
    CompileBegan,
    CompileEnded,
    Evidence,
    FirstCall,
    MemoryMeasured,
    PassFailed,
    PhaseBegan,
    PhaseEnded,
    Samples,
    ThroughputMeasured,
    VariantFailed,
    VariantFinished,
    VariantSkipped,
    WarmStarted,
)
from optkit.phases import PHASE_WORDS
from optkit.timings import Timings
from optkit.verdicts import PASSING, Doubt, Verdict, decide
from optkit.workload import Workload

if TYPE_CHECKING:
    from optkit.cost import BreakEven, Startup
    from optkit.events import EndReason, VariantEvent
    from optkit.takeaway import Origin
    from optkit.worker.applied import Applied

Status = Literal["waiting", "running", "ok", "failed", "stopped", "skipped"]

DISAGREEING = ("different", "nan", "inf", "shape", "dtype", "structure")


@dataclass
class Measurement(Timings):
    """What is known of one variant: its times (see `Timings`), and all else.

    Attributes
    ----------
    status
        ``waiting`` and ``running`` while a study goes on; then ``ok``, ``failed``, ``stopped`` or ``skipped``.
    phase
        The phase it is in, or was in last.
    first_call_s
        Seconds of call 1, the one that compiles.
    threads, modules
        Threads within an operator; what building the model imports of torch, whatever the engine.
    facts
        What torch itself says it has done; empty for an engine that does not compile.
    engine_facts
        What the engine found out while it exported or prepared; see `optkit.engines.LoadedModel`.
    check
        How its outputs compare with eager's; None while, or where, that was not looked at.
    warm
        How a second process started that found the first one's cache; None where that was not asked for.
    memory, throughputs
        What the passes after the rounds gave; throughputs by batch size, None being that of the inputs.
    compiles, compiling
        What torch compiled, in order, and what it is compiling now.
    first_compiles
        Those of `compiles` that were in the first call.
    ended_because
        What ended its rounds.
    surroundings
        What is known of study and machine.
    workload, origin
        The record of what was measured, and the thing itself where this process has it.
    """

    status: Status = "waiting"
    phase: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    first_call_s: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    engine_facts: dict[str, Any] = field(default_factory=dict)
    threads: int | None = None
    modules: tuple[str, ...] = ()
    check: Checked | None = None
    warm: WarmStarted | None = None
    memory: MemoryMeasured | None = None
    throughputs: dict[int | None, list[ThroughputMeasured]] = field(default_factory=dict)
    compiles: list[CompileEnded] = field(default_factory=list)
    first_compiles: list[CompileEnded] = field(default_factory=list)
    compiling: str | None = None
    ended_because: EndReason | None = None
    failed_phase: str | None = None
    reason: str | None = None
    details: str = ""
    raised: bool = False
    baseline: Measurement | None = field(default=None, repr=False)
    twin: Measurement | None = field(default=None, repr=False)
    surroundings: Surroundings = field(default_factory=Surroundings, repr=False)
    workload: dict[str, Any] = field(default_factory=dict, repr=False)
    origin: Origin | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.variant

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return page.measurement(self)

    def apply(self, model: Any, inputs: Any = None) -> Applied:
        """Return the fast callable: `model` as this variant calls it, in this process, which has torch already.

        Calls enter the variant's contexts and bring inputs into its precision and layout. As in the study, the first
        call compiles. What is exported is exported now; that takes as long as it did in the study.

        Parameters
        ----------
        model
            The module, or a function without arguments that builds it. A module is put in eval mode (in training mode
            for ``+train``), and copied where the variant casts or quantizes it. ``+threads`` and ``freezing`` are
            settings of torch for the whole process, and stay.
        inputs
            Inputs such as `optkit.Workload` takes, for what exports with an example; None: those that were measured.

        Raises
        ------
        UsageError
            If the variant failed, gave other outputs than eager, or needs inputs and there are none; or the model is on
            another device than was measured.
        """
        from optkit.worker import applied

        variant = takeaway.usable(self)
        method = self.workload.get("call", "forward")
        if inputs is None:
            workload = takeaway.workload_of(self.origin, self.workload)
        else:
            workload = Workload(model, inputs, call=method)
        return applied.apply(variant, workload, method, model, self.workload.get("device", "cpu"))

    def go_on(self) -> None:
        """Note that the study, which had ended, goes on: what was confirmed is confirmed anew, by other workers."""
        self.final, self.confirm_samples_s = False, {}
        if self.ended_because not in ("target", "decided") and self.status in ("ok", "stopped"):
            self.status, self.ended_because = "waiting" if self.first_call_s is None else "running", None

    def fold(self, event: VariantEvent) -> None:
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
                self.take(event)
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
                if self.first_call_s is None and "prepare" in self.seconds:
                    self.first_compiles = [*self.first_compiles, event]
            case Checked():
                self.check = event
            case WarmStarted():
                self.warm = event
            case MemoryMeasured():
                self.memory = event
            case PassFailed():
                what = PHASE_WORDS[event.phase]
                self.reason = self.reason or f"{what[0].upper()}{what[1:]} failed: {event.reason}"
                self.details = "\n".join(filter(None, (self.details, event.details)))
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

    @property
    def graphs(self) -> int | None:
        """How many graphs torch.compile made; None where it does not say, or was not asked."""
        return self.facts.get("graphs")

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
