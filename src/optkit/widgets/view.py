"""A comparison as HTML: the answer, the progress, the table and the code. Pure functions, every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from optkit import answers, cells, svg, text
from optkit.answers import ENDINGS
from optkit.charts import CHARTS
from optkit.marks import Marks
from optkit.marks import svg as mark_svg
from optkit.phases import PHASE_WORDS, TIMED_PHASES

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.events import PhaseBegan
    from optkit.measurement import Measurement


FIRST_ROUNDS = 3
"""The rounds that every variant gets, even past the budget."""


def head(title: str, facts: list[str], comparison: Comparison) -> str:
    """Return the title line: the model, what is known of it, and how noisy the machine is."""
    said = []
    if comparison.noise is not None:
        said.append(f"machine noise {comparison.noise:.1%}")
    around = comparison.surroundings
    if around.others_cpus is not None:
        said.append(f"others use {around.others_cpus:.1f} of {around.visible_cpus} CPUs")
    explained = escape(answers.machine(comparison), quote=True)
    pill = f'<span class="optkit-pill" title="{explained}">{" · ".join(said)}</span>' if said else ""
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
    elif running and comparison.waits_for is not None:
        said = f"Waiting until the study of {escape(comparison.waits_for)} is over"
    elif now is not None and running:
        said = f"{_begin(PHASE_WORDS[now.phase])} · <code>{escape(now.variant)}</code>"
        if now.phase == "rounds" and (now.round_number or 0) <= (now.round_limit or 0):
            said = f"Round {now.round_number} of at most {now.round_limit} · {said}"
        elif now.phase not in TIMED_PHASES:
            said += _compiling(comparison)
            said += f' · <span data-elapsed-s="{phase_s:.1f}" data-running="{ticking}"></span>'
    bar = ""
    if running and elapsed_s > budget_s:
        bar = f"<small>over the budget: {_what_is_left(now)}</small>"
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
    drawn = {one.name: mark_svg(one) for one in series}
    numbers = [
        ("speed-up", "95 %"), ("median", ""), ("first call", ""), ("start-up", "cold"), ("pays off after", ""),
        ("memory", "peak"), ("outputs", "max. error"), ("rounds", ""),
    ]  # fmt: skip
    measured = any(row.check is not None and "metric" in row.check.details for row in rows)
    if measured:
        numbers.append(("evaluate", ""))
    header = "".join(f'<th class="n" scope="col">{name} <small>{more}</small></th>' for name, more in numbers)
    body = "".join(
        _row(place, row, drawn[row.variant], best=row is best, over=over, measured=measured)
        for place, row in enumerate(rows, start=1)
    )
    return (
        f'<div class="optkit-scroll"><table><thead><tr><th scope="col">{"#" if over else ""}</th>'
        f'<th scope="col">variant</th><th scope="col">verdict</th>{header}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _what_is_left(now: PhaseBegan | None) -> str:
    """Say why a study goes on after its budget."""
    if now is not None and now.phase in ("checks", "confirm"):
        return PHASE_WORDS[now.phase]
    if now is not None and now.phase == "rounds" and (now.round_number or 0) > FIRST_ROUNDS:
        return "finishing this round"
    return "finishing the first three rounds"


def _compiling(comparison: Comparison) -> str:
    """Say which of the graphs torch is compiling now, and how long the last one took."""
    m = None if comparison.now is None else comparison.measurements.get(comparison.now.variant)
    if m is None or comparison.now is None or comparison.now.twin:
        return ""
    done = [one.seconds for one in m.compiles if one.seconds is not None]
    last = f", the last took {text.duration(done[-1])}" if done else ""
    if m.compiling is not None:
        return f" · compiling {'graph' if not m.compiles else f'piece {len(m.compiles) + 1}'}{last}"
    return ""


def placeholder() -> str:
    """Return what stands where the table will be."""
    return '<p class="optkit-placeholder">The table of results appears here.</p>'


def _row(place: int, m: Measurement, mark: str, *, best: bool, over: bool, measured: bool) -> str:
    rank = str(place) if over and m.median_s is not None else ""
    doubts = _doubts(m)
    below = f'<div class="why">{doubts}</div>' if doubts else ""
    evaluated = f"<td class='n'>{'–' if m.metric is None else f'{m.metric:.4g}'}</td>" if measured else ""
    return (
        f'<tr class="{"best" if best else ""}"><td>{rank}</td>'
        f'<td class="who">{mark} <code>{escape(m.variant)}</code>{below}</td>'
        f"<td class='verdict'>{escape(cells.verdict(m))}</td>"
        f"<td class='n'>{_small(cells.speedup(m), cells.interval(m))}</td>"
        f"<td class='n'>{text.duration(m.median_s)}</td><td class='n'>{text.duration(m.first_call_s)}</td>"
        f"<td class='n'>{cells.startup(m)}</td><td class='n'>{escape(cells.break_even(m))}</td>"
        f"<td class='n'>{cells.memory(m)}</td><td class='n'>{_small(*cells.outputs(m))}</td>"
        f"<td class='n'>{m.rounds or '–'}</td>"
        f"{evaluated}</tr>"
    )


def _small(said: str, more: str) -> str:
    return f"{escape(said)} <small>{escape(more)}</small>" if more else escape(said)


def _doubts(m: Measurement) -> str:
    chips = "".join(
        f'<details class="optkit-chip" data-key="{escape(m.variant, quote=True)} {doubt.name}">'
        f"<summary>{doubt.name}</summary><p>{escape(remedy)}</p></details>"
        for doubt, remedy in m.remedies.items()
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


def charts(comparison: Comparison, marks: Marks) -> str:
    """Return the charts, each behind a fold; the speed-ups are open."""
    names = [name for name in CHARTS if name != "break_even" or len(comparison.measurements) > 1]
    return "".join(
        f'<details class="optkit-chart" data-key="chart {name}"{" open" if name == "speedup" else ""}>'
        f"<summary>{escape(CHARTS[name])}</summary>{svg.render(comparison, name, marks=marks)}</details>"
        for name in names
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
