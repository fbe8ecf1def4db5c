"""What the SVG charts are made of: scales, ticks, texts that fit, marks, keys. Pure; knows nothing of comparisons."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from optkit.marks import Series

NARROW, WIDE = set("iljtfrI.,:;|'!()[] "), set("mwMW@%×±…→←<>=+")
CHARACTER, MONOSPACE = 7.6, 6.85
"""Pixels that most characters take at most: 12 px sans, 11 px monospace. The widest common font (DejaVu) counts."""
LINE, NAME_LINE, MARGIN = 14, 13, 12
DIM, GRID = 0.7, 0.16
NAMES = 'style="font:11px var(--jp-code-font-family,ui-monospace,monospace)"'
"""How names of variants are written: as code, everywhere, and all characters equally wide."""
NAMES_SHARE = 0.38
"""Beside rows they take no more than this share of the width; longer ones are broken into lines, then shortened."""

Drawn = tuple[str, float]
"""What was drawn, and its height."""

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_STAR = [(r * math.sin(i * math.pi / 5), -r * math.cos(i * math.pi / 5)) for i, r in enumerate((5.4, 2.4) * 5)]
_PLUS = [(-1, -5), (1, -5), (1, -1), (5, -1), (5, 1), (1, 1), (1, 5), (-1, 5), (-1, 1), (-5, 1), (-5, -1), (-1, -1)]
_OUTLINES: dict[str, Sequence[tuple[float, float]]] = {
    "square": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
    "diamond": [(0, -5), (5, 0), (0, 5), (-5, 0)],
    "triangle": [(0, -4.8), (4.8, 3.8), (-4.8, 3.8)],
    "triangle-down": [(0, 4.8), (-4.8, -3.8), (4.8, -3.8)],
    "star": _STAR,
    "plus": _PLUS,
    "cross": [((x - y) * 0.71, (x + y) * 0.71) for x, y in _PLUS],
}
"""The shapes of `optkit.marks` around 0, 0; outlines, so that each can be hollow. A circle has none."""


def number(value: float) -> str:
    """Write a coordinate, short."""
    written = f"{value:.1f}".removesuffix(".0")
    return "0" if written == "-0" else written


def clean(words: str) -> str:
    """Escape a text for an element or an attribute; characters that XML does not know are replaced."""
    return escape(_ILLEGAL.sub("�", words), quote=True)


def width_of(words: str) -> float:
    """Return about how wide a text is, rather too wide than too narrow: nobody can measure fonts here."""
    return sum(4.6 if c in NARROW else 11 if c in WIDE else CHARACTER for c in words)


def label(x: float, y: float, words: str, *, anchor: str = "", opacity: float = 1.0, more: str = "") -> str:
    """Return a text whose base line begins (or ends, or is centred) at a point."""
    attributes = f' text-anchor="{anchor}"' if anchor else ""
    attributes += f' opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<text x="{number(x)}" y="{number(y)}"{attributes}{more and " " + more}>{clean(words)}</text>'


def shortened(words: str, characters: int) -> str:
    """Return a text of at most so many characters, with an ellipsis in the middle where there were more."""
    if len(words) <= characters:
        return words
    tail = (characters - 1) // 2
    return f"{words[: characters - 1 - tail]}…{words[len(words) - tail :]}"


def fitted(name: str, room: float, most: int = 3) -> list[str]:
    """Return a name in lines no wider than `room` pixels of monospace, at most so many; the last may be shortened.

    Long names of variants differ in the middle as often as at the ends, so a new line comes before an ellipsis.
    """
    characters = max(int(room / MONOSPACE), 6)
    if len(name) <= characters or most == 1:
        return [shortened(name, characters)]
    ends = range(3, characters + 1)
    cuts = [i for i in ends if name[i] == "+" or name[i - 1] in ",:|"] or [i for i in ends if name[i - 1] in "=-_."]
    cut = max(cuts, default=characters)
    return [name[:cut], *fitted(name[cut:], room, most - 1)]


def name_lines(x: float, y: float, lines: Sequence[str]) -> str:
    """Return the lines of a name, the first one's base line beginning at a point."""
    written = "".join(label(x, y + i * NAME_LINE, words) for i, words in enumerate(lines))
    return f"<g {NAMES}>{written}</g>"


