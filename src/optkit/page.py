"""How results show themselves as the last line of a cell: an HTML table and small SVG charts. Pure, every text escaped.

No script and no style sheet: a notebook that is read elsewhere, on GitHub or in a mail, looks the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, cast

from optkit import cells, svg, text
from optkit.html_table import html_table, literal

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.measurement import Measurement

WIDE, NARROW = 640, 520


def comparison(c: Comparison) -> dict[str, str]:
    """Return a comparison's representations by MIME type."""
    if not c.measurements:
        return {"text/plain": repr(c)}
    head = (
        "",
        "verdict",
        "speed-up",
        "95 %",
        "median",
        "first call",
        "start-up",
        "pays off after",
        "memory",
        "outputs",
    )
    rows = [
        (
            str(m), cells.verdict(m), cells.speedup(m), cells.interval(m), text.duration(m.median_s),
            text.duration(m.first_call_s), cells.startup(m), cells.break_even(m), cells.memory(m),
            " ".join(cells.outputs(m)),
        )
        for m in c.ranked()
    ]  # fmt: skip
    plural = "doubt", "doubts"
    doubted = [(str(m), doubt.name, remedy) for m in c.measurements.values() for doubt, remedy in m.remedies.items()]
    doubts = (
        f"<details><summary>{len(doubted)} {plural[len(doubted) != 1]}</summary>{html_table((), doubted)}</details>"
        if doubted
        else ""
    )
    charts = "".join(svg.render(c, name, width=WIDE) for name in ("speedup", "startup"))
    html = f"<p><b>{escape(c.answer())}</b></p>{html_table(head, rows)}{doubts}{charts}"
    picture = svg.render(c, "speedup", standalone=True)
    return {"text/plain": repr(c), "text/html": literal(html), "image/svg+xml": picture}


def measurement(m: Measurement) -> dict[str, str]:
    """Return a measurement's representations by MIME type."""
    start = m.startup()
    known = {
        "verdict": cells.verdict(m),
        "speed-up": f"{cells.speedup(m)} {cells.interval(m)}".strip(),
        "median": text.duration(m.median_s),
        "first call": text.duration(m.first_call_s),
        "start-up, cold": "–" if start is None else text.duration(start.total_s),
        "pays off after": cells.break_even(m),
        "memory, peak": cells.memory(m),
        "outputs": " ".join(cells.outputs(m)),
        "rounds": str(m.rounds or "–"),
        **{doubt.name: remedy for doubt, remedy in m.remedies.items()},
        **({"reason": m.reason} if m.reason else {}),
    }
    pair = _Pair({str(one): one for one in (m.baseline, m) if one is not None}, m.baseline, None)
    chart = "latency" if m.median_s is not None else "startup"
    shown = cast("Comparison", pair)
    html = (
        f"<b><code>{escape(str(m))}</code></b>{html_table((), known.items())}{svg.render(shown, chart, width=NARROW)}"
    )
    return {
        "text/plain": str(m),
        "text/html": literal(html),
        "image/svg+xml": svg.render(shown, chart, width=NARROW, standalone=True),
    }


@dataclass(frozen=True)
class _Pair:
    """What a chart reads of a comparison, for one variant beside the baseline."""

    measurements: dict[str, Measurement]
    baseline: Measurement | None
    noise: float | None
