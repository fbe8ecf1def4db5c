"""The charts of a sweep as SVG: the best variant of each workload, and what each variant costs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from optkit import charts, text
from optkit.errors import UsageError
from optkit.marks import Marks, Series
from optkit.svg_parts import (
    DIM,
    Rows,
    Scale,
    document,
    grid,
    group,
    keys,
    label,
    line,
    mark,
    number,
    shortened,
    tick_s,
    ticks,
    width_of,
)
from optkit.variant import BASELINE
from optkit.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.svg_parts import Drawn
    from optkit.sweeps.result import SweepResult

CHARTS = {
    "leaders": "The best variant of each workload",
    "pareto": "What speed costs: time of a call against start-up and memory",
}
"""The charts by name, each with its title."""
MOST_ROWS, MOST_MACHINES = 60, 6
PANEL_HEIGHT, GAP = 230, 46
LONGEST, FAINT = 34, 0.4


def render(result: SweepResult, name: str, *, width: float = 760, standalone: bool = False) -> str:
    """Return a chart as SVG.

    Raises
    ------
    UsageError
        If there is no chart of this name.
    """
    if name not in CHARTS:
        raise UsageError(f"There is no chart {name!r} of a sweep; choose one of {', '.join(CHARTS)}.")
    (body, height), described = {"leaders": _leaders, "pareto": _pareto}[name](result, width)
    return document(CHARTS[name], described, body, (width, height), standalone=standalone)


def _series(result: SweepResult) -> dict[str, Series]:
    """Return how each variant is drawn, in both charts alike."""
    names = list(dict.fromkeys(name for c in result.comparisons for name in c.measurements))
    return {one.name: one for one in Marks().assign("sweep", names, str(BASELINE))}


def _legend(series: Sequence[Series], width: float) -> Drawn:
    return keys([(f'<g transform="translate(6 6)">{mark(one, 0, 0)}</g>', one.name) for one in series], width)


def _nothing(width: float) -> tuple[Drawn, str]:
    words = "Nothing has been measured yet."
    return (label(width / 2, 34, words, anchor="middle", opacity=DIM), 56), words


def _leaders(result: SweepResult, width: float) -> tuple[Drawn, str]:
    rows = [row for row in result.leaders() if row["speedup"] is not None]
    if not rows:
        return _nothing(width)
    left_out, rows = max(len(rows) - MOST_ROWS, 0), rows[:MOST_ROWS]
    series = _series(result)
    legend, y = _legend([series[name] for name in dict.fromkeys(row["best"] for row in rows)], width)
    scale_of = _speedups(rows)
    drawn, said = [legend], []
    several = len({row["machine"] for row in rows}) > 1
    for machine in dict.fromkeys(row["machine"] for row in rows):
        mine = [row for row in rows if row["machine"] == machine]
        if several:
            drawn.append(label(0, y + 22, machine, more='font-weight="600"'))
            y += 26
        block, y = _block(mine, series, width, y + 6, scale_of)
        drawn.append(block)
        said += [f"{machine}: {_said(row)}" for row in mine]
    if left_out:
        drawn.append(label(0, y + 12, f"… and {left_out} more, in the table", opacity=DIM))
        y += 20
    return ("".join(drawn), y), " ".join(said)


def _speedups(rows: Sequence[dict[str, Any]]) -> Callable[[Rows], Scale]:
    values = [v for row in rows for v in (row["speedup"], row["speedup_low"], row["speedup_high"]) if v is not None]
    low, high = min(*values, 1 / 1.05), max(*values, 1.05)
    room = (high / low) ** 0.06
    return lambda placed: Scale(low / room, high * room, placed.left, placed.right)


def _block(
    rows: Sequence[dict[str, Any]],
    series: dict[str, Series],
    width: float,
    top: float,
    scale_of: Callable[[Rows], Scale],
) -> Drawn:
    """Return the rows of one machine, with their axis."""
    aside = max(width_of("undecided") + width_of(text.duration(row["median_s"])) for row in rows)
    named = [replace(series[row["best"]], name=row["workload"]) for row in rows]
    placed = Rows.of(named, width, top=top, aside=aside + 34)
    scale = scale_of(placed)
    axis, height = placed.axis(scale, lambda value: f"{value:,.6g}×", "speed-up of the best variant over eager")
    one = line(scale(1), placed.top, scale(1), placed.bottom, width=1.5, more='opacity="0.7"')
    drawn = [_row(placed, place, named[place], row, scale) for place, row in enumerate(rows)]
    return axis + one + "".join(drawn), height


def _row(placed: Rows, place: int, series: Series, row: dict[str, Any], scale: Scale) -> str:
    y, parts = placed.y(place), []
    low, high = row["speedup_low"], row["speedup_high"]
    if low is not None:
        parts.append(line(scale(low), y, scale(high), y, width=2, color=series.color))
    parts.append(mark(series, scale(row["speedup"]), y, hollow=row["verdict"] in (None, "inconclusive")))
    is_open = row["verdict"] == Verdict.INCONCLUSIVE
    told = f"{'undecided' if is_open else charts.ratio(row['speedup']) + '×'}  {text.duration(row['median_s'])}"
    parts.append(label(placed.right + 12, y + 4, told))
    return placed.row(place, series, _said(row), *parts)


def _said(row: dict[str, Any]) -> str:
    doubts = f", {len(row['doubts'])} doubts" if row["doubts"] else ""
    return f"{row['workload']}: {row['best']}, {charts.ratio(row['speedup'])}×, {row['verdict']}{doubts}."


@dataclass(frozen=True)
class _Point:
    """A variant of one workload: time of a call over eager's of the same study, and what it costs."""

    series: Series
    ratio: float
    cost: float
    on_front: bool
    is_known: bool
    said: str


