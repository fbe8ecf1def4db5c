"""What the plotly figures are made of: rows with names, marks, axes, and texts made safe for plotly. Pure."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from optkit.svg_parts import Scale, fitted, shortened, ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from plotly.graph_objects import Figure

    from optkit.marks import Series

SYMBOLS = {
    "circle": "circle",
    "triangle": "triangle-up",
    "square": "square",
    "diamond": "diamond",
    "triangle-down": "triangle-down",
    "star": "star",
    "plus": "cross",
    "cross": "x",
}
"""What plotly calls the shapes of `optkit.marks`."""

NAME_PX, ROW_PX, LINE_PX = 260, 46, 20
PLOT_PX = 560
"""About how wide a plot is, so that labels of ticks have room."""
QUIET = "#888888"
HOVER = "%{customdata}<extra></extra>"


def name_rows(drawn: Figure, series: Sequence[Series], *, right: int = 30) -> None:
    """Give each row its name and its room, and put the legend above them."""
    lines = [fitted(one.name, NAME_PX) for one in series]
    labels = ["<br>".join(map(escaped, both)) for both in lines]
    drawn.update_yaxes(
        tickvals=list(range(len(series))),
        ticktext=labels,
        tickfont={"family": "monospace", "size": 11},
        range=[len(series) - 0.5, -0.5],
        zeroline=False,
        showgrid=False,
        automargin=True,
        ticks="outside",  # invisible: only to keep names away from bars
        ticklen=8,
        tickcolor="rgba(0,0,0,0)",
    )
    drawn.update_layout(
        height=150 + ROW_PX * len(series),
        margin={"l": 40, "r": right, "t": 84, "b": 60},
        legend={"orientation": "h", "x": 0, "xref": "paper", "y": 1, "yanchor": "bottom"},
    )


def line(drawn: Figure, x: Sequence[float], y: Sequence[float], color: str, *, group: str = "") -> None:
    """Draw a line that is no series of its own."""
    drawn.add_scatter(
        x=x, y=y, mode="lines", line={"color": color, "width": 2}, opacity=0.6, hoverinfo="skip", showlegend=False,
        legendgroup=group,
    )  # fmt: skip


def marker(series: Series, *, hollow: bool = False) -> dict[str, Any]:
    """Return how plotly draws a variant's mark."""
    symbol = SYMBOLS[series.shape] + ("-open" if hollow else "")
    return {"color": series.color, "symbol": symbol, "size": 11, "line_width": 2 if hollow else 0}


def axis(
    values: Iterable[float],
    write: Callable[[float], str],
    *,
    room: float = 0.06,
    upright: bool = False,
    logarithmic: bool = True,
) -> dict[str, Any]:
    """Return an axis with the ticks of the SVG charts, because plotly's own run into each other.

    A share of its length, `room`, is kept free at both ends.
    """
    values = list(values)
    low, high = min(values), max(values)
    if logarithmic:
        free = max(high / low, 1.2) ** room if room else 1.0
        low, high = low / free, high * free
    else:
        free = max(high - low, 0.02 * high) * room
        low, high = low - free, high + free
    pixels = (320, 0) if upright else (0, PLOT_PX)
    written = ticks(Scale(low, high, *pixels, logarithmic=logarithmic), write)
    return {
        "type": "log" if logarithmic else "linear",
        "range": [math.log10(low), math.log10(high)] if logarithmic else [low, high],
        "tickvals": [value for value, _ in written],
        "ticktext": [words for _, words in written],
    }


def hover(series: Series, *lines: str) -> str:
    """Return what appears under the pointer: the variant, then each line that is not empty."""
    return "<br>".join([f"<b>{escaped(series.name)}</b>", *(escaped(words) for words in lines if words)])


def short_name(series: Series) -> str:
    """Return the name of a variant for a legend."""
    return escaped(shortened(series.name, 60))


def escaped(words: str) -> str:
    """Escape what plotly would take for markup, or for mathematics: what stands between two dollars."""
    return escape(words, quote=False).replace("$", "&#36;")
