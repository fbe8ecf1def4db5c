"""What the first call spent its time on, drawn: stacked bars, as SVG and as plotly. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import text
from optkit.chart_compiling import PARTS, REST
from optkit.figure_parts import HOVER, LINE_PX, PLOT_PX, hover, name_rows
from optkit.svg_parts import DIM, LINE, Rows, Scale, keys, label, tick_s, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plotly.graph_objects import Figure

    from optkit.chart_compiling import CompilingRow, Compilings
    from optkit.svg_parts import Drawn

BAR, THIN = 18, 6
"""Heights of a bar, and of what was compiled later."""
GAP = 3
INK = "#111111"
"""Of texts in bars, whose colours are the same on every page."""
SHORT = {"aot_autograd": "aot", "code generation": "code gen", REST: "rest"}
"""What is said within bars in place of the names of parts."""
LATER = "thin: compiled in later calls"
LATER_COLOR = "#999999"


def svg(chart: Compilings, width: float) -> Drawn:
    """Return the chart as SVG."""
    entries = [(f'<rect y="1" width="12" height="10" fill="{PARTS[part]}"/>', part) for part in chart.parts]
    if any(row.later_s > 0 for row in chart.rows):
        entries.append((f'<rect y="3.5" width="12" height="5" fill="{LATER_COLOR}"/>', LATER))
    key, top = keys(entries, width)
    said = [_beside(row) for row in chart.rows]
    aside = max(width_of(words) for lines in said for words in lines) + 10
    pitch = LINE * max(map(len, said)) + 12
    rows = Rows.of([row.series for row in chart.rows], width, top=top + 4, aside=aside, pitch=pitch)
    scale = Scale(0, _longest_s(chart), rows.left, rows.right, logarithmic=False)
    axis, height = rows.axis(scale, tick_s, "exporting, preparing and the first call")
    # One path a part, not one rectangle a part and row: a chart of many rows stays small.
    paths: dict[str, list[str]] = {part: [] for part in chart.parts}
    inside: list[str] = []
    drawn = []
    for place, row in enumerate(chart.rows):
        for part, x, end in _segments(row, scale):
            paths[part].append(_bar(x, end, rows.y(place), BAR))
            words = _within(row, part, end - x)
            inside.append(label((x + end) / 2, rows.y(place) + 4, words, anchor="middle") if words else "")
        drawn.append(rows.row(place, row.series, row.said, _after(rows, place, row, scale, said[place])))
    bars = [f'<path d="{"".join(found)}" fill="{PARTS[part]}"/>' for part, found in paths.items()]
    texts = f'<g fill="{INK}" pointer-events="none">{"".join(inside)}</g>'
    return key + axis + "".join(bars) + "".join(drawn) + texts, height


def _longest_s(chart: Compilings) -> float:
    return max(row.total_s + row.later_s for row in chart.rows) or 1.0


def _segments(row: CompilingRow, scale: Scale) -> Iterator[tuple[str, float, float]]:
    """Yield each part of a bar with its ends, but for what is too thin to be seen."""
    at = 0.0
    for part, seconds in row.parts.items():
        x, end = scale(at), scale(at + seconds)
        at += seconds
        if end - x >= 0.1:  # noqa: PLR2004
            yield part, x, end


def _bar(x: float, end: float, y: float, height: float) -> str:
    gap = 0.8 if end - x > 3 else 0  # noqa: PLR2004 - what is thinner than this would be all gap
    return f"M{x:.1f} {y - height / 2:.1f}H{end - gap:.1f}v{height:g}H{x:.1f}z"


def _within(row: CompilingRow, part: str, room: float) -> str:
    """Return what a part is called and how long it took, as much of it as has room."""
    took = text.duration(row.parts[part])
    name = SHORT.get(part, part) if row.name(part) == part else row.name(part)
    return next((words for words in (f"{name} {took}", took) if width_of(words) + 4 <= room), "")


def _after(rows: Rows, place: int, row: CompilingRow, scale: Scale, said: list[str]) -> str:
    """Return what follows a bar: what was compiled later, thin, and the total."""
    y, end = rows.y(place), scale(row.total_s)
    thin = ""
    if row.later_s > 0:
        later = scale(row.total_s + row.later_s)
        thin = f'<path d="{_bar(end + GAP, max(later, end + GAP + 1), y, THIN)}" fill="{LATER_COLOR}"/>'
        end = max(later, end + GAP + 1)
    first = y + 4 - (len(said) - 1) * LINE / 2
    lines = [label(end + 6, first + i * LINE, words, opacity=DIM if i else 1) for i, words in enumerate(said)]
    return thin + "".join(lines)


def _beside(row: CompilingRow) -> list[str]:
    """Return what stands behind a bar, line by line."""
    later = f"+ {text.duration(row.later_s)} later" if row.later_s > 0 else ""
    return [words for words in (row.shown_total, later, row.state) if words]


def figure(drawn: Figure, chart: Compilings) -> None:
    """Draw the chart with plotly."""
    places = list(range(len(chart.rows)))
    per_second = PLOT_PX / _longest_s(chart)
    hovers = [row.said.partition(": ")[2] for row in chart.rows]
    for part in chart.parts:
        took = [row.parts.get(part, 0.0) for row in chart.rows]
        drawn.add_bar(
            orientation="h",
            x=took,
            y=places,
            width=0.5,
            name=part,
            marker={"color": PARTS[part], "line_width": 0},
            text=[_within(row, part, row.parts[part] * per_second) if part in row.parts else "" for row in chart.rows],
            textposition="inside",
            insidetextanchor="middle",
            constraintext="none",
            textangle=0,
            insidetextfont={"color": INK, "size": 11},
            customdata=[
                hover(row.series, f"{row.name(part)}: {text.duration(seconds)}", words)
                for row, seconds, words in zip(chart.rows, took, hovers, strict=True)
            ],
            hovertemplate=HOVER,
        )
    if any(row.later_s > 0 for row in chart.rows):
        drawn.add_bar(
            orientation="h", x=[row.later_s for row in chart.rows], y=places, width=0.16, name=LATER,
            marker={"color": LATER_COLOR, "line_width": 0},
            customdata=[hover(row.series, row.shown_later, words)
                        for row, words in zip(chart.rows, hovers, strict=True)],
            hovertemplate=HOVER,
        )  # fmt: skip
    _totals(drawn, chart)
    drawn.update_layout(barmode="stack", legend_traceorder="normal")
    title = "exporting, preparing and the first call"
    drawn.update_xaxes(title=title, range=[0, _longest_s(chart) * 1.02], tickformat=",~f", ticksuffix=" s")
    name_rows(drawn, [row.series for row in chart.rows], right=130)
    drawn.update_layout(height=drawn.layout.height + 2 * LINE_PX, margin_t=drawn.layout.margin.t + 2 * LINE_PX)


def _totals(drawn: Figure, chart: Compilings) -> None:
    drawn.add_scatter(
        x=[row.total_s + row.later_s for row in chart.rows],
        y=list(range(len(chart.rows))),
        mode="text",
        text=["<br>".join(f" {words}" for words in _beside(row)) for row in chart.rows],
        textposition="middle right",
        textfont_size=11,
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
