"""The charts of a comparison as interactive plotly figures. Pure; plotly is imported when the first figure is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from optkit import charts, drawn_compiling, drawn_spread, svg, text
from optkit.chart_compiling import Compilings
from optkit.chart_spread import Spreads
from optkit.charts import BreakEvens, Latency, Speedups, Startups
from optkit.figure_parts import (
    HOVER,
    LINE_PX,
    QUIET,
    SYMBOLS,
    axis,
    escaped,
    hover,
    line,
    marker,
    name_rows,
    short_name,
)
from optkit.svg_parts import tick_calls, tick_s

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from optkit.charts import BreakEvenRow, Chart, SpeedupRow, StartupRow
    from optkit.comparison import Comparison
    from optkit.marks import Marks

DASHES = ("solid", "dash", "dot")
"""Of a break-even line, by how many have its colour already."""
SHADE = "rgba(128, 128, 128, 0.22)"


def figure(
    comparison: Comparison, name: str, *, warm: bool = False, dark: bool = False, marks: Marks | None = None
) -> Figure:
    """Return a chart as a plotly figure, which carries the same chart as a picture for where plotly does not run.

    Parameters
    ----------
    comparison
        What was measured so far.
    name
        One of `optkit.charts.CHARTS`.
    warm
        Of ``break_even``: whether processes start with a filled cache.
    dark
        For a dark page; the background is transparent.
    marks
        How variants are drawn, where others draw them too.

    Raises
    ------
    UsageError
        If there is no chart of this name.
    """
    chart = charts.read(comparison, name, warm=warm, marks=marks)
    from optkit.still_figure import StillFigure

    drawn = StillFigure(picture=svg.render(comparison, name, warm=warm, marks=marks, standalone=True))
    drawn.update_layout(
        template="plotly_dark" if dark else "plotly_white",
        title={"text": charts.CHARTS[name], "x": 0, "xref": "paper", "yref": "container", "y": 1, "yanchor": "top"},
        title_pad={"t": 16},
        font_size=12,
        title_font_size=16,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel_align="left",
        meta=charts.describe(chart),
    )
    if chart.rows:
        _draw(drawn, chart)
    else:
        _say_missing(drawn, chart.missing)
    return drawn


def _draw(drawn: Figure, chart: Chart) -> None:
    match chart:
        case Latency():
            _latency(drawn, chart)
        case Speedups():
            _speedup(drawn, chart)
        case BreakEvens():
            _break_even(drawn, chart)
        case Startups():
            _startup(drawn, chart)
        case Spreads():
            drawn_spread.figure(drawn, chart)
        case Compilings():
            drawn_compiling.figure(drawn, chart)
        case _:
            assert_never(chart)


def _say_missing(drawn: Figure, words: str) -> None:
    drawn.add_annotation(text=words, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    drawn.update_layout(height=180, xaxis_visible=False, yaxis_visible=False)


def _latency(drawn: Figure, chart: Latency) -> None:
    series = [row.series for row in chart.rows]
    for number, row in enumerate(chart.rows):
        if row.first_call_s is not None and row.median_s is not None:
            line(drawn, [row.median_s, row.first_call_s], [number, number], row.series.color)
    for words, open_, values in (
        ("steady call (median)", "", [row.median_s for row in chart.rows]),
        ("first call", "-open", [row.first_call_s for row in chart.rows]),
    ):
        drawn.add_scatter(
            x=values,
            y=list(range(len(series))),
            mode="markers",
            name=words,
            marker={
                "color": [one.color for one in series],
                "symbol": [SYMBOLS[one.shape] + open_ for one in series],
                "size": 11,
                "line": {"width": 2, "color": [one.color for one in series]} if open_ else {"width": 0},
            },
            customdata=[hover(row.series, f"{words}: {text.duration(value)}", row.state)
                        for row, value in zip(chart.rows, values, strict=True)],
            hovertemplate=HOVER,
        )  # fmt: skip
    known = [value for row in chart.rows for value in (row.first_call_s, row.median_s) if value is not None]
    drawn.update_xaxes(title="seconds per call", **axis(known, tick_s))
    name_rows(drawn, series)


def _speedup(drawn: Figure, chart: Speedups) -> None:
    for number, row in enumerate(chart.rows):
        low, high = row.interval or (row.speedup, row.speedup)
        drawn.add_scatter(
            x=[row.speedup],
            y=[number],
            mode="markers",
            showlegend=False,
            marker=marker(row.series, hollow=row.interval is None),
            error_x={
                "visible": row.interval is not None,
                "type": "data",
                "symmetric": False,
                "array": [high - row.speedup],
                "arrayminus": [row.speedup - low],
                "thickness": 2,
                "width": 5,
            },
            customdata=[hover(row.series, *_compared(row))],
            hovertemplate=HOVER,
        )
    if chart.band is not None and chart.noise is not None:
        drawn.add_vrect(x0=chart.band[0], x1=chart.band[1], fillcolor=SHADE, line_width=0, layer="below")
        # A shape is in no legend: an empty trace says what the shade is.
        shade = {"symbol": "square", "size": 12, "color": SHADE}
        noise = f"what this machine makes of no difference: ±{chart.noise:.1%}"
        drawn.add_scatter(x=[None], y=[None], mode="markers", marker=shade, name=noise, showlegend=True)
    drawn.add_vline(x=1, line_width=1.5, line_color=QUIET)
    shown = [1, *(value for row in chart.rows for value in (row.speedup, *(row.interval or ())))]
    ratios = axis([*shown, 1 / 1.05, 1.05, *(chart.band or ())], lambda value: f"{value:,.6g}×")
    drawn.update_xaxes(title=f"speed-up over {escaped(chart.baseline)}", **ratios)
    name_rows(drawn, [row.series for row in chart.rows])


def _break_even(drawn: Figure, chart: BreakEvens) -> None:
    for row, repeats in zip(chart.rows, chart.repeats, strict=True):
        calls, seconds = zip(*row.points, strict=True)
        drawn.add_scatter(
            x=calls,
            y=seconds,
            mode="lines",
            name=f"{short_name(row.series)}: {row.shown}",
            legendgroup=row.series.name,
            line={"color": row.series.color, "width": 2 if row.crossing else 3, "dash": DASHES[min(repeats, 2)]},
            customdata=[hover(row.series, f"{text.duration(s)} after {n:,} calls", _even(row)) for n, s in row.points],
            hovertemplate=HOVER,
        )
    for row in chart.rows:
        _crossing(drawn, row, chart.end)
    start = "filled" if chart.warm else "empty"
    drawn.update_xaxes(title="number of calls", **axis([1, chart.end], tick_calls, room=0))
    told = [seconds for row in chart.rows for _, seconds in row.points]
    upright = axis(told, tick_s, upright=True)
    drawn.update_yaxes(title=f"time since the process started,<br>with {start} caches", **upright)
    below = LINE_PX * (len(chart.rows) + 1) + 16
    drawn.update_layout(
        height=420 + below,
        margin={"l": 90, "r": 30, "t": 56, "b": below + 60},
        legend={
            "title_text": f"break-even with {escaped(chart.baseline)}",
            "tracegroupgap": 0,
            "x": 0,
            "xref": "paper",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
        },
    )


def _crossing(drawn: Figure, row: BreakEvenRow, end: int) -> None:
    """Mark where a variant has caught up with the baseline; its interval may be open, and is drawn to the edge."""
    found = row.crossing
    if found is None or not found.calls or row.crossing_s is None or found.calls > end:
        return
    if found.low is not None and found.high is not None:
        ends = [max(found.low, 1), min(found.high, end)]
        line(drawn, ends, [row.crossing_s] * 2, row.series.color, group=row.series.name)
    drawn.add_scatter(
        x=[found.calls],
        y=[row.crossing_s],
        mode="markers",
        showlegend=False,
        legendgroup=row.series.name,
        marker=marker(row.series),
        customdata=[hover(row.series, _even(row), f"{text.duration(row.crossing_s)} since the process started")],
        hovertemplate=HOVER,
    )


def _startup(drawn: Figure, chart: Startups) -> None:
    series = [row.series for row in chart.rows]
    bars = [bar for number, row in enumerate(chart.rows) for bar in _bars(row, number)]
    for part in chart.parts:
        drawn.add_bar(
            orientation="h",
            x=[start.parts[part] for _, start, _, _ in bars],
            y=[at for _, _, at, _ in bars],
            width=[height for _, _, _, height in bars],
            name=part,
            marker={"color": charts.PART_COLORS[part], "line_width": 0},
            customdata=[
                f"{how}: {part} {text.duration(start.parts[part])}<br>{escaped(charts.say_start(start))}"
                for how, start, _, _ in bars
            ],
            hovertemplate=HOVER,
        )
    totals = [charts.length_s(start) for _, start, _, _ in bars]
    drawn.add_scatter(
        x=totals,
        y=[at for _, _, at, _ in bars],
        mode="text",
        text=[f" {text.duration(total)}" for total in totals],
        textposition="middle right",
        textfont_size=11,
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    warm = " (thin bars: with filled caches)" if any(row.warm for row in chart.rows) else ""
    top = (max(totals) or 1.0) * 1.02
    drawn.update_layout(barmode="stack", legend_traceorder="normal")
    title = f"time until calls 2 and 3 are done{warm}"
    drawn.update_xaxes(title=title, range=[0, top], tickformat=",~f", ticksuffix=" s")
    name_rows(drawn, series, right=80)


def _bars(row: StartupRow, number: int) -> list[tuple[str, Any, float, float]]:
    """Return the bars of a row: how it starts, the start, where, and how thick."""
    if row.warm is None:
        return [("cold", row.cold, number, 0.4)]
    return [("cold", row.cold, number - 0.14, 0.4), ("warm", row.warm, number + 0.26, 0.18)]


def _compared(row: SpeedupRow) -> list[str]:
    return [f"{charts.ratio(row.speedup)}×", f"95 %: {row.shown_interval}", row.shown_verdict, ", ".join(row.doubts)]


def _even(row: BreakEvenRow) -> str:
    return row.shown if row.crossing is None else f"breaks even: {row.shown}"
