"""The table of a comparison as HTML. Pure, every text escaped.

Each head is a button that sorts, and each cell says what it is sorted by: in the browser, so that it works while a cell
runs, and outlives every redraw.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from optkit import cells, text
from optkit.cells import TERMS
from optkit.marks import Marks
from optkit.marks import svg as mark_svg
from optkit.phases import PHASE_WORDS
from optkit.takeaway import UNCOMPARED
from optkit.verdicts import PASSING
from optkit.widgets.forest import Forest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optkit.comparison import Comparison
    from optkit.marks import Series
    from optkit.measurement import Measurement
    from optkit.verdicts import Doubt


@dataclass(frozen=True)
class Column:
    """A column of numbers: its head and what that means, what a cell shows, and what it is sorted by."""

    name: str
    meaning: str
    shown: Callable[[Measurement], str]
    value: Callable[[Measurement], float | str | None]
    falls: bool = False
    """Whether the first click puts the largest number first."""


def columns(comparison: Comparison, calls: float | None = None) -> list[Column]:
    """Return the columns that there is something to say in."""
    rows = comparison.measurements.values()
    found = [
        _column("speed-up", _speedup, lambda m: m.speedup, falls=True),
        _column("median", lambda m: _small(text.duration(m.median_s), _rounds(m)), lambda m: m.median_s),
        _column("first call", lambda m: text.duration(m.first_call_s), lambda m: m.first_call_s),
        _column("start-up", cells.startup, _startup_s),
        _column("pays off after", _break_even, _break_even_calls),
    ]
    if calls is not None:
        meaning = "From the start of a process with empty caches to the end of so many calls."
        found.append(Column(f"{calls:,.0f} calls", meaning, _total(calls), lambda m: m.cumulative_s(calls)))
    found += [
        _column("memory", cells.memory, lambda m: m.peak_memory_bytes),
        _column("outputs", lambda m: _small(*cells.outputs(m)), lambda m: m.agreement),
    ]
    meaning = "The median over the least time in which this machine could do a call, without less precision."
    found.append(Column("over least", meaning, cells.headroom, lambda m: m.headroom))
    if any(m.check is not None and "metric" in m.check.details for m in rows):
        meaning = "What your function made of the outputs."
        found.append(Column("evaluate", meaning, _metric, lambda m: m.metric))
    return found


def render(comparison: Comparison, marks: Marks | None = None, calls: float | None = None) -> str:
    """Return the table: rows keep their place while the study runs, and are ranked when it is over.

    What is to be doubted in a row, and why one has no numbers, stands below the variant's name, so that it is never
    out of sight. With `calls`, the rank is that of a process which makes so many.
    """
    over = comparison.ended_because is not None
    rows = comparison.ranked(calls=calls) if over else list(comparison.measurements.values())
    best = comparison.best(calls=calls) if over and rows else None
    best = None if best is comparison.baseline else best
    baseline = str(comparison.baseline) if comparison.baseline else ""
    drawn = {one.name: one for one in (marks or Marks()).assign("study", comparison.measurements, baseline)}
    numbers, plot = columns(comparison, calls), Forest.of(comparison)
    heads = [_head("variant"), _head("verdict", TERMS["verdict"])]
    heads += [_head(one.name, one.meaning, kind="n", falls=one.falls) for one in numbers]
    heads.insert(3, f'<td class="forest">{plot.head}</td>')

    def whiskers(m: Measurement) -> str:
        return f'<td class="forest">{plot.row(m, drawn[m.variant])}</td>'

    common = _common(comparison)
    # Whatever gives other outputs than eager is no rival of those that give the same, however fast.
    ranked = [m for m in rows if over and m.median_s is not None and m.agreement in (None, *PASSING, *UNCOMPARED)]
    places = {m.variant: place for place, m in enumerate(ranked, start=1)}
    body = "".join(
        _row(m, _who(m, drawn[m.variant], common), numbers, whiskers(m), is_best=m is best, place=places.get(m.variant))
        for m in rows
    )
    said = f'<div class="optkit-common">Of every row: {_chips("every row", common)}</div>' if common else ""
    return (
        f'{said}<div class="optkit-scroll" tabindex="0" role="region" aria-label="Table of results">'
        f'<table data-key="results"><thead><tr><th scope="col">{"#" if over else ""}</th>{"".join(heads)}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(m: Measurement, who: str, numbers: list[Column], whiskers: str, *, is_best: bool, place: int | None) -> str:
    verdict = escape(cells.verdict(m), quote=True)
    first, *others = (f'<td class="n" data-value="{_value(one.value(m))}">{one.shown(m)}</td>' for one in numbers)
    start = '<tr class="best">' if is_best else "<tr>"
    return (
        f'{start}<td>{place or ""}</td>{who}<td class="verdict" data-value="{verdict}">{verdict}</td>'
        f"{first}{whiskers}{''.join(others)}</tr>"
    )


def _column(
    name: str, shown: Callable[[Measurement], str], value: Callable[[Measurement], Any], *, falls: bool = False
) -> Column:
    return Column(name, TERMS[name], shown, value, falls)


def placeholder() -> str:
    """Return what stands where the table will be."""
    return '<p class="optkit-placeholder">The table of results appears here.</p>'


def _head(name: str, meaning: str = "", *, kind: str = "", falls: bool = False) -> str:
    first = ' data-first="falling"' if falls else ""
    said = escape(name, quote=True)
    return (
        f'<th scope="col" class="{kind}"><button type="button" data-sort="{said}" data-key="sort {said}"{first} '
        f'title="{escape(meaning, quote=True)}">{said}</button></th>'
    )


def _value(value: float | str | None) -> str:
    if value is None:
        return ""
    return escape(value, quote=True) if isinstance(value, str) else "1e400" if math.isinf(value) else repr(value)


def _who(m: Measurement, series: Series, common: Mapping[Doubt, str]) -> str:
    said = doubts(m, common)
    below = f'<div class="why">{said}</div>' if said else ""
    return f'<td class="who" data-value="{escape(m.variant, quote=True)}">{named(series)}{below}</td>'


def named(series: Series) -> str:
    """Return mark and name of a variant; a long name is broken where a setting or a modifier begins, or cut."""
    shown = text.plain(series.name, limit=text.LONGEST_NAME)
    parts = [escape(part) for part in re.split(r"(?<=[:,])|(?=[+=])", shown)]
    whole = f' title="{escape(series.name, quote=True)}"' if shown != series.name else ""
    return f'<span class="optkit-name">{mark_svg(series)}<code{whole}>{"<wbr>".join(parts)}</code></span>'


def _common(comparison: Comparison) -> dict[Doubt, str]:
    """Return the doubts that every row has with the same remedy: once above the table is enough."""
    known = [m.remedies for m in comparison.measurements.values() if m.median_s is not None]
    if len(known) < 2:  # noqa: PLR2004
        return {}
    return {doubt: said for doubt, said in known[0].items() if all(one.get(doubt) == said for one in known)}


def _speedup(m: Measurement) -> str:
    return _small(cells.speedup(m), cells.interval(m))


def _rounds(m: Measurement) -> str:
    return f"{m.rounds} round{'s' * (m.rounds != 1)}" if m.rounds else ""


def _startup_s(m: Measurement) -> float | None:
    start = m.startup()
    return None if start is None else start.total_s


def _break_even(m: Measurement) -> str:
    count, _, between = cells.break_even(m).partition(" (")
    return _small(count, between.rstrip(")"))


def _break_even_calls(m: Measurement) -> float | None:
    """Return what is sorted by: nothing that the cell does not say."""
    found = m.break_even()
    return math.inf if found.high is not None and math.isinf(found.high) else found.calls


def _total(calls: float) -> Callable[[Measurement], str]:
    return lambda m: text.duration(m.cumulative_s(calls))


def _metric(m: Measurement) -> str:
    return "–" if m.metric is None else f"{m.metric:.4g}"


def _small(said: str, more: str) -> str:
    return f"{escape(said)} <small>{escape(more)}</small>" if more else escape(said)


def doubts(m: Measurement, common: Mapping[Doubt, str] | None = None) -> str:
    """Return what is to be doubted, as chips that open to a remedy, and why there are no numbers.

    What is doubted of every row, `common`, is left out.
    """
    chips = _chips(m.variant, {doubt: said for doubt, said in m.remedies.items() if doubt not in (common or {})})
    if not m.reason:
        return chips
    reason = escape(m.reason)
    if m.failed_phase:
        phase = PHASE_WORDS[m.failed_phase]
        reason = f"{escape(phase[:1].upper() + phase[1:])}: {reason}"
    if not m.details:
        return f"{chips}{reason}"
    return (
        f'{chips}{reason}<details class="optkit-details" data-key="{escape(m.variant, quote=True)} details">'
        f"<summary>Details</summary><pre>{escape(m.details)}</pre></details>"
    )


def _chips(whose: str, remedies: Mapping[Doubt, str]) -> str:
    return "".join(
        f'<details class="optkit-chip" data-key="{escape(whose, quote=True)} {doubt.name}">'
        f"<summary>{doubt.name}</summary><p>{escape(remedy)}</p></details>"
        for doubt, remedy in remedies.items()
    )