def mark(series: Series, x: float, y: float, *, hollow: bool = False) -> str:
    """Return a variant's mark around a point."""
    paint = f'fill="none" stroke="{series.color}" stroke-width="1.6"' if hollow else f'fill="{series.color}"'
    outline = _OUTLINES.get(series.shape)
    if outline is None:
        return f'<circle cx="{number(x)}" cy="{number(y)}" r="4.2" {paint}/>'
    points = " ".join(f"{number(x + dx)},{number(y + dy)}" for dx, dy in outline)
    return f'<polygon points="{points}" {paint}/>'


def line(x1: float, y1: float, x2: float, y2: float, *, width: float = 1, color: str = "", more: str = "") -> str:
    """Return a straight line, in the colour of the text where no other is given."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line {ends} stroke="{color or "currentColor"}" stroke-width="{width:g}"{more and " " + more}/>'


def grid(lines: Iterable[str]) -> str:
    """Return faint lines, given as pieces of a path."""
    return f'<path d="{"".join(lines)}" stroke="currentColor" opacity="{GRID}"/>'


def box(x: float, y: float, width: float, height: float, paint: str) -> str:
    """Return a rectangle."""
    return f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" {paint}/>'


def group(words: str, *parts: str) -> str:
    """Return parts that show `words` under the pointer."""
    return f"<g><title>{clean(words)}</title>{''.join(parts)}</g>"


@dataclass(frozen=True)
class Scale:
    """From numbers to pixels. What lies outside is drawn at the edge."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = True

    def __call__(self, value: float) -> float:
        """Return the pixel of a number."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def ticks(scale: Scale, write: Callable[[float], str], gap: float = 14) -> list[tuple[float, str]]:
    """Return as many round numbers as have room for their labels, each with its label."""
    upright = scale.end < scale.start  # a vertical axis: labels lie above each other
    find = _log_numbers if scale.logarithmic else _round
    for most in range(12, 1, -1):
        found = [(value, write(value)) for value in find(scale.low, scale.high, most)]
        pairs = list(itertools.pairwise(found))
        rooms = [LINE if upright else (width_of(a) + width_of(b)) / 2 for (_, a), (_, b) in pairs]
        if all(abs(scale(b) - scale(a)) >= room + gap for ((a, _), (b, _)), room in zip(pairs, rooms, strict=True)):
            return found
    return found[:1]


def _round(low: float, high: float, most: int) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten, at most so many steps."""
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * m for m in (1, 2, 5, 10, 20) if power * m >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _log_numbers(low: float, high: float, most: int) -> list[float]:
    """Return powers of ten, with 2 and 5 times these where there is room; round numbers where that is hardly any."""
    powers = [10.0**p for p in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    fine = [float(f"{m * p:.12g}") for p in powers for m in (1, 2, 5) if low <= m * p <= high * (1 + 1e-9)]
    if len(fine) < 3:  # noqa: PLR2004
        return _round(low, high, min(most, 6))
    inside = [p for p in powers if low <= p <= high * (1 + 1e-9)]
    if len(fine) <= most or not inside:
        return fine
    return inside[:: math.ceil(len(inside) / most)]


def tick_s(seconds: float) -> str:
    """Write a round number of seconds, without needless digits: ``20 ms``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.9995:
            return f"{seconds / size:,.10g} {unit}"
    return f"{seconds / 1e-9:,.10g} ns" if seconds > 0 else "0"


def tick_calls(calls: float) -> str:
    """Write a round number of calls: ``20k``."""
    for letter, size in (("M", 1e6), ("k", 1e3)):
        if calls >= size:
            return f"{calls / size:.10g}{letter}"
    return f"{calls:.10g}"


@dataclass(frozen=True)
class Rows:
    """Where the rows of a chart are: names left of `left`, numbers from there to `right`."""

    names: tuple[list[str], ...]
    left: float
    right: float
    top: float
    pitch: float

    @classmethod
    def of(cls, drawn: Sequence[Series], width: float, *, top: float, aside: float, pitch: float = 24) -> Rows:
        """Return room for one row a variant, `aside` pixels being kept free on the right."""
        room = min(max(len(one.name) for one in drawn) * MONOSPACE, width * NAMES_SHARE - 30)
        names = tuple(fitted(one.name, room) for one in drawn)
        return cls(names, 18 + room + 12, width - aside, top, max(pitch, NAME_LINE * max(map(len, names)) + 7))

    @property
    def bottom(self) -> float:
        """Where the last row ends."""
        return self.top + self.pitch * len(self.names)

    def y(self, place: int) -> float:
        """Return the middle of a row."""
        return self.top + self.pitch * (place + 0.5)

    def name(self, place: int, series: Series) -> str:
        """Return the mark and the name at the left of a row."""
        y, lines = self.y(place), self.names[place]
        return mark(series, 6, y) + name_lines(18, y + 4 - (len(lines) - 1) * NAME_LINE / 2, lines)

    def row(self, place: int, series: Series, said: str, *parts: str) -> str:
        """Return a whole row, which says its numbers under the pointer."""
        sensitive = box(0, self.y(place) - self.pitch / 2, self.right, self.pitch, 'fill="none" pointer-events="all"')
        return group(said, sensitive, self.name(place, series), *parts)

    def axis(self, scale: Scale, write: Callable[[float], str], title: str) -> tuple[str, float]:
        """Return grid, tick labels and title below the rows, and where they end."""
        at = [(scale(value), words) for value, words in ticks(scale, write)]
        drawn = [grid(f"M{number(x)} {number(self.top)}V{number(self.bottom + 4)}" for x, _ in at)]
        drawn += [label(x, self.bottom + 18, words, anchor="middle", opacity=DIM) for x, words in at]
        drawn.append(line(self.left, self.bottom, self.right, self.bottom, more='opacity="0.4"'))
        middle = (scale.start + scale.end) / 2
        drawn.append(label(middle, self.bottom + 36, title, anchor="middle", opacity=DIM))
        return "".join(drawn), self.bottom + 44


def keys(entries: Iterable[tuple[str, str]], width: float) -> tuple[str, float]:
    """Return a key of (drawing of 12 by 12; words), in as many lines as it needs, and its height."""
    x, y, parts = 0.0, 0.0, []
    for drawing, words in entries:
        wide = 18 + width_of(words) + 10
        if x and x + wide > width + 10:
            x, y = 0.0, y + 18
        parts.append(f'<g transform="translate({number(x)} {number(y)})">{drawing}{label(18, 10, words)}</g>')
        x += wide
    return "".join(parts), y + 18


def polyline(points: Sequence[tuple[float, float]], paint: str) -> str:
    """Return a line through points."""
    at = " ".join(f"{number(x)},{number(y)}" for x, y in simplified(points))
    return f'<polyline points="{at}" fill="none" {paint}/>'


def simplified(points: Sequence[tuple[float, float]], tolerance: float = 0.35) -> list[tuple[float, float]]:
    """Return the points of a line that can be seen to matter (Douglas and Peucker)."""
    (x1, y1), (x2, y2) = points[0], points[-1]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    away = [abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length for x, y in points]
    worst = max(range(len(points)), key=away.__getitem__)
    if away[worst] <= tolerance:
        return [points[0], points[-1]]
    return simplified(points[: worst + 1], tolerance)[:-1] + simplified(points[worst:], tolerance)


def document(title: str, described: str, body: str, size: tuple[float, float], *, standalone: bool) -> str:
    """Return the SVG; a standalone one brings its own colours, for light and dark."""
    space = own = ""
    margin = MARGIN if standalone else 0
    width, height = number(size[0] + 2 * margin), number(size[1] + 2 * margin)
    if standalone:
        space = ' xmlns="http://www.w3.org/2000/svg"'
        own = (
            "<style>svg{color:#222;background:#fff;font-family:system-ui,sans-serif}"
            "@media(prefers-color-scheme:dark){svg{color:#ddd;background:#111}}</style>"
        )
    place = f'width="{width}" height="{height}" viewBox="{-margin} {-margin} {width} {height}"'
    return (
        f'<svg{space} class="optkit-chart" {place} role="img" aria-label="{clean(title)}" fill="currentColor" '
        'style="max-width:100%;height:auto;font-size:12px;font-variant-numeric:tabular-nums">'
        f"{own}<title>{clean(title)}</title><desc>{clean(described)}</desc>{body}</svg>"
    )
