"""What the charts of a comparison show, read from it. Pure; `svg` and `figures` draw the same data.

Two are modules of their own: `chart_spread` and `chart_compiling`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from optkit import text
from optkit.chart_compiling import Compilings, compiling
from optkit.chart_parts import baseline, drawn, sentence, state
from optkit.chart_spread import Spreads, spread
from optkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.comparison import Comparison
    from optkit.cost import BreakEven, Startup
    from optkit.marks import Marks, Series
    from optkit.verdicts import Verdict

CHARTS = {
    "latency": "First call against steady calls",
    "speedup": "Speed-up over the baseline",
    "break_even": "Time since the start of a process by number of calls",
    "startup": "Start-up of a fresh process",
    "spread": "How steady calls spread",
    "compiling": "What the first call spent its time on",
}
"""The charts by name, each with its title."""

PART_COLORS = {
    "import": "#8C96A3",
    "probe": "#B8A1D9",
    "build": "#88CCEE",
    "prepare": "#44AA99",
    "first call": "#CC6677",
    "calls 2–3": "#C9B458",
}
"""Parts of a start-up (`Startup.parts`). None is a variant's colour; neighbours differ in lightness too."""

POINTS = 60
FEWEST_CALLS, MOST_CALLS = 100, 10_000_000
"""A break-even chart ends between these; where it can, at ten times the last break-even that is known or possible."""


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """One variant: seconds of its first call and of a steady one; what is not known is None. `state` may be ''."""

    series: Series
    first_call_s: float | None
    median_s: float | None
    state: str = ""

    @property
    def said(self) -> str:
        """The row in words."""
        first = f"first call {text.duration(self.first_call_s)}" if self.first_call_s is not None else ""
        steady = f"steady {text.duration(self.median_s)}" if self.median_s is not None else ""
        return sentence(self.series.name, first, steady, self.state)


@dataclass(frozen=True, slots=True)
class Latency:
    """First call against steady calls."""

    rows: tuple[LatencyRow, ...]
    missing: ClassVar[str] = "Nothing has been measured yet."


@dataclass(frozen=True, slots=True)
class SpeedupRow:
    """One variant against the baseline; `interval` (95 %) is None while there are too few rounds for one."""

    series: Series
    speedup: float
    interval: tuple[float, float] | None
    verdict: Verdict | None
    state: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def shown_interval(self) -> str:
        """The interval in words."""
        return "no interval yet" if self.interval is None else f"{ratio(self.interval[0])}–{ratio(self.interval[1])}"

    @property
    def shown_verdict(self) -> str:
        """The verdict, or what stands in its way."""
        return self.state or str(self.verdict or "")

    @property
    def said(self) -> str:
        """The row in words."""
        known = f"95 % interval {self.shown_interval}" if self.interval else self.shown_interval
        return sentence(self.series.name, f"{ratio(self.speedup)}×", known, self.shown_verdict, *self.doubts)


@dataclass(frozen=True, slots=True)
class Speedups:
    """Speed-ups over the baseline, and how far the ratio of two equal workers strays from 1 on this machine."""

    rows: tuple[SpeedupRow, ...]
    baseline: str
    noise: float | None
    missing: ClassVar[str] = "No variant has been compared with the baseline yet."

    @property
    def band(self) -> tuple[float, float] | None:
        """What this machine can make of no difference; None while that is not known."""
        return None if self.noise is None else (1 / (1 + self.noise), 1 + self.noise)


@dataclass(frozen=True, slots=True)
class BreakEvenRow:
    """One variant: (calls, seconds since its process started), and where it has caught up with the baseline.

    `crossing` is None for the baseline itself; `crossing_s` is when, where there is one.
    """

    series: Series
    points: tuple[tuple[int, float], ...]
    crossing: BreakEven | None = None
    crossing_s: float | None = None

    @property
    def shown(self) -> str:
        """After how many calls it breaks even, in words."""
        return "baseline" if self.crossing is None else self.crossing.said

    @property
    def said(self) -> str:
        """The row in words."""
        _, (calls, seconds) = self.points[0], self.points[-1]
        after = f"{text.duration(self.points[0][1])} after 1 call, {text.duration(seconds)} after {calls:,}"
        return sentence(self.series.name, self.shown if self.crossing is None else f"breaks even: {self.shown}", after)


@dataclass(frozen=True, slots=True)
class BreakEvens:
    """Seconds since the start of a process by number of calls, from 1 to `end`."""

    rows: tuple[BreakEvenRow, ...]
    baseline: str
    end: int
    warm: bool
    missing: ClassVar[str] = "No start-up has been measured yet."

    @property
    def repeats(self) -> list[int]:
        """How many lines before each have its colour already: such lines are dashed."""
        colors = [row.series.color for row in self.rows]
        return [colors[:number].count(color) for number, color in enumerate(colors)]


@dataclass(frozen=True, slots=True)
class StartupRow:
    """One variant: its start with an empty cache, and with a filled one where that is known."""

    series: Series
    cold: Startup
    warm: Startup | None

    @property
    def starts(self) -> dict[str, Startup]:
        """The starts that are known, cold first."""
        return {"cold": self.cold} | ({} if self.warm is None else {"warm": self.warm})

    @property
    def said(self) -> str:
        """The row in words."""
        return sentence(self.series.name, *(f"{how} {say_start(start)}" for how, start in self.starts.items()))


