"""How steady calls spread, read from a comparison: quartiles, whiskers, and the few slowest. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from optkit import stats, text
from optkit.chart_parts import drawn, sentence, state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.comparison import Comparison
    from optkit.marks import Marks, Series
    from optkit.measurement import Measurement

SLOWEST = 5
"""So many of the slowest samples above the whiskers are shown one by one."""
LINEAR_BELOW = 8.0
"""An axis that covers less than this is linear: a wider one would press the fast variants together."""
ROOM = 0.4
"""An axis may be longer by this share than whiskers need, so that the slowest samples are on it."""
WHISKERS = {95: "p5–p95", 90: "p10–p90"}
"""What whiskers are, by the upper percentile, widest first; how many samples each needs is for `stats.percentile`."""
BLOCK, CAVEAT = "block mean", "block means spread less than single calls"
"""Calls under 100 µs are timed many at a time; what one of these took nobody knows."""
ALL = "min–max"
"""What they are where there are too few samples for any percentile."""


@dataclass(frozen=True, slots=True)
class SpreadRow:
    """One variant's steady samples, in seconds per call; `state` may be ''.

    Attributes
    ----------
    low_s, high_s, whiskers
        The ends of the whiskers, and what they are: one of `WHISKERS`, or `ALL`.
    box_s, median_s
        Quartiles and median of all samples. The median of a table is that of the rounds' medians, and may differ.
    beyond_s
        All samples above the whiskers, slowest last.
    samples, calls
        How many samples there are, and calls in all.
    unit
        What a sample is: ``call``, `BLOCK`, or ``sample`` where that is not known.
    """

    series: Series
    low_s: float
    box_s: tuple[float, float]
    median_s: float
    high_s: float
    whiskers: str
    beyond_s: tuple[float, ...]
    samples: int
    calls: int
    unit: str
    state: str = ""

    @property
    def count(self) -> str:
        """How many samples there are, in words."""
        return f"{self.samples:,} {self.unit}{'s' * (self.samples != 1)}"

    @property
    def said(self) -> str:
        """The row in words."""
        of = f"{self.count} of {self.calls:,} calls" if self.unit == BLOCK else self.count
        slowest = f"slowest {span(self.beyond_s[-SLOWEST:][0], self.beyond_s[-1])}" if self.beyond_s else ""
        return sentence(
            self.series.name,
            of,
            f"median {text.duration(self.median_s)}",
            f"middle half {span(*self.box_s)}",
            f"{self.whiskers} {span(self.low_s, self.high_s)}",
            slowest,
            self.state,
        )


@dataclass(frozen=True, slots=True)
class Spreads:
    """How the steady calls of each variant spread."""

    rows: tuple[SpreadRow, ...]
    missing: ClassVar[str] = "No steady calls have been measured yet."

    @property
    def limits_s(self) -> tuple[float, float]:
        """What the axis covers: all whiskers, and as many of the samples above as do not press these together."""
        ends = [value for row in self.rows for value in (row.low_s, *row.box_s, row.high_s)]
        low, high = min(value for value in ends if value > 0), max(ends)
        more = high * (high / low) ** ROOM if high / low >= LINEAR_BELOW else high + ROOM * (high - low)
        room = max(more, 1.1 * high)
        return low, max([high, *(value for row in self.rows for value in row.beyond_s if value <= room)])

    @property
    def is_logarithmic(self) -> bool:
        """Whether the axis is."""
        low, high = self.limits_s
        return high / low >= LINEAR_BELOW

    @property
    def whiskers(self) -> list[str]:
        """What the whiskers of the rows are: more than one where some have too few samples."""
        return [kind for kind in (*WHISKERS.values(), ALL) if any(row.whiskers == kind for row in self.rows)]

    @property
    def units(self) -> list[str]:
        """What the samples of the rows are."""
        return list(dict.fromkeys(row.unit for row in self.rows))

    @property
    def caveat(self) -> str:
        """What has to be known of all rows; empty where there is nothing."""
        return CAVEAT if BLOCK in self.units else ""

    def dots_s(self, row: SpreadRow) -> tuple[float, ...]:
        """Return the slowest of a row's samples that are on the axis, above its whiskers."""
        return row.beyond_s[: len(row.beyond_s) - len(self.off_scale_s(row))][-SLOWEST:]

    def off_scale_s(self, row: SpreadRow) -> tuple[float, ...]:
        """Return all samples of a row that lie beyond the axis, slowest last."""
        high = self.limits_s[1]
        return tuple(value for value in row.beyond_s if value > high)

    def said_off_scale(self, row: SpreadRow) -> tuple[str, ...]:
        """Return how many lie beyond the axis in words, in full and shorter; nothing where none does."""
        beyond = self.off_scale_s(row)
        if not beyond:
            return ()
        most = text.duration(beyond[-1])
        return f"{len(beyond):,} off scale: {span(beyond[0], beyond[-1])}", f"off scale: {most}", f"{most} →"


def spread(comparison: Comparison, *, marks: Marks | None = None) -> Spreads:
    """Return how the steady samples of each variant that has some spread."""
    rows = [_row(m, series) for m, series in drawn(comparison, marks)]
    return Spreads(tuple(row for row in rows if row is not None))


def span(low_s: float, high_s: float) -> str:
    """Write two times, with the unit once where it is the same."""
    low, high = text.duration(low_s), text.duration(high_s)
    if low == high:
        return low
    (number, unit), other = low.split(), high.split()[1]
    return f"{number}–{high}" if unit == other else f"{low}–{high}"


def _row(m: Measurement, series: Series) -> SpreadRow | None:
    samples = m.samples_s or [value for times in m.preliminary_samples_s.values() for value in times]
    if not samples or stats.median(samples) <= 0 or min(stats.quartiles(samples)) <= 0:
        return None
    low, high, whiskers = _whiskers(samples)
    beyond = sorted(value for value in samples if value > high)
    # Of preliminary rounds nothing says whether they were timed in blocks: each pair of variants decides for itself.
    unit = "sample" if m.preliminary else "call" if m.timed_singly else BLOCK
    return SpreadRow(
        series, low, stats.quartiles(samples), stats.median(samples), high, whiskers, tuple(beyond),
        len(samples), m.calls or len(samples), unit, state(m),
    )  # fmt: skip


def _whiskers(samples: Sequence[float]) -> tuple[float, float, str]:
    """Return the widest pair of percentiles that so many samples allow, or the ends of them all."""
    mirrored = [-value for value in samples]  # a low percentile needs as many samples as the high one across
    for rank, name in WHISKERS.items():
        high, low = stats.percentile(samples, rank), stats.percentile(mirrored, rank)
        if high is not None and low is not None:
            return -low, high, name
    return min(samples), max(samples), ALL
