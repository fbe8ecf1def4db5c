"""A profile as text for a terminal, as a picture, and as HTML for a notebook. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

from optkit import disturbance, text
from optkit.html_table import html_table, literal
from optkit.marks import BASELINE_MARK, MARKS, Series
from optkit.svg_parts import (
    DIM,
    MONOSPACE,
    NAME_LINE,
    Scale,
    box,
    document,
    fitted,
    group,
    label,
    line,
    mark,
    name_lines,
    shortened,
    width_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.profiling import Profile, Side

TOP, TABLE_TOP, LEAST_SHARE = 7, 20, 0.01
OUTSIDE = "outside operators"
GUARDS = "TorchDynamo Cache Lookup"
NAMES_SHARE = 0.45
"""Names of fused kernels are long, and say what was fused."""
TABLE_NAME = 60
LEAST_WIDTH, BAR, PITCH = 400.0, 13.0, 22.0
DISTURBED = (
    "these times are no measure of the model, and the sides are not to be compared; end what else runs here, and "
    "profile it again"
)


class Part(NamedTuple):
    """A piece of a call's time: an operator, all others together, or what is outside of them."""

    name: str
    calls: float | None
    self_s: float
    share: float

    @property
    def said(self) -> str:
        """How much it is."""
        return f"{text.duration(self.self_s)} · {percent(self.share)}"


def parts(side: Side, most: int, least: float = 0.0) -> list[Part]:
    """Return a call's time in pieces that add up to it: the operators that take most, the others, and the rest.

    Named are at most so many operators, and of them those with at least such a share.
    """
    told = [one for one in side.operators[:most] if one.share >= least]
    found = [Part(one.name, one.calls, one.self_s, one.share) for one in told]
    if others := side.operators[len(told) :]:
        found.append(
            Part(
                f"everything else ({len(others)} operator{'s' * (len(others) > 1)})",
                sum(one.calls for one in others),
                sum(one.self_s for one in others),
                sum(one.share for one in others),
            )
        )
    return [*found, Part(OUTSIDE, None, side.outside_s, side.outside_share)]


