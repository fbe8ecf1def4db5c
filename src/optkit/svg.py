"""The charts of a comparison as inline SVG: no dependencies, no script, and the colours of the page around it. Pure.

Text, axes and grid are in ``currentColor`` on nothing, so that a chart is right on a light page and on a dark one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from optkit import charts, drawn_compiling, drawn_spread, text
from optkit.chart_compiling import Compilings
from optkit.chart_spread import Spreads
from optkit.charts import BreakEvenRow, BreakEvens, Latency, LatencyRow, SpeedupRow, Speedups, StartupRow, Startups
from optkit.svg_parts import (
    DIM,
    MONOSPACE,
    NAME_LINE,
    Rows,
    Scale,
    box,
    document,
    fitted,
    grid,
    group,
    keys,
    label,
    line,
    mark,
    name_lines,
    number,
    polyline,
    shortened,
    tick_calls,
    tick_s,
    ticks,
    width_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.charts import Chart
    from optkit.comparison import Comparison
    from optkit.cost import BreakEven, Startup
    from optkit.marks import Marks
    from optkit.svg_parts import Drawn

LEAST_WIDTH = 320
PLOT_HEIGHT = 250
DASHES = ("", 'stroke-dasharray="5 3"', 'stroke-dasharray="2 2"')
"""Of a break-even line, by how many have its colour already."""


def render(
    comparison: Comparison,
    name: str,
    *,
    warm: bool = False,
    marks: Marks | None = None,
    width: float = 640,
    standalone: bool = False,
) -> str:
    """Return a chart as SVG.

    Parameters
    ----------
    comparison
        What was measured so far.
    name
        One of `optkit.charts.CHARTS`.
    warm
        Of ``break_even``: whether processes start with a filled cache.
    marks
        How variants are drawn, where others draw them too.
    width
        In pixels; where there is less room the chart shrinks.
    standalone
        Whether it becomes a file of its own, with colours for light and dark.

    Raises
    ------
    UsageError
        If there is no chart of this name.
    """
    chart = charts.read(comparison, name, warm=warm, marks=marks)
    width = max(width, LEAST_WIDTH)
    body, height = _draw(chart, width) if chart.rows else _nothing(chart.missing, width)
    return document(charts.CHARTS[name], charts.describe(chart), body, (width, height), standalone=standalone)


def _draw(chart: Chart, width: float) -> Drawn:
    match chart:
        case Latency():
            return _latency(chart, width)
        case Speedups():
            return _speedup(chart, width)
        case BreakEvens():
            return _break_even(chart, width)
        case Startups():
            return _startup(chart, width)
        case Spreads():
            return drawn_spread.svg(chart, width)
        case Compilings():
            return drawn_compiling.svg(chart, width)
    assert_never(chart)


def _nothing(words: str, width: float) -> Drawn:
    return label(width / 2, 34, words, anchor="middle", opacity=DIM), 56


def _latency(chart: Latency, width: float) -> Drawn:
    ring = '<circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    key, top = keys([('<circle cx="6" cy="6" r="4.2"/>', "steady call (median)"), (ring, "first call")], width)
    rows = Rows.of([row.series for row in chart.rows], width, top=top + 4, aside=0)
    known = [value for row in chart.rows for value in (row.first_call_s, row.median_s) if value is not None]
    scale = Scale(min(known) / 1.15, max(known) * 1.15, rows.left + 62, rows.right - 62)
    axis, height = rows.axis(scale, tick_s, "seconds per call, logarithmic")
    drawn = [_dumbbell(rows, place, row, scale) for place, row in enumerate(chart.rows)]
    return key + axis + "".join(drawn), height


def _dumbbell(rows: Rows, place: int, row: LatencyRow, scale: Scale) -> str:
    y = rows.y(place)
    ends = [(value, hollow) for value, hollow in ((row.median_s, False), (row.first_call_s, True)) if value is not None]
    ends.sort(key=lambda end: end[0])
    (low, _), (high, _) = ends[0], ends[-1]
    parts = []
    if scale(high) - scale(low) > 12:  # noqa: PLR2004 - marks that touch need no line between them
        left, right = scale(low) + 6, scale(high) - 6
        parts.append(line(left, y, right, y, width=2, color=row.series.color, more='opacity="0.55"'))
    parts += [mark(row.series, scale(value), y, hollow=hollow) for value, hollow in ends]
    if len(ends) > 1:
        parts.append(label(scale(low) - 9, y + 4, text.duration(low), anchor="end"))
    parts.append(label(scale(high) + 9, y + 4, text.duration(high)))
    return rows.row(place, row.series, row.said, *parts)


def _speedup(chart: Speedups, width: float) -> Drawn:
    band = '<rect width="14" height="12" opacity="0.16"/>'
    entries = [(line(0, 6, 14, 6, width=2), "95 % interval")]
    if chart.noise is not None:
        entries.append((band, f"what this machine makes of no difference: ±{chart.noise:.1%}"))
    key, top = keys(entries, width)
    said = [(f"{charts.ratio(row.speedup)}× {row.shown_verdict}", row.shown_interval) for row in chart.rows]
    aside = max(width_of(words) for both in said for words in both) + 14
    rows = Rows.of([row.series for row in chart.rows], width, top=top + 22, aside=aside, pitch=36)
    scale = _speedup_scale(chart, rows)
    title = f"speed-up over {shortened(chart.baseline, int(width / 12))}, logarithmic"
    axis, height = rows.axis(scale, lambda value: f"{value:,.6g}×", title)
    behind = [_noise(chart, rows, scale), axis, _directions(rows, scale)]
    drawn = [_whiskers(rows, place, row, scale, said[place]) for place, row in enumerate(chart.rows)]
    return key + "".join(behind) + "".join(drawn), height


def _speedup_scale(chart: Speedups, rows: Rows) -> Scale:
    """Return a scale with 1 on it, never so fine that the noise fills it."""
    shown = [value for row in chart.rows for value in (row.speedup, *(row.interval or ()))]
    shown += [1 / 1.05, 1.05, *(chart.band or ())]
    room = (max(shown) / min(shown)) ** 0.06
    return Scale(min(shown) / room, max(shown) * room, rows.left, rows.right)


def _noise(chart: Speedups, rows: Rows, scale: Scale) -> str:
    if chart.band is None:
        return ""
    low, high = map(scale, chart.band)
    return box(low, rows.top, high - low, rows.bottom - rows.top, 'opacity="0.13"')


def _directions(rows: Rows, scale: Scale) -> str:
    """Return the line at 1, and on which side of it is what."""
    one, y = scale(1), rows.top - 6
    parts = [line(one, rows.top - 16, one, rows.bottom, width=1.5, more='opacity="0.7"')]
    if one - rows.left > width_of("← slower") + 6:
        parts.append(label(one - 6, y, "← slower", anchor="end", opacity=DIM))
    if rows.right - one > width_of("faster →") + 6:
        parts.append(label(one + 6, y, "faster →", opacity=DIM))
    return "".join(parts)


def _whiskers(rows: Rows, place: int, row: SpeedupRow, scale: Scale, said: tuple[str, str]) -> str:
    y, color = rows.y(place), row.series.color
    parts = []
    if row.interval is not None:
        low, high = map(scale, row.interval)
        parts = [line(low, y, high, y, width=2, color=color)]
        if high - low > 8:  # noqa: PLR2004 - narrower than the mark: ends would only blur it
            parts += [line(end, y - 5, end, y + 5, width=2, color=color) for end in (low, high)]
    parts.append(mark(row.series, scale(row.speedup), y, hollow=row.interval is None))
    parts.append(label(rows.right + 12, y - 2, said[0]))
    parts.append(label(rows.right + 12, y + 12, said[1], opacity=DIM))
    return rows.row(place, row.series, row.said, *parts)


def _break_even(chart: BreakEvens, width: float) -> Drawn:
    seconds = [value for row in chart.rows for _, value in row.points]
    top, start = 26.0, "filled" if chart.warm else "empty"
    up = Scale(min(seconds) / 1.2, max(seconds) * 1.2, top + PLOT_HEIGHT, top)
    levels = ticks(up, tick_s, gap=10)
    left = max((width_of(words) for _, words in levels), default=0) + 9
    across = Scale(1, chart.end, left, width - 22)
    drawn = [label(0, 12, f"time since the process started, with {start} caches; logarithmic", opacity=DIM)]
    counts = ticks(across, tick_calls)
    drawn.append(grid(f"M{number(left)} {number(up(value))}H{number(across.end)}" for value, _ in levels))
    drawn.append(grid(f"M{number(across(value))} {number(top)}V{number(up.start + 4)}" for value, _ in counts))
    drawn += [label(left - 8, up(value) + 4, words, anchor="end", opacity=DIM) for value, words in levels]
    drawn += [label(across(value), up.start + 18, words, anchor="middle", opacity=DIM) for value, words in counts]
    drawn.append(line(left, up.start, across.end, up.start, more='opacity="0.4"'))
    middle = (left + across.end) / 2
    drawn.append(label(middle, up.start + 35, "number of calls, logarithmic", anchor="middle", opacity=DIM))
    dashes = [DASHES[min(times, 2)] for times in chart.repeats]
    drawn += [_curve(row, across, up, dash) for row, dash in zip(chart.rows, dashes, strict=True)]
    drawn += [_crossing(row, across, up) for row in chart.rows]
    legend, height = _legend(chart, dashes, width, up.start + 50)
    return "".join(drawn) + legend, height


def _curve(row: BreakEvenRow, across: Scale, up: Scale, dash: str) -> str:
    paint = f'stroke="{row.series.color}" stroke-width="{2 if row.crossing else 2.6}" {dash}'
    points = [(across(calls), up(seconds)) for calls, seconds in row.points]
    return group(f"{row.series.name}: {row.shown}", polyline(points, paint))


def _crossing(row: BreakEvenRow, across: Scale, up: Scale) -> str:
    """Return the mark where a variant has caught up, with its interval; an open end goes to the edge."""
    found: BreakEven | None = row.crossing
    if found is None or not found.calls or row.crossing_s is None or found.calls > across.high:
        return ""
    y, color, parts = up(row.crossing_s), row.series.color, []
    if found.low is not None and found.high is not None:
        low, high = across(found.low), across(found.high)
        path = f"M{high:.1f} {y:.1f}H{low:.1f}m0-4v8"
        if found.high <= across.high:
            parts.append(f'<path d="{path}M{high:.1f} {y - 4:.1f}v8" stroke="{color}" stroke-width="1.4"/>')
        else:
            parts.append(f'<path d="{path}" stroke="{color}" stroke-width="1.4"/>')
            parts.append(f'<path d="M{high:.1f} {y - 3.5:.1f}l7 3.5-7 3.5z" fill="{color}"/>')
    parts.append(mark(row.series, across(found.calls), y))
    return "<g>" + "".join(parts) + "</g>"


def _legend(chart: BreakEvens, dashes: Sequence[str], width: float, top: float) -> Drawn:
    """Return which line is which, and after how many calls it has caught up: beside the name if both fit, or below."""
    heading = f"break-even with {shortened(chart.baseline, 20)}"
    longest = max(len(row.series.name) for row in chart.rows) * MONOSPACE + 2
    aside = max(width_of(words) for words in (heading, *(row.shown for row in chart.rows)))
    room = min(longest, width - 36 - 14 - aside)
    beside = room >= min(longest, 0.45 * width)
    column, below = (36 + room + 14, 0) if beside else (36, 15)
    drawn, y = [label(column, top + 10, heading, opacity=DIM)], top + 28
    for row, dash in zip(chart.rows, dashes, strict=True):
        lines = fitted(row.series.name, room if beside else width - 36)
        sample = line(0, y - 4, 30, y - 4, width=2, color=row.series.color, more=dash) + mark(row.series, 15, y - 4)
        under = (len(lines) - 1) * NAME_LINE
        said = label(column, y + (under + below if below else 0), row.shown, opacity=DIM if below else 1)
        whole = [sample, name_lines(36, y, lines), said]
        drawn.append(group(row.series.name, *whole) if "…" in lines[-1] else "".join(whole))
        y += 18 + under + below
    return "".join(drawn), y - 8


def _startup(chart: Startups, width: float) -> Drawn:
    entries = [
        (f'<rect y="1" width="12" height="10" fill="{charts.PART_COLORS[part]}"/>', part) for part in chart.parts
    ]
    any_warm = any(row.warm for row in chart.rows)
    if any_warm:
        entries.append(('<rect y="3.5" width="12" height="5" opacity="0.5"/>', "thin: with filled caches"))
    key, top = keys(entries, width)
    rows = Rows.of([row.series for row in chart.rows], width, top=top + 4, aside=66, pitch=38 if any_warm else 26)
    longest = max(charts.length_s(start) for row in chart.rows for start in row.starts.values())
    scale = Scale(0, longest or 1.0, rows.left, rows.right, logarithmic=False)
    axis, height = rows.axis(scale, tick_s, "time until calls 2 and 3 are done")
    bars: dict[str, list[str]] = {part: [] for part in chart.parts}
    drawn = []
    for place, row in enumerate(chart.rows):
        totals = [_bar(start, at, tall, scale, bars) for start, at, tall in _stacked(row, rows.y(place))]
        drawn.append(rows.row(place, row.series, row.said, *totals))
    # One path a part, not one rectangle a part and row: a chart of many rows stays small.
    paths = [f'<path d="{"".join(found)}" fill="{charts.PART_COLORS[part]}"/>' for part, found in bars.items()]
    return key + axis + "".join(paths) + "".join(drawn), height


def _stacked(row: StartupRow, y: float) -> list[tuple[Startup, float, float]]:
    """Return the bars of a row with the middle and the height of each."""
    if row.warm is None:
        return [(row.cold, y, 14)]
    return [(row.cold, y - 6, 14), (row.warm, y + 9, 6)]


def _bar(start: Startup, y: float, height: float, scale: Scale, bars: dict[str, list[str]]) -> str:
    """Add a start's parts to the bars, each in its colour; return its total, at the end of the bar."""
    at = 0.0
    for part, paths in bars.items():
        seconds = start.parts[part]
        x, end = scale(at), scale(at + seconds)
        gap = 0.6 if end - x > 2 else 0  # noqa: PLR2004 - what is thinner than this would be all gap
        if end - x >= 0.1:  # noqa: PLR2004
            paths.append(f"M{x:.1f} {y - height / 2:.1f}h{end - x - gap:.1f}v{height:g}H{x:.1f}z")
        at += seconds
    dim = 1.0 if height > 10 else DIM  # noqa: PLR2004
    return label(scale(at) + 6, y + 4, text.duration(at), opacity=dim)
