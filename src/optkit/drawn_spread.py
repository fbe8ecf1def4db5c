"""How steady calls spread, drawn: boxes with whiskers, as SVG and as plotly. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import text
from optkit.chart_spread import SLOWEST
from optkit.figure_parts import HOVER, axis, hover, name_rows
from optkit.svg_parts import DIM, LINE, Rows, Scale, keys, label, line, number, tick_s, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from optkit.chart_spread import SpreadRow, Spreads
    from optkit.svg_parts import Drawn

BOX, END = 7, 4
"""Half the heights of a box and of a whisker's end."""
HOLLOW = ("preliminary", "failed", "skipped")
"""States in which a box is not filled."""


def svg(chart: Spreads, width: float) -> Drawn:
    """Return the chart as SVG."""
    key, top = keys(_entries(chart), width)
    said = [_beside(chart, row) for row in chart.rows]
    aside = max(width_of(words) for lines in said for words in lines) + 18
    pitch = max(30 + 18 * any(map(chart.off_scale_s, chart.rows)), *(LINE * len(lines) + 8 for lines in said))
    rows = Rows.of([row.series for row in chart.rows], width, top=top + 4, aside=aside, pitch=pitch)
    scale = _scale(chart, rows)
    kind = "logarithmic" if scale.logarithmic else "linear, not from 0"
    below, height = rows.axis(scale, tick_s, f"seconds per call, {kind}")
    drawn = [_row(chart, rows, place, scale, said[place]) for place in range(len(chart.rows))]
    return key + below + "".join(drawn), height


def _entries(chart: Spreads) -> list[tuple[str, str]]:
    """Return the key: what box, line, whiskers and dots are."""
    frame = '<path d="M0 2h14v8h-14z" stroke="currentColor" fill-opacity="0.3"/>'
    entries = [(frame, "middle half"), (line(6, 0, 6, 12, width=2.5), _median(chart))]
    entries.append(('<path d="M0 6h14M0.5 2v8M13.5 2v8" stroke="currentColor"/>', _whiskers(chart)))
    if any(map(chart.dots_s, chart.rows)):
        entries.append(('<circle cx="6" cy="6" r="2"/>', f"the slowest on the axis, {SLOWEST} at most"))
    if chart.caveat:
        entries.append(('<text x="6" y="10" text-anchor="middle">!</text>', chart.caveat))
    return entries


def _scale(chart: Spreads, rows: Rows) -> Scale:
    low, high = chart.limits_s
    start, end = rows.left + 6, rows.right - 10
    if chart.is_logarithmic:
        return Scale(low / 1.05, high * 1.05, start, end)
    room = max(0.04 * (high - low), 0.01 * high)
    return Scale(low - room, high + room, start, end, logarithmic=False)


def _row(chart: Spreads, rows: Rows, place: int, scale: Scale, said: Sequence[str]) -> str:
    row = chart.rows[place]
    y, color = number(rows.y(place)), row.series.color
    low, left, right, high = map(scale, (row.low_s, *row.box_s, row.high_s))
    ends = "".join(f"M{x:.1f} {y}m0-{END}v{2 * END}" for x in (low, high))
    across = f"M{low:.1f} {y}H{left:.1f}M{right:.1f} {y}H{high:.1f}"
    box = f"M{left:.1f} {y}m0-{BOX}H{right:.1f}v{2 * BOX}H{left:.1f}z"
    fill = "" if row.state in HOLLOW else f'fill="{color}" fill-opacity=".35"'
    at = f"M{scale(row.median_s):.1f} {y}m0-{BOX + 2}v{2 * BOX + 4}"
    parts = [
        f'<g stroke="{color}" fill="none"><path d="{ends}{across}{box}" {fill}/><path d="{at}" stroke-width="2"/>',
        f"{_dots(chart, row, scale, y)}</g>",
    ]
    if beyond := chart.said_off_scale(row):
        words = next((one for one in beyond if width_of(one) <= rows.right - rows.left), beyond[-1])
        parts.append(f'<path d="M{rows.right - 7:.1f} {y}m0-4l7 4-7 4z" fill="{color}"/>')
        parts.append(label(rows.right, rows.y(place) + BOX + LINE, words, anchor="end", opacity=DIM))
    first = rows.y(place) + 4 - (len(said) - 1) * LINE / 2
    beside = [label(rows.right + 8, first + i * LINE, words, opacity=DIM if i else 1) for i, words in enumerate(said)]
    return rows.row(place, row.series, row.said, *parts, *beside)


