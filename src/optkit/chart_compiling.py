"""What the first call spent its time on, read from a comparison: exclusive seconds, part by part. Pure.

torch times phases that contain each other (`CompileEnded.phases_s`); here each part is what is its own, so that all of
them add up to preparing and the first call.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from optkit import text
from optkit.chart_parts import drawn, sentence
from optkit.errors import VariantError
from optkit.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.comparison import Comparison
    from optkit.events import CompileEnded
    from optkit.marks import Marks, Series
    from optkit.measurement import Measurement

REST = "rest of first call"
PARTS = {
    "export": "#B9B45A",
    "prepare": "#44AA99",
    "dynamo": "#F3CBD2",
    "aot_autograd": "#E4A5B1",
    "inductor": "#D58090",
    "code generation": "#C26074",
    "compiling": "#D9A5E0",
    REST: "#B4BAC2",
}
"""The parts, in the order in which they are drawn, each with its colour: dark text can be read on all of them.

``compiling`` is what torch does not split, and the rest of the first call is running the model, and whatever else is
done in it.
"""
NESTED = {
    "dynamo": "dynamo",
    "aot_autograd": "aot_autograd",
    "inductor": "inductor",
    "code_gen": "code generation",
}
"""torch's phases of a compile, each of which contains those after it, and the parts that are left of them."""
LEAST_SHARE = 0.02
"""Where nothing is exported or compiled, preparing must be this much of the longest row, or it could not be seen."""


@dataclass(frozen=True, slots=True)
class CompilingRow:
    """One variant: seconds by part (`PARTS`), none of which contains another; those that took no time are left out.

    `later_s` is what compiling took in later calls, and is in no part. `state` says what is still missing, or ''.
    """

    series: Series
    parts: dict[str, float]
    later_s: float = 0.0
    state: str = ""
    is_over: bool = True

    @property
    def total_s(self) -> float:
        """Seconds of preparing and the first call, as far as they are known."""
        return sum(self.parts.values())

    @property
    def shown_total(self) -> str:
        """That in words."""
        return text.duration(self.total_s) if self.is_over else f"{text.duration(self.total_s)} so far"

    @property
    def shown_later(self) -> str:
        """What was compiled later, in words; empty where nothing was."""
        return f"compiling in later calls {text.duration(self.later_s)}" if self.later_s > 0 else ""

    @property
    def said(self) -> str:
        """The row in words."""
        parts = ", ".join(f"{self.name(part)} {text.duration(seconds)}" for part, seconds in self.parts.items())
        return sentence(self.series.name, f"{self.shown_total} ({parts})", self.shown_later, self.state)

    def name(self, part: str) -> str:
        """Return what a part is called here: where nothing was compiled, the rest of the first call is all of it."""
        is_whole = part == REST and not self.parts.keys() & {*NESTED.values(), "compiling"}
        return "first call" if is_whole else part


@dataclass(frozen=True, slots=True)
class Compilings:
    """What each variant that exports, prepares or compiles spent its time on until its first call was over."""

    rows: tuple[CompilingRow, ...]
    missing: ClassVar[str] = "Nothing has been exported or compiled yet."

    @property
    def parts(self) -> list[str]:
        """The parts that take any time in any row."""
        return [part for part in PARTS if any(part in row.parts for row in self.rows)]


def compiling(comparison: Comparison, *, marks: Marks | None = None) -> Compilings:
    """Return what was exported, prepared and compiled of each variant, also while it still is."""
    found = [(m, _row(m, series)) for m, series in drawn(comparison, marks)]
    least_s = LEAST_SHARE * max((row.total_s for _, row in found), default=0.0)
    return Compilings(tuple(row for m, row in found if row.parts and (_compiles_something(m) or _splits(row, least_s))))


def exclusive_s(compile_: CompileEnded) -> dict[str, float]:
    """Return the seconds of a compile by part, each without those that it contains; they add up to the whole."""
    told = {part: compile_.phases_s[phase] for phase, part in NESTED.items() if phase in compile_.phases_s}
    outermost = "dynamo" if "dynamo" in told else "compiling"
    nested = {outermost: _whole_s(compile_)} | {part: seconds for part, seconds in told.items() if part != outermost}
    limited = list(itertools.accumulate(nested.values(), min))
    return {part: own - inner for part, own, inner in zip(nested, limited, [*limited[1:], 0.0], strict=True)}


def _whole_s(compile_: CompileEnded) -> float:
    """Return how long a compile took; where torch does not say, as long as the longest of its phases."""
    return max(compile_.phases_s.values(), default=0.0) if compile_.seconds is None else compile_.seconds


def _row(m: Measurement, series: Series) -> CompilingRow:
    first, later = _first_and_later(m)
    parts = dict.fromkeys(PARTS, 0.0) | {phase: m.seconds.get(phase, 0.0) for phase in ("export", "prepare")}
    compiled = [exclusive_s(one) for one in first]
    spent_s = sum(seconds for one in compiled for seconds in one.values())
    fits = 1.0 if m.first_call_s is None or spent_s <= m.first_call_s else m.first_call_s / spent_s
    for part, seconds in (found for one in compiled for found in one.items()):
        parts[part] += seconds * fits
    if m.first_call_s is not None:
        parts[REST] = max(m.first_call_s - spent_s, 0.0)
    parts = {part: seconds for part, seconds in parts.items() if seconds > 0}
    return CompilingRow(series, parts, sum(map(_whole_s, later)), _state(m), m.first_call_s is not None)


def _first_and_later(m: Measurement) -> tuple[Sequence[CompileEnded], Sequence[CompileEnded]]:
    """Return the compiles of the first call, and those of later ones.

    Compiles after the outputs were checked are neither: they are of other batch sizes, which the variant's own calls do
    not have.
    """
    looked = [event.at_s for event in (m.memory, m.check) if event is not None]
    known = [one for one in m.compiles if not looked or one.at_s <= min(looked)]
    return m.first_compiles, [one for one in known if one not in m.first_compiles]


def _compiles_something(m: Measurement) -> bool:
    """Whether a variant exports or compiles: it has done so, or its technique does."""
    if m.compiles or m.compiling or "export" in m.seconds:
        return True
    try:
        engine = Variant.read(m.variant).engine
    except VariantError:  # a record of another version
        return False
    return engine.compiles or engine.runs_file


def _splits(row: CompilingRow, least_s: float) -> bool:
    """Whether there are two parts that can be seen: a plain first call is in other charts."""
    return len([seconds for seconds in row.parts.values() if seconds >= least_s]) > 1


def _state(m: Measurement) -> str:
    """Return what keeps a row from being complete, or final; '' where nothing does."""
    if m.status in ("failed", "skipped"):
        return m.status
    if m.first_call_s is not None:
        return ""
    if m.status != "running":
        return m.status
    first = "still compiling" if m.compiling or m.compiles else "still in its first call"
    return {"export": "still exporting", "prepare": "still preparing", "first_call": first}.get(
        m.phase or "", "running"
    )
