"""Measurement: all that is known of one variant, folded from its events. Raw samples included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from optkit import stats
from optkit.events import FirstCall, PhaseBegan, PhaseEnded, Samples, VariantFailed, VariantFinished, VariantSkipped
from optkit.verdicts import DECIDING_ROUNDS, Doubt, Verdict, decide

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.events import VariantEvent

Status = Literal["waiting", "running", "ok", "failed", "stopped", "skipped"]

# fmt: off
COLUMNS = (
    "variant", "status", "verdict", "speedup", "speedup_low", "speedup_high", "median_s", "p90_s", "p99_s", "calls",
    "rounds", "first_call_s", "prepare_s", "startup_cold_s", "startup_warm_s", "break_even_cold_calls",
    "break_even_warm_calls", "throughput_per_s", "graphs", "graph_breaks", "recompiles", "max_abs_error", "agreement",
    "peak_memory_bytes", "artifact_bytes", "headroom", "doubts", "failed_phase", "reason",
)
# fmt: on
"""Columns of `Comparison.to_frame` and of the rows in JSON. What was not measured is missing, never 0."""


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
    round_samples_s, preliminary_samples_s
        Seconds per call of every sample, by round. Only the former make the result.
    baseline, twin
        What it is compared with; of the baseline, its second worker.
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
    graphs: int | None = None
    graph_breaks: int | None = None
    settled: bool = False
    steady: bool | None = None
    settle_s: list[float] = field(default_factory=list)
    preliminary_samples_s: dict[int, list[float]] = field(default_factory=dict)
    round_samples_s: dict[int, list[float]] = field(default_factory=dict)
    calls: int = 0
    timed_singly: bool = True
    failed_phase: str | None = None
    reason: str | None = None
    details: str = ""
    raised: bool = False
    baseline: Measurement | None = field(default=None, repr=False)
    twin: Measurement | None = field(default=None, repr=False)
    final: bool = False

    def __str__(self) -> str:
        return self.variant

    def apply(self, event: VariantEvent) -> None:
        """Take in one more fact."""
        match event:
            case PhaseBegan():
                self.phase = event.phase
                if self.status == "waiting":
                    self.status = "running"
            case PhaseEnded():
                self.seconds[event.phase] = event.seconds
            case FirstCall():
                self.first_call_s = event.duration_ns / 1e9
                self.graphs, self.graph_breaks = event.graphs, event.graph_breaks
            case Samples():
                self._take(event)
            case VariantSkipped():
                self.status, self.reason = "skipped", event.reason
            case VariantFailed():
                self.status, self.failed_phase = "failed", event.phase
                self.reason, self.details, self.raised = event.reason, event.details, event.raised
            case VariantFinished() if self.status != "failed":
                self.status = "ok"

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
        else:
            self.round_samples_s = self.round_samples_s | {number: times}
            self.calls += len(times) * event.calls_per_sample
            self.timed_singly &= event.calls_per_sample == 1

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
    def ratios(self) -> list[float]:
        """One speed-up a round: the baseline's median over this variant's, within the same round."""
        if self.baseline is None or self.baseline is self:
            return []
        return stats.paired_ratios(self._reference(), round_medians(self._shown_rounds()))

    def _reference(self) -> dict[int, float]:
        """Return the baseline's medians by round; its twin, an equal worker, stands in for rounds that it missed."""
        found: dict[int, float] = {}
        for worker in (self.baseline.twin if self.baseline else None, self.baseline):
            if worker is not None and worker is not self:
                found |= round_medians(worker.preliminary_samples_s if self.preliminary else worker.round_samples_s)
        return found

    @property
    def speedup(self) -> float | None:
        """Median over rounds of the baseline's time over this variant's; 1 for the baseline, None where unknown."""
        if self.baseline is self:
            return 1.0 if self.median_s is not None else None
        return stats.median(self.ratios) if self.ratios else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Return the interval of the speed-up, or None where there are too few rounds for one.

        While the study goes on it comes from order statistics, then from the bootstrap.
        """
        ratios = self.ratios
        if not self.final or stats.order_interval(ratios, 0.95) is None:
            return stats.order_interval(ratios, confidence)
        return stats.bootstrap_interval(ratios, confidence, self.seed)

    @property
    def noise(self) -> float | None:
        """Of the baseline: how far the ratio to its twin, an equal worker, strays from 1; None while unknown.

        The larger distance of the ends of the 95 % interval from 1: what this machine can make of no difference.
        """
        interval = None if self.twin is None else stats.order_interval(self.twin.ratios, 0.95)
        return None if interval is None else max(abs(1 - end) for end in interval)

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
    def doubts(self) -> tuple[Doubt, ...]:
        """Reasons not to take the numbers at face value."""
        found = []
        if self.graphs == 0:
            found.append(Doubt.NOT_COMPILED)
        if self.settled and not self.steady:
            found.append(Doubt.NOT_STEADY)
        compared = self.rounds if self.baseline is self else len(self.ratios)
        if self.median_s is not None and compared < DECIDING_ROUNDS and self.status in ("ok", "stopped"):
            found.append(Doubt.TOO_FEW_CALLS)
        return tuple(found)

    def percentile_s(self, rank: int) -> float | None:
        """Return a percentile of the calls, or None where there are too few calls or they were timed in blocks."""
        return stats.percentile(self.samples_s, rank) if self.timed_singly else None

    def row(self) -> dict[str, Any]:
        """Return the columns of this variant; None where a number was not measured."""
        low, high = self.interval() or (None, None)
        known = {
            "variant": self.variant,
            "status": self.status,
            "verdict": None if self.verdict is None else str(self.verdict),
            "speedup": self.speedup,
            "speedup_low": low,
            "speedup_high": high,
            "median_s": self.median_s,
            "p90_s": self.percentile_s(90),
            "p99_s": self.percentile_s(99),
            "calls": self.calls or None,
            "rounds": self.rounds or None,
            "first_call_s": self.first_call_s,
            "prepare_s": self.seconds.get("prepare"),
            "graphs": self.graphs,
            "graph_breaks": self.graph_breaks,
            "doubts": tuple(doubt.name for doubt in self.doubts),
            "failed_phase": self.failed_phase,
            "reason": self.reason,
        }
        return {column: known.get(column) for column in COLUMNS}

    def _shown_rounds(self) -> dict[int, list[float]]:
        return self.preliminary_samples_s if self.preliminary else self.round_samples_s


def round_medians(rounds: dict[int, list[float]]) -> dict[int, float]:
    """Return the median of each round."""
    return {number: stats.median(samples) for number, samples in rounds.items()}


def ranked(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return measurements with the lowest median first; those that failed or have none last, in the given order."""

    def place(m: Measurement) -> tuple[bool, float]:
        out = m.median_s is None or m.status == "failed"
        return out, 0.0 if out else m.median_s or 0.0

    return sorted(measurements, key=place)
