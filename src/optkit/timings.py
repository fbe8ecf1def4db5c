"""Timings: the samples of one variant, and the speed-up that they are evidence of, with its interval. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from optkit import stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.events import Samples

_Found = TypeVar("_Found")


@dataclass
class Timings:
    """What was timed of one variant.

    Attributes
    ----------
    variant
        Text of the variant.
    early_s, settle_s
        Seconds of calls 2 and 3, and of those that warmed up; `steady` says whether these held still in the end.
    round_samples_s, preliminary_samples_s, confirm_samples_s
        Seconds per call of every sample, by round. Only the first make the result; the last, by workers forked
        afresh, can widen its interval.
    reloaded
        Whether it was loaded in turn with the baseline, because they did not fit in memory together.
    baseline, twin
        What it is compared with; of the baseline, its second worker.
    final
        Whether the study is over: intervals then come from the bootstrap.
    """

    variant: str
    seed: int = 0
    early_s: list[float] = field(default_factory=list)
    settled: bool = False
    steady: bool | None = None
    settle_s: list[float] = field(default_factory=list)
    preliminary_samples_s: dict[int, list[float]] = field(default_factory=dict)
    round_samples_s: dict[int, list[float]] = field(default_factory=dict)
    confirm_samples_s: dict[int, list[float]] = field(default_factory=dict)
    reloaded: bool = False
    calls: int = 0
    timed_singly: bool = True
    final: bool = False
    baseline: Timings | None = field(default=None, repr=False)
    twin: Timings | None = field(default=None, repr=False)
    _known: dict[str, tuple[tuple[object, ...], Any]] = field(default_factory=dict, repr=False, compare=False)

    def take(self, event: Samples) -> None:
        """Take in the times of some calls."""
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
        medians = self._medians(self._shown())
        return stats.median(list(medians.values())) if medians else None

    @property
    def all_ratios(self) -> list[float]:
        """One speed-up a round, leading rounds of warm-up included."""
        if self.baseline is None or self.baseline is self:
            return []
        return self._ratios(self._shown())

    @property
    def warmup_rounds(self) -> int:
        """How many leading rounds were still warm-up, and are left out of the result."""
        ratios = self.all_ratios
        return 0 if self.preliminary else self._once("warm-up", (ratios,), lambda: stats.warmup_rounds(ratios))

    @property
    def ratios(self) -> list[float]:
        """One speed-up a round: the baseline's median over this variant's, within the same round."""
        return self.all_ratios[self.warmup_rounds :]

    @property
    def confirmed_speedup(self) -> float | None:
        """The speed-up that workers forked afresh gave; None where there were none."""
        if self.baseline is None or self.baseline is self:
            return None
        ratios = self._ratios("confirm_samples_s")
        return stats.median(ratios) if ratios else None

    @property
    def reference_s(self) -> dict[int, float]:
        """Of the baseline: what others are compared with, by round, in seconds per call."""
        return self._reference("round_samples_s")

    def _ratios(self, kind: str) -> list[float]:
        """Return one speed-up a round, of rounds of one kind."""
        reference, medians = self._reference(kind), self._medians(kind)
        return self._once(f"ratios {kind}", (reference, medians), lambda: stats.paired_ratios(reference, medians))

    def _medians(self, kind: str) -> dict[int, float]:
        """Return the median of each round of one kind."""
        rounds = getattr(self, kind)
        return self._once(f"medians {kind}", (rounds,), lambda: round_medians(rounds))

    def _once(self, name: str, given: tuple[object, ...], find: Callable[[], _Found]) -> _Found:
        """Return what `find` makes of what is given, and find it only once: table, verdict and charts all ask for it.

        What is given is known by its identity, since samples are replaced and never changed in place.
        """
        before, found = self._known.get(name, ((), None))
        if len(before) != len(given) or any(one is not other for one, other in zip(before, given, strict=True)):
            found = find()
            self._known[name] = (given, found)
        return cast("_Found", found)

    def _reference(self, kind: str) -> dict[int, float]:
        """Return what this is compared with, by round: the geometric mean of both baseline workers' medians.

        Two equal workers are a better reference than one, whose addresses may be lucky or whose turn was disturbed.
        Where one of them missed a round, the other stands in; the twin itself is compared with the baseline alone.
        """
        if self.baseline is None:
            return {}
        twin = None if self.baseline.twin is self else self.baseline.twin
        medians = tuple(worker._medians(kind) for worker in (self.baseline, twin) if worker is not None)  # noqa: SLF001
        return self._once(f"reference {kind}", medians, lambda: _middle(medians))

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
            found = bootstrap_interval(tuple(ratios), confidence, self.seed)
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
    def outliers(self) -> int:
        """How many samples lie far from the others of their round; counted, never removed."""
        return sum(map(stats.count_outliers, self.round_samples_s.values()))

    def percentile_s(self, rank: int) -> float | None:
        """Return a percentile of the calls, or None where there are too few calls or they were timed in blocks."""
        return stats.percentile(self.samples_s, rank) if self.timed_singly else None

    def _shown(self) -> str:
        return "preliminary_samples_s" if self.preliminary else "round_samples_s"


bootstrap_interval = lru_cache(maxsize=1024)(stats.bootstrap_interval)
"""Of a tuple of ratios: the same interval is asked for by the table, the verdict, the answer and the chart."""


def _middle(medians: tuple[dict[int, float], ...]) -> dict[int, float]:
    """Return the geometric mean of several workers' medians, for each round that one of them has."""
    numbers = set().union(*medians)
    return {n: stats.geometric_mean([one[n] for one in medians if n in one]) for n in numbers}


def round_medians(rounds: dict[int, list[float]]) -> dict[int, float]:
    """Return the median of each round."""
    return {number: stats.median(samples) for number, samples in rounds.items()}