_Write = Callable[[float], str]
_COSTS: tuple[tuple[str, str, _Write], ...] = (
    ("startup_cold_s", "start-up with empty caches, logarithmic", tick_s),
    ("peak_memory_bytes", "memory of calls, logarithmic", text.size),
)


def _pareto(result: SweepResult, width: float) -> tuple[Drawn, str]:
    rows = result.fronts()
    series = _series(result)
    eager = {(row["machine"], row["workload"]): row["baseline_s"] for row in result.leaders()}
    machines = list(dict.fromkeys(row["machine"] for row in rows))
    if not rows:
        return _nothing(width)
    solid = '<circle cx="6" cy="6" r="4.2"/>'
    hollow = '<circle cx="6" cy="6" r="4.2" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    legend, y = _legend(list(series.values()), width)
    faint = f'<g opacity="{FAINT}">{solid}</g>'
    told = [
        (solid, "no other is better and nowhere worse"),
        (hollow, "another is"),
        (faint, "faster or slower: undecided"),
    ]
    key, tall = keys(told, width)
    drawn = [legend, f'<g transform="translate(0 {number(y)})">{key}</g>']
    y += tall
    half = (width - GAP) / 2
    for machine in machines[:MOST_MACHINES]:
        mine = [row for row in rows if row["machine"] == machine]
        drawn.append(label(0, y + 22, machine, more='font-weight="600"'))
        for place, (name, title, write) in enumerate(_COSTS):
            points = [
                _Point(
                    series[row["variant"]], row["median_s"] / eager[machine, row["workload"]], row[name],
                    row["on_front"], row["verdict"] != Verdict.INCONCLUSIVE, _front_said(row),
                )
                for row in mine
                if row[name] and eager.get((machine, row["workload"]))
            ]  # fmt: skip
            drawn.append(_panel(points, (place * (half + GAP), y + 44, half), title, write))
        y += 44 + PANEL_HEIGHT + 46
    if len(machines) > MOST_MACHINES:
        drawn.append(
            label(0, y + 12, f"… and {len(machines) - MOST_MACHINES} more machines, in the table", opacity=DIM)
        )
        y += 20
    described = " ".join(_front_said(row) for row in rows if row["on_front"])
    return ("".join(drawn), y), f"On the front: {described}"


def _front_said(row: dict[str, Any]) -> str:
    memory = "memory not known" if row["peak_memory_bytes"] is None else text.size(row["peak_memory_bytes"])
    start = text.duration(row["startup_cold_s"])
    beaten = "" if row["on_front"] else f"; {row['beaten_by']} is better and nowhere worse"
    call = text.duration(row["median_s"])
    return f"{row['workload']}, {row['variant']}: {call} a call, start-up {start}, {memory}{beaten}."


def _panel(points: Sequence[_Point], place: tuple[float, float, float], title: str, write: _Write) -> str:
    """Return one plot at x, y with a width: what speed costs to the right, time upwards, so that lower is faster."""
    x, y, width = place
    if not points:
        return label(x + width / 2, y + PANEL_HEIGHT / 2, "not measured", anchor="middle", opacity=DIM)
    ratios, costs = [one.ratio for one in points], [one.cost for one in points]
    up = Scale(min(*ratios, 0.95) / 1.1, max(*ratios, 1.05) * 1.1, y + PANEL_HEIGHT, y + 8)
    levels = ticks(up, lambda value: f"{value:.6g}×", gap=10)
    left = x + max(width_of(words) for _, words in levels) + 9
    across = Scale(min(costs) / 1.25, max(costs) * 1.25, left, x + width)
    counts = ticks(across, write)
    parts = [grid(f"M{number(left)} {number(up(v))}H{number(across.end)}" for v, _ in levels)]
    parts += [label(left - 7, up(v) + 4, words, anchor="end", opacity=DIM) for v, words in levels]
    parts += [label(across(v), up.start + 18, words, anchor="middle", opacity=DIM) for v, words in counts]
    parts.append(line(left, up.start, across.end, up.start, more='opacity="0.4"'))
    parts.append(line(left, up(1), across.end, up(1), more='opacity="0.5" stroke-dasharray="4 3"'))
    parts.append(label(left + 4, y, "time of a call over eager's", opacity=DIM))
    parts.append(label((left + across.end) / 2, up.start + 35, title, anchor="middle", opacity=DIM))
    ordered = sorted(points, key=lambda one: one.on_front)  # what is on the front lies on top
    parts += [group(shortened(one.said, 200), _drawn(one, across(one.cost), up(one.ratio))) for one in ordered]
    return "".join(parts)


def _drawn(point: _Point, x: float, y: float) -> str:
    drawn = mark(point.series, x, y, hollow=not point.on_front)
    return drawn if point.is_known else f'<g opacity="{FAINT}">{drawn}</g>'