def _dots(chart: Spreads, row: SpreadRow, scale: Scale, y: str) -> str:
    """Return the slowest samples that are on the axis, as one path: lines without length, with round ends."""
    dots = "".join(dict.fromkeys(f"M{scale(value):.1f} {y}h0" for value in chart.dots_s(row)))
    return f'<path d="{dots}" stroke-width="4" stroke-linecap="round"/>' if dots else ""


def _beside(chart: Spreads, row: SpreadRow) -> list[str]:
    """Return what stands beside a row, line by line: median, count, whiskers where these differ, and state."""
    whiskers = row.whiskers if len(chart.whiskers) > 1 else ""
    lines = [text.duration(row.median_s), row.count, whiskers, row.state]
    return [words for words in lines if words]


def _median(chart: Spreads) -> str:
    return f"median of all {' or '.join(f'{unit}s' for unit in chart.units)}"


def _whiskers(chart: Spreads) -> str:
    return f"whiskers: {chart.whiskers[0]}" if len(chart.whiskers) == 1 else "whiskers: as each row says"


def figure(drawn: Figure, chart: Spreads) -> None:
    """Draw the chart with plotly."""
    for place, row in enumerate(chart.rows):
        color = row.series.color
        for x, wide, seen in (((row.low_s, row.high_s), 2, 1.0), (row.box_s, 18, 0.4)):
            drawn.add_scatter(
                x=x, y=[place, place], mode="lines", line={"color": color, "width": wide},
                opacity=seen, hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        points = [("circle", 5, value, f"slow {row.unit}: {text.duration(value)}") for value in chart.dots_s(row)]
        ends = (row.low_s, row.high_s)
        points += [("line-ns-open", 9, value, f"{row.whiskers}: {text.duration(value)}") for value in ends]
        points.append(("line-ns-open", 20, row.median_s, ""))
        _points(drawn, row, place, points)
    values = chart.limits_s
    title = f"seconds per call; box: middle half, line: {_median(chart)}, {_whiskers(chart)}"
    title += f"<br>{chart.caveat}" if chart.caveat else ""
    drawn.update_xaxes(title=title, **axis(values, tick_s, logarithmic=chart.is_logarithmic))
    name_rows(drawn, [row.series for row in chart.rows], right=190)
    drawn.update_layout(height=drawn.layout.height - 24, margin_t=60)
    for place, row in enumerate(chart.rows):
        words = "<br>".join([*_beside(chart, row), *chart.said_off_scale(row)[:1]])
        drawn.add_annotation(
            text=words, x=1, xref="paper", xanchor="left", xshift=8, y=place, showarrow=False, align="left",
            font_size=11,
        )  # fmt: skip


def _points(drawn: Figure, row: SpreadRow, place: int, points: Sequence[tuple[str, int, float, str]]) -> None:
    """Draw values of a row (symbol, size, seconds, words), each saying its own and the row's under the pointer."""
    symbols, sizes, values, said = zip(*points, strict=True)
    color = row.series.color
    drawn.add_scatter(
        x=values,
        y=[place] * len(values),
        mode="markers",
        showlegend=False,
        marker={"color": color, "symbol": symbols, "size": sizes, "line": {"color": color, "width": 2}},
        customdata=[hover(row.series, words, row.said.partition(": ")[2]) for words in said],
        hovertemplate=HOVER,
    )
