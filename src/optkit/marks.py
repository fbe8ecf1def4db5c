"""One colour and one shape for each variant, the same in plot, table and list (Okabe and Ito's colours)."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHAPES = ("circle", "triangle", "square", "diamond", "triangle-down", "star", "plus", "cross")


@dataclass(frozen=True, slots=True)
class Series:
    """How a variant is named and drawn: any CSS colour, one of `SHAPES`."""

    name: str
    color: str
    shape: str = "circle"

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"unknown shape {self.shape!r}; choose one of {', '.join(SHAPES)}")


BASELINE_MARK = ("#888888", "square")
MARKS = (
    ("#0072B2", "circle"),
    ("#D55E00", "diamond"),
    ("#009E73", "triangle"),
    ("#CC79A7", "triangle-down"),
    ("#56B4E9", "star"),
    ("#E69F00", "plus"),
    ("#7A5195", "cross"),
)
_SIZE = len(MARKS)
_ALL = [(MARKS[i % _SIZE][0], MARKS[(i + i // _SIZE) % _SIZE][1]) for i in range(_SIZE**2)]
"""Each colour with each shape, beginning with `MARKS`."""
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


class Marks:
    """Which mark each variant has. A variant keeps its mark for as long as anything shows it, and longer if it can.

    Methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, str]] = {}
        self._shown: dict[str, list[str]] = {}

    def assign(self, holder: str, names: Iterable[str], baseline: str) -> list[Series]:
        """Return how each variant is drawn, in the order given.

        Parameters
        ----------
        holder
            Who shows these names from now on, in place of those it showed before. Names that no holder shows give
            their marks away once there is no mark left that is new.
        names, baseline
            The variants, and which of them is drawn as the baseline.
        """
        names = list(names)
        with self._lock:
            self._shown[holder] = names
            for name in names:
                if name != baseline and name not in self._known:
                    self._known[name] = self._free()
            return [Series(name, *(BASELINE_MARK if name == baseline else self._known[name])) for name in names]

    def _free(self) -> tuple[str, str]:
        fresh = next((mark for mark in MARKS if mark not in self._known.values()), None)
        if fresh is not None:
            return fresh
        shown = {name for names in self._shown.values() for name in names}
        self._known = {name: mark for name, mark in self._known.items() if name in shown}
        used = Counter(self._known.values())
        return min(_ALL, key=lambda mark: used[mark])  # the first unused one; beyond 49 the least used


def svg(drawn: Series) -> str:
    """Return the mark as a small inline SVG."""
    path = _PATHS[drawn.shape].format(c=drawn.color)
    return f'<svg class="optkit-mark" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">{path}</svg>'