def percent(share: float) -> str:
    """Write a share; the smallest are not nothing."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"  # noqa: PLR2004


def reading(profile: Profile) -> str:
    """Return what a profile shows, in two sentences; of one that was disturbed only that."""
    disturbed = disturbance.sentence([side.load for side in profile.sides], DISTURBED)
    if disturbed is not None:
        return disturbed
    spent = [
        f"{side.variant} spends {percent(side.operators[0].share)} of a call in {side.operators[0].name}"
        if side.operators
        else f"{side.variant} runs no operator that the profiler sees"
        for side in profile.sides
    ]
    outside = [f"{percent(side.outside_share)} of {side.variant}'s time{_guards(side)}" for side in profile.sides]
    return f"{'; '.join(spent)}. Outside operators: {' and '.join(outside)}."


def _guards(side: Side) -> str:
    if GUARDS not in side.framework or not side.profiled_s:
        return ""
    return f" (Dynamo's guards: {percent(side.framework[GUARDS] / side.profiled_s)})"


def heading(side: Side) -> str:
    """Return how long a call of a side takes, with and without the profiler."""
    return f"{text.duration(side.call_s)} a call; {text.duration(side.profiled_s)} under the profiler"


def lines(profile: Profile) -> list[str]:
    """Return it as lines of text."""
    told = [_title(profile)]
    for side in profile.sides:
        told += ["", f"{side.variant}: {heading(side)}"]
        for part in parts(side, TOP, LEAST_SHARE):
            times = "" if part.calls is None else f"{_count(part.calls)} ×"
            told.append(f"  {percent(part.share):>4} {text.duration(part.self_s):>9} {times:>8}  {part.name}")
    return [*told, "", reading(profile), *profile.details]


def html(profile: Profile) -> str:
    """Return it as HTML that is readable on light and dark pages."""
    head = ("", "runs per call", "self time per call", "share")
    tables = [
        f"<div><b><code>{escape(side.variant)}</code></b></div>"
        + html_table(
            head,
            [
                (
                    shortened(part.name, TABLE_NAME),
                    "" if part.calls is None else _count(part.calls),
                    *part.said.split(" · "),
                )
                for part in parts(side, TABLE_TOP)
            ],
        )
        for side in profile.sides
    ]
    details = "".join(f"<div style='opacity:.8'>{escape(one)}</div>" for one in profile.details)
    return literal(
        f"<div style='max-width:60em;line-height:1.45'><div><b>{escape(_title(profile))}</b></div>"
        f"<div>{escape(reading(profile))}</div>{details}<div style='margin-top:12px'>{svg(profile)}</div>"
        f"<details><summary>Operators as a table</summary>{''.join(tables)}</details></div>"
    )


def _title(profile: Profile) -> str:
    calls = f"{profile.calls} call{'s' * (profile.calls != 1)}"
    return f"Where a call of {profile.model} spends its time ({calls} profiled, {profile.device})"


def _count(calls: float) -> str:
    return f"{calls:.4g}"


def svg(profile: Profile, *, width: float = 640, standalone: bool = False) -> str:
    """Return the sides below each other as bars on one scale; what is outside operators is an empty bar."""
    width = max(width, LEAST_WIDTH)
    drawn = [(side, parts(side, TOP, LEAST_SHARE)) for side in profile.sides]
    everything = [part for _, found in drawn for part in found]
    longest = max(max(len(part.name) for part in everything) * MONOSPACE + 2, 120)
    left = min(longest, width * NAMES_SHARE) + 10
    room = max(width_of(part.said) for part in everything) + 10
    scale = Scale(0, max(part.self_s for part in everything) or 1.0, left, width - room, logarithmic=False)
    body, y = "", 0.0
    for place, (side, found) in enumerate(drawn):
        color, shape = BASELINE_MARK if place == 0 else MARKS[0]
        piece, y = _list(Series(side.variant, color, shape), heading(side), found, scale, y + (18 if place else 0))
        body += piece
    return document(_title(profile), reading(profile), body, (width, y), standalone=standalone)


def _list(series: Series, head: str, found: Sequence[Part], scale: Scale, top: float) -> tuple[str, float]:
    """Return a side's bars below its name, and where they end."""
    names = fitted(series.name, scale.end - 18, 2)
    drawn = [mark(series, 6, top + 8), name_lines(18, top + 12, names)]
    top += 12 + (len(names) - 1) * NAME_LINE
    drawn.append(label(18, top + 16, head, opacity=DIM))
    begin = y = top + 26
    for part in found:
        words = fitted(part.name, scale.start - 10, 2)
        pitch = PITCH + (len(words) - 1) * (NAME_LINE - 3)
        drawn.append(_bar(part, words, series.color, scale, y + pitch / 2))
        y += pitch
    drawn.append(line(scale.start, begin, scale.start, y, more='opacity="0.4"'))
    return "".join(drawn), y


def _bar(part: Part, words: list[str], color: str, scale: Scale, middle: float) -> str:
    """Return the bar of an operator; one that stands for many is paler, and what is outside of them is empty."""
    paint = f'fill="{color}"'
    if part.name == OUTSIDE:
        paint = f'fill="none" stroke="{color}" stroke-width="1.4" stroke-dasharray="3 2"'
    elif part.name.startswith("everything else"):
        paint += ' opacity="0.5"'
    end = scale(part.self_s)
    under = (len(words) - 1) * NAME_LINE
    times = "" if part.calls is None else f", {_count(part.calls)} times a call"
    return group(
        f"{part.name}: {part.said}{times}",
        name_lines(0, middle + 4 - under / 2, words),
        box(scale.start, middle - BAR / 2, max(end - scale.start, 0.6), BAR, paint),
        label(end + 8, middle + 4, part.said),
    )
