"""What a report says in words: the answer, what failed and why, doubts and remedies, and code to copy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import text
from optkit.report import parts
from optkit.report.parts import plain, said, within

if TYPE_CHECKING:
    from optkit.comparison import Comparison

FAILED_BYTES, DOUBTS_BYTES, ABOUT_BYTES = 90_000, 60_000, 8_000
LONGEST_CODE, LONGEST_ANSWER, LONGEST_DETAILS = 20_000, 3_000, 4_000
STILL = "This study had not ended when the report was written; every number can still change."
EARLY = "This study was ended early; the report holds what was measured until then."


def answer(c: Comparison) -> str:
    """Return the answer, and the numbers it rests on."""
    is_early = c.ended_because in ("stopped", "interrupted")
    told = STILL if c.started and c.ended_because is None else EARLY if is_early else ""
    notice = f'<p class="notice">{told}</p>' if told else ""
    return f'{notice}<p class="answer">{said(_brief(c, c.answer()), LONGEST_ANSWER)}</p>{_tiles(c)}'


def _tiles(c: Comparison) -> str:
    """Return the numbers of the best variant, large."""
    baseline = c.baseline
    if baseline is None or baseline.median_s is None:
        return ""
    best = c.best()
    tiles = [("best known", parts.code(best), "")]
    if best is baseline:
        tiles.append(("median of a call", text.duration(best.median_s), ""))
        tiles.append(("first call", text.duration(best.first_call_s), ""))
    else:
        interval, even = best.interval(), best.break_even()
        between = "" if interval is None else f"95 %: {interval[0]:.2f}–{interval[1]:.2f}"
        tiles.append(("speed-up", f"{best.speedup:.2f}×", between))
        for name, mine, theirs in (
            ("median of a call", best.median_s, baseline.median_s),
            ("first call", best.first_call_s, baseline.first_call_s),
        ):
            tiles.append((name, text.duration(mine), f"baseline: {text.duration(theirs)}"))
        if even.low is not None:
            count, _, interval_said = even.said.partition(" (")
            tiles.append(("pays off after", count, interval_said.rstrip(")")))
    shown = (
        f"<div><dt>{name}</dt><dd>{main}{more and f'<small>{more}</small>'}</dd></div>" for name, main, more in tiles
    )
    return f'<dl class="tiles">{"".join(shown)}</dl>'


def failed(c: Comparison) -> str:
    """Return why each variant that failed or was skipped did so."""
    items = []
    for m in c.measurements.values():
        if m.status not in ("failed", "skipped"):
            continue
        where = f" in the phase {parts.code(m.failed_phase)}" if m.failed_phase else ""
        reason = f"{m.status.capitalize()}{where}. {said(_brief(c, m.reason or ''))}"
        details = f"<details><summary>Details</summary><pre>{said(m.details, LONGEST_DETAILS)}</pre></details>"
        items.append(f"<h3>{parts.code(m)}</h3><p>{reason}</p>{details if m.details else ''}")
    return within(items, FAILED_BYTES, lambda left: f"<p>… and {left} more, all in the JSON document.</p>")


def doubts(c: Comparison) -> str:
    """Return each doubt with its remedy and the variants it is about: often about all of them."""
    about: dict[tuple[str, str, str], list[str]] = {}
    for m in c.ranked():
        for doubt, remedy in m.remedies.items():
            about.setdefault((doubt.name, doubt.value, _brief(c, remedy)), []).append(f"<div>{parts.code(m)}</div>")
    rows = []
    for (name, meaning, remedy), variants in about.items():
        which = within(variants, ABOUT_BYTES, lambda left: f"<div>… and {left} more</div>")
        if len(variants) == len(c.measurements) > 1:
            which = "every variant"
        rows.append(
            f'<tr><th scope="row">{meaning}<br><small>{name}</small></th><td>{which}</td><td>{said(remedy)}</td></tr>'
        )
    if not rows:
        return ""
    body = within(rows, DOUBTS_BYTES, lambda left: f'<tr><td colspan="3">… and {left} more.</td></tr>')
    heads = "".join(f'<th scope="col">{title}</th>' for title in ("Doubt", "About", "What to do"))
    caption = "<caption>Reasons not to take a number at face value, each with its remedy</caption>"
    return f'<table class="stacked">{caption}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'


def code(c: Comparison) -> str:
    """Return Python that runs the best variant."""
    if not c.has_answer:
        return ""
    try:
        lines = c.code()
    except (LookupError, ValueError):  # a record of another version, whose variant is none here
        return ""
    return f"<p>It runs the model as {parts.code(c.best())} does.</p><pre>{said(lines, LONGEST_CODE)}</pre>"


def _brief(c: Comparison, words: str) -> str:
    """Return a text in which names of variants are no longer than can be read."""
    for name in c.measurements:
        if len(name) > parts.LONGEST_NAME:
            words = words.replace(name, plain(name, parts.LONGEST_NAME))
    return words
