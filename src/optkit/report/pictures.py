"""The charts of a report, each for a page and for a phone, and the marks that its table shares with them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from optkit import charts as data
from optkit import marks, svg
from optkit.marks import Marks, Series
from optkit.report.parts import LONGEST_NAME, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.comparison import Comparison
    from optkit.measurement import Measurement

DRAWN = 30
"""Variants in a chart: the baseline, and of more than these the fastest."""
MOST_BYTES = 90_000
WIDE, NARROW = 860, 384


class ShortNames(Marks):
    """Marks of variants whose names are shortened where they are too long to be drawn."""

    def assign(self, holder: str, names: Iterable[str], baseline: str) -> list[Series]:
        """Return how each variant is drawn."""
        return [replace(one, name=plain(one.name, LONGEST_NAME)) for one in super().assign(holder, names, baseline)]


@dataclass(frozen=True)
class _Excerpt:
    """What a chart reads of a comparison, for some of its variants."""

    measurements: dict[str, Measurement]
    baseline: Measurement | None
    noise: float | None


def keys(c: Comparison, drawn: Marks) -> dict[str, str]:
    """Return the mark of each variant as SVG."""
    series = drawn.assign("table", c.measurements, str(c.baseline))
    return {name: marks.svg(one) for name, one in zip(c.measurements, series, strict=True)}


def charts(c: Comparison, drawn: Marks) -> str:
    """Return every chart that has something to show."""
    fastest = [m for m in c.ranked() if m is not c.baseline][: DRAWN - 1]
    shown = {m.variant for m in fastest} | {str(c.baseline)}
    excerpt = _Excerpt({name: m for name, m in c.measurements.items() if name in shown}, c.baseline, c.noise)
    some, left = cast("Comparison", excerpt), len(c.measurements) - len(excerpt.measurements)
    asked = [(name, title, False) for name, title in data.CHARTS.items()]
    if any(m.warm for m in excerpt.measurements.values()):
        asked.insert(3, ("break_even", f"{data.CHARTS['break_even']}, with filled caches", True))
    found = [
        _chart(some, name, title, drawn, warm=warm)
        for name, title, warm in asked
        if data.read(some, name, warm=warm, marks=drawn).rows
    ]
    note = f"<p>The {DRAWN} fastest variants; the other {left} are in the raw data.</p>" if found and left else ""
    return note + "".join(found)


def _chart(some: Comparison, name: str, title: str, drawn: Marks, *, warm: bool) -> str:
    """Return a chart twice: as wide as a page, and for a phone, where one shrunk to its width could not be read."""
    wide, narrow = (svg.render(some, name, warm=warm, marks=drawn, width=width) for width in (WIDE, NARROW))
    both = f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
    if len(both.encode()) > MOST_BYTES:
        both = "<p>This chart would make the file larger than a report may be.</p>"
    return f"<figure><h3>{title}</h3>{both}</figure>"
