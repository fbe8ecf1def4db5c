"""One colour and one shape for each variant, the same in plot, table and list (Okabe and Ito's colours)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPES = ("circle", "triangle", "square", "diamond", "triangle-down", "star", "plus", "cross")


@dataclass(frozen=True, slots=True)
class Series:
    """How a variant is named and drawn: any CSS colour, one of `SHAPES`; if muted, pale and behind the others."""

    name: str
    color: str
    shape: str = "circle"
    muted: bool = False

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"unknown shape {self.shape!r}; choose one of {', '.join(SHAPES)}")


BASELINE_MARK = ("#888888", "cross")
MARKS = (
    ("#0072B2", "circle"),
    ("#D55E00", "diamond"),
    ("#009E73", "square"),
    ("#CC79A7", "triangle-down"),
    ("#56B4E9", "triangle"),
    ("#E69F00", "star"),
    ("#7A5195", "plus"),
)
_PATHS = {
    "circle": '<circle cx="6" cy="6" r="4" fill="{c}"/>',
    "square": '<rect x="2.2" y="2.2" width="7.6" height="7.6" fill="{c}"/>',
    "diamond": '<path d="M6 1l5 5-5 5-5-5z" fill="{c}"/>',
    "triangle": '<path d="M6 1.5l4.8 8.6H1.2z" fill="{c}"/>',
    "triangle-down": '<path d="M6 10.5L1.2 1.9h9.6z" fill="{c}"/>',
    "star": '<path d="M6 .8l1.6 3.5 3.8.4-2.9 2.6.9 3.8L6 9.2l-3.4 1.9.9-3.8L.6 4.7l3.8-.4z" fill="{c}"/>',
    "plus": '<path d="M6 1.5v9M1.5 6h9" stroke="{c}" stroke-width="2" fill="none"/>',
    "cross": '<path d="M2.5 2.5l7 7m0-7l-7 7" stroke="{c}" stroke-width="1.6" fill="none"/>',
}


def series(variants: Iterable[str], baseline: str) -> list[Series]:
    """Return how each variant is drawn, in the order given; marks repeat after seven variants."""
    found, others = [], 0
    for variant in variants:
        color, shape = BASELINE_MARK if variant == baseline else MARKS[others % len(MARKS)]
        others += variant != baseline
        found.append(Series(variant, color, shape))
    return found


def svg(drawn: Series) -> str:
    """Return the mark as a small inline SVG."""
    path = _PATHS[drawn.shape].format(c=drawn.color)
    return f'<svg class="optkit-mark" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">{path}</svg>'
