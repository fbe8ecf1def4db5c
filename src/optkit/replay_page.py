"""A replay of shapes as a picture, as HTML for a notebook and as text for a terminal. Pure; every text is escaped."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from optkit import disturbance, replay_advice, text
from optkit.html_table import html_table, literal
from optkit.marks import Series
from optkit.svg_parts import (
    DIM,
    LINE,
    MONOSPACE,
    NAME_LINE,
    box,
    document,
    fitted,
    group,
    keys,
    label,
    mark,
    name_lines,
    shortened,
    width_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.replay import Replay
    from optkit.replayed import ReplayedCall

TITLE = "What each call took, and in which torch compiled"
COMPILED = Series("compiled", "#D55E00", "diamond")
LEFT = Series("left to eager", "#CC79A7", "triangle-down")
RAISED = Series("raised", "#888888", "cross")
TALL, HEAD, GAP = 38, 20, 4
LEAST_CELL, MOST_CELL, TOTALS = 66, 110, 74
MOST_LABEL, MOST_DRAWN = 18, 120
"""Characters, and calls; what more there are is not drawn, and stands in `Replay.to_frame`."""
MOST_WHYS = 12
"""So many lines say why something was compiled again."""
WIDTH, NAME_SHARE = 680, 0.26
BOLD = 'font-weight="600"'
TERMINAL_WIDTH, NO_BREAK = 110, "\u00a0"


def svg(replay: Replay, *, width: float, standalone: bool) -> str:
    """Return variants × calls: what each call took, with those marked in which torch compiled, and the totals."""
    grid = Grid.of(replay, width)
    kinds = [_kind(call) for call in replay.calls]
    known = {COMPILED: _compiled_words(replay, "×"), LEFT: "some of it left to eager", RAISED: "raised"}
    entries = [(mark(one, 6, 6), words) for one, words in known.items() if one in kinds]
    key, top = keys(entries, width) if entries else ("", 0.0)
    parts = [key]
    for begin in range(0, grid.drawn, grid.columns):
        drawn, top = _band(replay, grid, begin, top + 6)
        parts.append(drawn)
    if len(grid.asked) > grid.drawn:
        parts.append(label(0, top + 14, f"The first {grid.drawn} of {len(grid.asked)} calls are drawn.", opacity=DIM))
        top += 20
    described = " ".join(replay.advice)
    return document(f"{TITLE}: {replay.model}", described, "".join(parts), (width, top + 2), standalone=standalone)


@dataclass(frozen=True)
class Grid:
    """Where the cells of the picture are: bands of as many calls as fit beside each other."""

    asked: list[str]
    names: dict[str, list[str]]
    left: float
    cell: float
    columns: int

    @property
    def head(self) -> float:
        """How high the head of a band is: a line for each input."""
        return HEAD + LINE * max((len(_inputs(words)) for words in self.asked), default=1)

    @property
    def drawn(self) -> int:
        """How many calls are drawn."""
        return min(len(self.asked), MOST_DRAWN)

    @classmethod
    def of(cls, replay: Replay, width: float) -> Grid:
        """Return the widest cells with which all calls fit, or several bands of them."""
        asked = [call.asked for call in replay.of(replay.variants[0])] if replay.variants else []
        room = min(max((len(name) for name in replay.variants), default=0) * MONOSPACE + 1, width * NAME_SHARE)
        left = room + 14
        widest = max((width_of(words) for one in asked for words in _inputs(one)), default=0.0)
        cell = max(LEAST_CELL, widest + 14)
        columns = max(int((width - left - TOTALS) // cell), 1)
        cell = min((width - left - TOTALS) / max(min(len(asked), columns), 1), MOST_CELL)
        return cls(asked, {name: fitted(name, room) for name in replay.variants}, left, cell, columns)


def _band(replay: Replay, grid: Grid, begin: int, top: float) -> tuple[str, float]:
    """Return a band of calls with its head, and where it ends; the last one ends in the totals."""
    end = min(begin + grid.columns, grid.drawn)
    is_last, y = end == grid.drawn, top + grid.head
    parts = [label(0, top + 14, "call", opacity=DIM), label(0, top + 28, _asked_for(replay), opacity=DIM)]
    for place, asked in enumerate(grid.asked[begin:end]):
        middle = grid.left + grid.cell * (place + 0.5)
        parts.append(label(middle, top + 14, str(begin + place + 1), anchor="middle", opacity=DIM))
        for number_of_line, words in enumerate(_inputs(asked)):
            at = top + 28 + LINE * number_of_line
            parts.append(group(asked, label(middle, at, words, anchor="middle", more=BOLD)))
    right = grid.left + grid.cell * (end - begin) + 12
    if is_last:
        parts.append(label(right, top + 28, "in all", opacity=DIM))
    for name, lines in grid.names.items():
        parts.append(name_lines(0, y + TALL / 2 + 3 - (len(lines) - 1) * NAME_LINE / 2, lines))
        for place, call in enumerate(replay.of(name)[begin:end]):
            parts.append(_cell(call, grid.left + grid.cell * place, y, grid.cell))
        if is_last:
            parts.append(label(right, y + TALL / 2 + 3, text.duration(replay.total_s(name)), more=BOLD))
        y += TALL
    return "".join(parts), y + 4


def _inputs(asked: str) -> list[str]:
    """Return what was asked for, a line for each input."""
    return [shortened(words, MOST_LABEL) for words in asked.split(" + ")]


def _cell(call: ReplayedCall, x: float, y: float, width: float) -> str:
    """Return a call: its time, and under it a mark that does not rest on colour where something happened."""
    kind, middle = _kind(call), x + width / 2
    paint = 'rx="3" fill="currentColor" fill-opacity="0.06"'
    if kind is not None:
        paint = f'rx="3" fill="{kind.color}" fill-opacity="0.2" stroke="{kind.color}" stroke-width="1.5"'
    took = label(middle, y + (15 if kind else 22), text.duration(call.duration_s), anchor="middle")
    parts = [box(x + GAP / 2, y + GAP / 2 - 1, width - GAP, TALL - GAP, paint), took]
    if kind is not None:
        more = f"×{call.compiles}" if kind is COMPILED and (call.compiles or 0) > 1 else kind.name * (kind is RAISED)
        at = middle - (width_of(more) / 2 + 2 if more else 0)
        parts.append(mark(kind, at, y + 25.5))
        if more:
            parts.append(label(at + 9, y + 29.5, more))
    return group(_said(call), *parts)


def _compiled_words(replay: Replay, sign: str) -> str:
    most = max((call.compiles or 0 for call in replay.calls), default=0)
    return "torch compiled" if most <= 1 else f"torch compiled ({sign}{most}: {most} times)"


def _kind(call: ReplayedCall) -> Series | None:
    """Return how a call is marked."""
    if call.error:
        return RAISED
    return COMPILED if call.compiles else LEFT if call.left_to_eager else None


def _said(call: ReplayedCall) -> str:
    """Return all that is known of a call in words."""
    took = "raised" if call.duration_s is None else text.duration(call.duration_s)
    head = f"{call.variant}, call {call.number}, {call.asked}: {took}"
    return "\n".join([head, *_whys(call)])


def _whys(call: ReplayedCall) -> list[str]:
    marks = [f"{name} is not marked: torch takes a size of 1 for a constant" for name in call.unmarked]
    return [
        *call.reasons,
        *(f"left to eager: {why}" for why in call.left_to_eager),
        *marks,
        *filter(None, [call.error]),
    ]


def html(replay: Replay) -> str:
    """Return the advice, the picture, the table and the reasons."""
    advice = "".join(f"<li>{escape(one)}</li>" for one in replay.advice)
    disturbed = _disturbed(replay)
    note = f"<p>{escape(disturbed)}</p>" if disturbed else ""
    listed = f"<ul style='margin:4px 0 12px;max-width:60em;overflow-wrap:anywhere'>{advice}</ul>" if advice else ""
    about = f"<p><b>{escape(_headline(replay))}</b></p>{note}{listed}"
    whys = [
        (f"call {call.number} ({call.asked})".replace(" ", NO_BREAK), call.variant, "; ".join(said))
        for call in sorted(replay.calls, key=lambda call: call.number)
        if (said := _whys(call))
    ]
    reasons = f"<details><summary>Why, call by call</summary>{html_table((), whys)}</details>" if whys else ""
    head = ("", "in all", "compiled in calls", "compiles", "other calls (median)")
    picture = f"<div style='margin-bottom:12px'>{svg(replay, width=WIDTH, standalone=False)}</div>"
    return literal(f"{about}{picture}{html_table(head, _rows(replay))}{reasons}")


def _asked_for(replay: Replay) -> str:
    return "batch size" if all(call.asked.isdigit() for call in replay.calls) else "shape"


def _disturbed(replay: Replay) -> str | None:
    return disturbance.sentence(
        replay.loads.values(),
        "times are too long, and not all alike; which calls compiled is not touched by that",
    )


def _headline(replay: Replay) -> str:
    times = max((call.number for call in replay.calls), default=0)
    ways = f" in each of {len(replay.variants)} ways" if len(replay.variants) > 1 else ""
    return f"{replay.model} on {replay.device}, {times} call{'s' * (times != 1)}{ways}"


def _rows(replay: Replay) -> list[tuple[str, ...]]:
    """Return what a variant took in all, and in the calls in which nothing was compiled."""
    return [
        (
            name,
            text.duration(replay.total_s(name)),
            ", ".join(str(call.number) for call in replay.of(name) if call.compiles) or "–",
            "–" if replay.compiles(name) is None else str(replay.compiles(name)),
            text.duration(replay_advice.others_s(replay.of(name))),
        )
        for name in replay.variants
    ]


def words(replay: Replay) -> str:
    """Return a compact table, and the advice."""
    rows = [replay.of(name) for name in replay.variants]
    tall = max((len(_inputs(call.asked)) for call in replay.calls), default=1)

    def column(head: list[str], cells: Iterable[str]) -> list[str]:
        return [*head, *[""] * (tall - len(head)), *cells]

    columns = [column([_asked_for(replay)], replay.variants)]
    columns += [column(_inputs(calls[0].asked), map(_written, calls)) for calls in zip(*rows, strict=True)]
    columns.append(column(["in all"], (text.duration(replay.total_s(name)) for name in replay.variants)))
    lines = [_headline(replay), *filter(None, [_disturbed(replay)])]
    while len(columns) > 1:
        count = _fitting(columns)
        lines += ["", *_aligned(columns[:count])]
        columns = [columns[0], *columns[count:]]
    if any(call.compiles for call in replay.calls):
        lines += ["", f"◆ {_compiled_words(replay, '◆')}"]
    if any(call.left_to_eager for call in replay.calls):
        lines.append("▽ some of it left to eager")
    advice = [f"- {one}" for one in replay.advice]
    return "\n".join([*lines, *_block(_why_lines(replay)), *_block(advice)])


def _block(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _why_lines(replay: Replay) -> list[str]:
    """Return why calls after the first compiled, and what was left to eager; of very many the first."""
    ways: dict[tuple[int, str, str], list[str]] = {}
    for call in sorted(replay.calls, key=lambda call: call.number):
        said = [*(call.reasons if call.number > 1 else ()), *(f"left to eager: {why}" for why in call.left_to_eager)]
        if said:
            ways.setdefault((call.number, call.asked, "; ".join(said)), []).append(call.variant)
    seen: dict[str, list[tuple[int, str]]] = {}
    for (number, asked, why), names in ways.items():
        seen.setdefault(f"{', '.join(names)}: {why}", []).append((number, asked))
    lines = [f"{_numbers(calls)}, {said}" for said, calls in seen.items()]
    more = len(lines) - MOST_WHYS
    return lines if more <= 1 else [*lines[:MOST_WHYS], f"and {more} more; to_frame() has all"]


def _numbers(calls: list[tuple[int, str]]) -> str:
    """Write ``calls 2, 3 (4)``: their numbers, and what was asked for in them."""
    numbers = [str(number) for number, _ in calls]
    asked = list(dict.fromkeys(asked for _, asked in calls))
    numbers, asked = (words if len(words) <= MOST_WHYS else [*words[:MOST_WHYS], "…"] for words in (numbers, asked))
    return f"call{'s' * (len(calls) > 1)} {', '.join(numbers)} ({', '.join(asked)})"


def _fitting(columns: list[list[str]]) -> int:
    """Return how many columns fit beside each other; at least the first two."""
    wide = [max(map(len, column)) + 2 for column in columns]
    return max((count for count in range(2, len(wide) + 1) if sum(wide[:count]) <= TERMINAL_WIDTH), default=2)


def _written(call: ReplayedCall) -> str:
    if call.error:
        return "raised"
    marked = (
        f" ◆{call.compiles if (call.compiles or 0) > 1 else ''}" if call.compiles else " ▽" * bool(call.left_to_eager)
    )
    return text.duration(call.duration_s) + marked


def _aligned(columns: list[list[str]]) -> list[str]:
    """Return the lines of a table."""
    wide = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return ["  ".join(cell.ljust(wide[i]) for i, cell in enumerate(row)).rstrip() for row in rows]
