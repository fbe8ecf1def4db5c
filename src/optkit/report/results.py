"""The table of a report: every number of every variant, fastest first, and what each column means. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import cells, text
from optkit.cells import TERMS
from optkit.report.parts import code, plain, within
from optkit.svg_parts import clean
from optkit.verdicts import Verdict

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.measurement import Measurement

MOST_BYTES = 150_000
LONGEST_CELL = 60
"""Characters of what stands in a cell: "500 calls at the earliest, perhaps never"."""
SIGNS = {Verdict.FASTER: "▲", Verdict.SLOWER: "▼", Verdict.SAME: "=", Verdict.INCONCLUSIVE: "?", None: ""}
"""Beside the word, so that nothing is told by colour alone."""
_KINDS = {"pays off after": "words", "outputs": "words"}
"""Cells that may break into lines; all others are numbers."""


def table(c: Comparison, keys: dict[str, str]) -> str:
    """Return the table, what its columns mean, and throughput by batch size where that was asked for.

    Parameters
    ----------
    keys
        The mark of each variant in the charts, as SVG.
    """
    if not c.measurements:
        return ""
    best = c.best() if c.has_answer else None
    rows = [_row(m, keys[m.variant], is_best=m is best) for m in c.ranked()]
    body = within(rows, MOST_BYTES, lambda left: f'<tr role="row"><td>… and {left} more, in the raw data.</td></tr>')
    heads = "".join(f'<th role="columnheader" scope="col">{title}</th>' for title in ("variant", *TERMS))
    caption = f"Fastest first. Speed-ups are over the baseline, {code(c.baseline)}."
    terms = "".join(f"<dt>{name}</dt><dd>{meaning}</dd>" for name, meaning in TERMS.items())
    # The roles are what a table has anyway, and loses where a narrow page shows its rows as cards.
    return (
        f'<table class="results" role="table"><caption>{caption}</caption>'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead><tbody role="rowgroup">{body}</tbody></table>'
        f'<details><summary>What the columns mean</summary><dl class="terms">{terms}</dl></details>{_throughputs(c)}'
    )


def _row(m: Measurement, key: str, *, is_best: bool) -> str:
    agreement, error = cells.outputs(m)
    throughput = m.throughput_per_s()
    first, _, second = cells.startup(m).partition(" / ")
    shown = {
        "verdict": (cells.verdict(m), ""),
        "speed-up": (cells.speedup(m), cells.interval(m)),
        "median": (text.duration(m.median_s), f"{m.rounds} round{'s' * (m.rounds > 1)}" if m.rounds else ""),
        "p90": (text.duration(m.percentile_s(90)), ""),
        "first call": (text.duration(m.first_call_s), ""),
        "start-up": (first, f"{second} warm" if second else ""),
        "pays off after": _split(cells.break_even(m)),
        "throughput": ("–" if throughput is None else f"{_rounded(throughput)}/s", ""),
        "memory": (cells.memory(m), ""),
        "outputs": (agreement, f"± {error}" if error and agreement != "equal" else ""),
    }
    written = "".join(_cell(name, *pair, m) for name, pair in shown.items())
    start, badge = ('<tr role="row" class="best">', " <small>best</small>") if is_best else ('<tr role="row">', "")
    return f'{start}<th role="rowheader" scope="row">{key}{code(m)}{badge}</th>{written}</tr>'


def _cell(name: str, main: str, more: str, m: Measurement) -> str:
    kind = "none" if main == "–" else _KINDS.get(name, "number")
    main, more = clean(plain(main, LONGEST_CELL)), clean(more)  # a cell isolates the direction of its text
    if name == "verdict":
        ran = m.status not in ("failed", "skipped")
        sign = SIGNS.get(m.verdict, "") if ran else ""
        main = f'<span class="{(m.verdict or "") if ran else "failed"}">{sign and f"{sign} "}{main}</span>'
    shown = f"<span>{main}{more and f'<small>{more}</small>'}</span>"
    return f'<td role="cell" data-label="{name}" class="{kind}">{shown}</td>'


def _split(even: str) -> tuple[str, str]:
    """Return a break-even in two lines: the number, and its interval."""
    count, _, interval = even.partition(" (")
    return count, interval.rstrip(")")


def _throughputs(c: Comparison) -> str:
    """Return inputs in a second by batch size, where others than that of the inputs were asked for."""
    sizes = sorted({size for m in c.measurements.values() for size in m.throughputs if size is not None})
    if not sizes:
        return ""
    heads = "".join(f'<th scope="col">{size}</th>' for size in sizes)
    rows = []
    for m in c.ranked():
        found = [m.throughput_per_s(size) for size in sizes]
        numbers = "".join(f"<td>{'–' if one is None else f'{_rounded(one)}/s'}</td>" for one in found)
        rows.append(f'<tr><th scope="row">{code(m)}</th>{numbers}</tr>')
    body = within(rows, MOST_BYTES // 5, lambda left: f"<tr><td>… and {left} more.</td></tr>")
    return (
        '<h3>Throughput by batch size</h3><table class="sizes"><caption>Inputs in a second</caption>'
        f'<thead><tr><th scope="col">variant</th>{heads}</tr></thead><tbody>{body}</tbody></table>'
    )


def _rounded(number: float) -> str:
    """Write a rate with three digits that count."""
    return f"{float(f'{number:.3g}'):,.10g}"
