"""What every chart reads of a comparison in the same way: its variants in order, their state, and words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit.marks import Marks

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.marks import Series
    from optkit.measurement import Measurement


def drawn(comparison: Comparison, marks: Marks | None) -> list[tuple[Measurement, Series]]:
    """Return each measurement, in the order of the study, with how it is drawn."""
    names = list(comparison.measurements)
    series = (marks or Marks()).assign("study", names, baseline(comparison))
    return list(zip(comparison.measurements.values(), series, strict=True))


def baseline(comparison: Comparison) -> str:
    """Return the name of the baseline; empty where there is none yet."""
    return str(comparison.baseline) if comparison.baseline else ""


def state(m: Measurement) -> str:
    """Return what should keep a reader from taking the numbers for final; '' where nothing does."""
    return m.status if m.status in ("failed", "skipped") else "preliminary" if m.preliminary else ""


def sentence(name: str, *parts: str) -> str:
    """Return what is said of a variant; empty parts are left out."""
    return f"{name}: {', '.join(part for part in parts if part)}."
