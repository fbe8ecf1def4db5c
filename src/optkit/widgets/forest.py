"""The column of a table in which speed-ups stand beside each other with their intervals: a forest plot. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optkit.svg_parts import Scale, mark

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.marks import Series
    from optkit.measurement import Measurement

WIDTH, HEIGHT, EDGE = 88, 16, 6
LEAST, MOST = 0.2, 5.0
"""Speed-ups beyond these are drawn as an arrow at the edge: one that is 50 times slower must not hide all others."""


@dataclass(frozen=True)
class Forest:
    """Where speed-ups lie; 1 is always on it."""

    scale: Scale

    @classmethod
    def of(cls, comparison: Comparison) -> Forest:
        """Return the plot of a comparison."""
        others = [m for m in comparison.measurements.values() if m is not comparison.baseline]
        known = [m.speedup for m in others if m.speedup is not None and math.isfinite(m.speedup) and m.speedup > 0]
        ends = [end for m in others if m.speedup is not None for end in (m.interval() or ())]
        shown = [min(max(value, LEAST), MOST) for value in (*known, *ends) if value > 0]
        low, high = min([*shown, 1 / 1.1]), max([*shown, 1.1])
        return cls(Scale(low / 1.03, high * 1.03, EDGE, WIDTH - EDGE))

    @property
    def head(self) -> str:
        """Say which side is which."""
        return '<small aria-hidden="true">slower | faster</small>'

    def row(self, m: Measurement, series: Series) -> str:
        """Return the mark of one variant, with its interval; the numbers stand beside it."""
        one, y = self.scale(1), HEIGHT / 2
        parts = [f'<path d="M{one:.1f} 0v{HEIGHT}" stroke="currentColor" opacity=".35"/>']
        if m.speedup is not None and m.speedup > 0:
            parts.append(self._drawn(m.speedup, m.interval() if m.baseline is not m else None, series, y))
        size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
        return f'<svg {size} fill="none" aria-hidden="true">{"".join(parts)}</svg>'

    def _drawn(self, speedup: float, interval: tuple[float, float] | None, series: Series, y: float) -> str:
        x, color = self.scale(speedup), series.color
        if speedup < self.scale.low:
            return f'<path d="M9 {y - 4}L2 {y}l7 4z" fill="{color}"/>'
        if speedup > self.scale.high:
            return f'<path d="M{WIDTH - 9} {y - 4}l7 4-7 4z" fill="{color}"/>'
        if interval is None:  # the baseline, or too few rounds to say how sure it is
            return mark(series, x, y, hollow=True)
        low, high = map(self.scale, interval)
        whisker = f'<path d="M{low:.1f} {y}H{high:.1f}" stroke="{color}" stroke-width="2.5" stroke-linecap="round"/>'
        return whisker + self._open_ends(interval, color, y) + mark(series, x, y)

    def _open_ends(self, interval: tuple[float, float], color: str, y: float) -> str:
        """Return an arrow at each edge that an interval goes beyond."""
        ends = ""
        if interval[0] < self.scale.low:
            ends += f'<path d="M6 {y - 3.5}L0 {y}l6 3.5z" fill="{color}"/>'
        if interval[1] > self.scale.high:
            ends += f'<path d="M{WIDTH - 6} {y - 3.5}l6 3.5-6 3.5z" fill="{color}"/>'
        return ends