@dataclass(frozen=True, slots=True)
class Startups:
    """How a fresh process of each variant starts, part by part."""

    rows: tuple[StartupRow, ...]
    missing: ClassVar[str] = "No start-up has been measured yet."

    @property
    def parts(self) -> list[str]:
        """The parts that take any time in any start."""
        starts = [start.parts for row in self.rows for start in row.starts.values()]
        return [part for part in PART_COLORS if any(parts[part] > 0 for parts in starts)]


Chart = Latency | Speedups | BreakEvens | Startups | Spreads | Compilings


def read(comparison: Comparison, name: str, *, warm: bool = False, marks: Marks | None = None) -> Chart:
    """Return what a chart shows.

    Parameters
    ----------
    name
        One of `CHARTS`.
    warm
        Of ``break_even``: whether processes start with a filled cache.
    marks
        How variants are drawn, where others draw them too.

    Raises
    ------
    UsageError
        If there is no chart of this name.
    """
    readers: dict[str, Callable[[], Chart]] = {
        "latency": lambda: latency(comparison, marks=marks),
        "speedup": lambda: speedup(comparison, marks=marks),
        "break_even": lambda: break_even(comparison, warm=warm, marks=marks),
        "startup": lambda: startup(comparison, marks=marks),
        "spread": lambda: spread(comparison, marks=marks),
        "compiling": lambda: compiling(comparison, marks=marks),
    }
    if name not in readers:
        raise UsageError(f"There is no chart {name!r}; choose one of {', '.join(CHARTS)}.")
    return readers[name]()


def latency(comparison: Comparison, *, marks: Marks | None = None) -> Latency:
    """Return first call and steady median of each variant that has one of them."""
    found = [(m, series, _known(m.first_call_s), _known(m.median_s)) for m, series in drawn(comparison, marks)]
    return Latency(
        tuple(LatencyRow(series, first, steady, state(m)) for m, series, first, steady in found if first or steady)
    )


def speedup(comparison: Comparison, *, marks: Marks | None = None) -> Speedups:
    """Return the speed-up of each variant but the baseline."""
    rows = tuple(
        SpeedupRow(series, m.speedup, m.interval(), m.verdict, state(m), tuple(doubt.name for doubt in m.doubts))
        for m, series in drawn(comparison, marks)
        if m.speedup is not None and m is not comparison.baseline
    )
    return Speedups(rows, baseline(comparison), comparison.noise)


def break_even(comparison: Comparison, *, warm: bool = False, marks: Marks | None = None) -> BreakEvens:
    """Return each variant's seconds since the start of its process by number of calls."""
    found = [(m, series, m.startup(warm=warm), m.median_s) for m, series in drawn(comparison, marks)]
    known = [(m, series, start, steady_s) for m, series, start, steady_s in found if start and steady_s is not None]
    evens = [None if m is comparison.baseline else m.break_even(warm=warm) for m, *_ in known]
    ends = [end for even in evens if even for end in (even.calls, even.low) if end and math.isfinite(end)]
    end = min(max(int(10 * max(ends, default=0)), FEWEST_CALLS), MOST_CALLS)
    rows = []
    for (_, series, start, steady_s), even in zip(known, evens, strict=True):
        points = tuple((calls, start.cumulative_s(calls, steady_s)) for calls in _spaced(end))
        at = even.calls if even and even.calls and math.isfinite(even.calls) else None
        rows.append(BreakEvenRow(series, points, even, None if at is None else start.cumulative_s(at, steady_s)))
    return BreakEvens(tuple(rows), baseline(comparison), end, warm)


def startup(comparison: Comparison, *, marks: Marks | None = None) -> Startups:
    """Return how each variant starts, with an empty cache and where it is known with a filled one."""
    starts = [(series, m.startup(), m.startup(warm=True)) for m, series in drawn(comparison, marks)]
    return Startups(tuple(StartupRow(series, cold, warm) for series, cold, warm in starts if cold is not None))


def ratio(value: float) -> str:
    """Write a speed-up with two decimals, fewer where it is large, two digits where it is small."""
    for limit, form in ((0.1, ".2g"), (10, ".2f"), (100, ".1f")):
        if value < limit:
            return f"{value:{form}}"
    return f"{value:,.0f}"


def length_s(start: Startup) -> float:
    """Return the length of a start-up's bar: until calls 2 and 3 are over."""
    return sum(start.parts.values())


def say_start(start: Startup) -> str:
    """Return a start-up in words, part by part."""
    parts = ", ".join(f"{part} {text.duration(seconds)}" for part, seconds in start.parts.items() if seconds > 0)
    return f"{text.duration(length_s(start))} ({parts}; first answer after {text.duration(start.total_s)})"


def describe(chart: Chart) -> str:
    """Return a chart in words, for those who cannot see it."""
    told = " ".join(row.said for row in chart.rows) or chart.missing
    if isinstance(chart, Spreads) and chart.caveat:
        return f"{told} {chart.caveat.capitalize()}."
    noise = chart.noise if isinstance(chart, Speedups) else None
    return told if noise is None else f"{told} Machine noise: {noise:.1%}."


def _known(seconds: float | None) -> float | None:
    """Return a time that a logarithmic axis can show."""
    return seconds if seconds is not None and 0 < seconds < math.inf else None


def _spaced(end: int) -> list[int]:
    """Return whole numbers from 1 to `end`, as evenly as may be on a logarithmic axis."""
    return sorted({round(end ** (i / (POINTS - 1))) for i in range(POINTS)})
