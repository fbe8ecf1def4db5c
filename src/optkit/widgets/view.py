"""A comparison as HTML: the answer, the progress, the table and the code. Pure functions, every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from optkit import text
from optkit.comparison import ENDINGS
from optkit.phases import PHASE_WORDS, TIMED_PHASES
from optkit.widgets.marks import Marks, svg

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.measurement import Measurement


FIRST_ROUNDS = 3
"""The rounds that every variant gets, even past the budget."""


def head(title: str, facts: list[str], noise: float | None) -> str:
    """Return the title line: the model, what is known of it, and how noisy the machine is."""
    pill = "" if noise is None else f'<span class="optkit-pill">machine noise {noise:.1%}</span>'
    return f'<div class="optkit-head"><b>{escape(title)}</b><span>{escape(" · ".join(facts))}</span>{pill}</div>'


def answer(sentence: str, tone: str = "", *, code: str = "") -> str:
    """Return the answer box; `tone` is ``good``, ``bad`` or nothing. With code there is a button that copies it."""
    button = ""
    if code:
        button = (
            f'<code id="optkit-winner" hidden>{escape(code)}</code>'
            '<button type="button" data-copy="#optkit-winner" data-key="copy" data-label="Copy code">Copy code</button>'
        )
    return f'<div class="optkit-answer {tone}"><span>{escape(sentence)}</span>{button}</div>'


def progress(comparison: Comparison, *, phase_s: float, elapsed_s: float, budget_s: float, running: bool) -> str:
    """Return the line that says what is going on, with clocks that run on by themselves."""
    ticking, now = ("true" if running else "false"), comparison.now
    said = "Starting …" if running else "Ready."
    if comparison.ended_because is not None:
        said = f"Ended: {ENDINGS[comparison.ended_because]}."
    elif now is not None and running:
        said = f"{_begin(PHASE_WORDS[now.phase])} · <code>{escape(now.variant)}</code>"
        if now.phase == "rounds":
            said = f"Round {now.round_number} of at most {now.round_limit} · {said}"
        elif now.phase not in TIMED_PHASES:
            said += f' · <span data-elapsed-s="{phase_s:.1f}" data-running="{ticking}"></span>'
    bar = ""
    if running and elapsed_s > budget_s:
        late = now is None or now.phase != "rounds" or (now.round_number or 0) <= FIRST_ROUNDS
        bar = "<small>over the budget: finishing the first three rounds</small>" if late else ""
    elif comparison.ended_because is None:
        share = elapsed_s / budget_s
        bar = f'<progress aria-label="Share of the time budget used" value="{share:.3f}" max="1"></progress>'
    clock = f'<span data-elapsed-s="{elapsed_s:.1f}" data-running="{ticking}"></span>'
    return (
        f'<div class="optkit-progress"><span>{said}</span>{bar}<small>{clock} of {text.clock(budget_s)}</small></div>'
    )


def table(comparison: Comparison, marks: Marks | None = None) -> str:
    """Return the table: rows keep their place while the study runs, and are ranked when it is over.

    What is to be doubted in a row, and why one has no numbers, stands below the variant's name, so that it is never
    out of sight.
    """
    over = comparison.ended_because is not None
    rows = comparison.ranked() if over else list(comparison.measurements.values())
    best = comparison.best() if over and rows else None
    best = None if best is comparison.baseline else best
    series = (marks or Marks()).assign("study", comparison.measurements, _baseline(comparison))
    drawn = {one.name: svg(one) for one in series}
    numbers = (("speed-up", "95 %"), ("median", ""), ("first call", ""), ("rounds", ""))
    header = "".join(f'<th class="n" scope="col">{name} <small>{more}</small></th>' for name, more in numbers)
    body = "".join(
        _row(place, row, drawn[row.variant], best=row is best, over=over) for place, row in enumerate(rows, start=1)
    )
    return (
        f'<div class="optkit-scroll"><table><thead><tr><th scope="col">{"#" if over else ""}</th>'
        f'<th scope="col">variant</th><th scope="col">verdict</th>{header}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def placeholder() -> str:
    """Return what stands where the table will be."""
    return '<p class="optkit-placeholder">The table of results appears here.</p>'


def _row(place: int, m: Measurement, mark: str, *, best: bool, over: bool) -> str:
    rank = str(place) if over and m.median_s is not None else ""
    doubts = _doubts(m)
    below = f'<div class="why">{doubts}</div>' if doubts else ""
    return (
        f'<tr class="{"best" if best else ""}"><td>{rank}</td>'
        f'<td class="who">{mark} <code>{escape(m.variant)}</code>{below}</td>'
        f"<td class='verdict'>{escape(_verdict(m))}</td><td class='n'>{_speedup(m)}</td>"
        f"<td class='n'>{text.duration(m.median_s)}</td><td class='n'>{text.duration(m.first_call_s)}</td>"
        f"<td class='n'>{m.rounds or '–'}</td></tr>"
    )


def _verdict(m: Measurement) -> str:
    if m.status in ("failed", "skipped", "waiting"):
        return m.status
    said = str(m.verdict) if m.verdict is not None else m.status
    if m.preliminary:
        return "preliminary"
    return f"{said}, stopped" if m.status == "stopped" and m.verdict is not None else said


def _speedup(m: Measurement) -> str:
    if m.speedup is None:
        return "–"
    if m.baseline is m:
        return "1"
    interval = m.interval()
    if interval is None:
        return f'<span class="optkit-about">~{m.speedup:.2f}×</span>'
    return f"{m.speedup:.2f}× <small>{interval[0]:.2f}–{interval[1]:.2f}</small>"


def _doubts(m: Measurement) -> str:
    chips = "".join(
        f'<details class="optkit-chip" data-key="{escape(m.variant, quote=True)} {doubt.name}">'
        f"<summary>{doubt.name}</summary><p>{escape(doubt.value)}</p></details>"
        for doubt in m.doubts
    )
    if not m.reason:
        return chips
    reason = escape(m.reason)
    if m.failed_phase:
        reason = f"{escape(_begin(PHASE_WORDS[m.failed_phase]))}: {reason}"
    if not m.details:
        return f"{chips}{reason}"
    return (
        f'{chips}{reason}<details class="optkit-details" data-key="{escape(m.variant, quote=True)} details">'
        f"<summary>Details</summary><pre>{escape(m.details)}</pre></details>"
    )


def code(title: str, source: str) -> str:
    """Return code behind a fold."""
    return (
        f'<details class="optkit-code" data-key="code"><summary>{escape(title)}</summary>'
        f"<pre><code>{escape(source)}</code></pre></details>"
    )


def _begin(words: str) -> str:
    return words[:1].upper() + words[1:]


def _baseline(comparison: Comparison) -> str:
    return str(comparison.baseline) if comparison.baseline else ""
