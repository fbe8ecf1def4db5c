"""What stands around the table of a comparison, as HTML: title, answer, progress, pages. Pure, every text escaped."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from optkit import answers, bill, cells, charts, environment, script, svg, text
from optkit.answers import ENDINGS
from optkit.disturbance import NOISY_SHARE
from optkit.doubts import NOISY_THROTTLE
from optkit.errors import VariantError
from optkit.phases import LAST_PHASES, PHASE_WORDS, TIMED_PHASES
from optkit.variant import Variant
from optkit.verdicts import PASSING, Doubt
from optkit.widgets.table import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optkit.comparison import Comparison
    from optkit.events import PhaseBegan
    from optkit.marks import Marks
    from optkit.measurement import Measurement

FIRST_ROUNDS = 3
"""The rounds that every variant gets, even past the budget."""
WIDTH = 780
"""Of charts, in pixels; they shrink where there is less room."""
COMPARED, COSTS = ("speedup", "spread"), ("latency", "break_even", "startup", "compiling")
"""Charts of the pages Compare and Cost."""


def head(title: str, facts: list[str], comparison: Comparison) -> str:
    """Return the title line: the model, what is known of it, and how noisy the machine is."""
    said = [] if comparison.noise is None else [f"machine noise {comparison.noise:.1%}"]
    said += _quiet(comparison)
    explained = escape(answers.machine(comparison), quote=True)
    pill = f'<span class="optkit-pill" title="{explained}">{escape(" · ".join(said))}</span>' if said else ""
    name, more = text.plain(title, limit=text.LONGEST_NAME), text.plain(" · ".join(facts))
    return f'<div class="optkit-head"><b>{escape(name)}</b><span>{escape(more)}</span>{pill}</div>'


def _quiet(comparison: Comparison) -> list[str]:
    """Say whether the machine is quiet: now, while a study runs, and on the whole when it is over."""
    around, last = comparison.surroundings, comparison.readings[-1] if comparison.readings else None
    is_live = comparison.ended_because is None and last is not None
    others = last.others_cpus if is_live and last is not None else around.others_cpus
    if others is None or not around.visible_cpus:
        return []
    if around.throttled_share is not None and around.throttled_share > NOISY_THROTTLE:
        return [f"held back {around.throttled_share:.0%} of the time"]
    if others > NOISY_SHARE * around.visible_cpus:
        return [f"busy: others use {others:.1f} of {around.visible_cpus} CPUs"]
    is_noisy = any(Doubt.NOISY_MACHINE in m.doubts for m in comparison.measurements.values())
    return ["noisy" if is_noisy else "quiet"]


def facts(comparison: Comparison) -> list[str]:
    """Return what is known of a study: its inputs, where it ran, torch's version, and whether it is kept."""
    started, baseline = comparison.started, comparison.baseline
    if started is None:
        return []
    device = str(started.workload.get("device") or "cpu")
    place = device.upper() if device == "cpu" else device
    threads = "" if baseline is None or baseline.threads is None else f", {baseline.threads} threads"
    torch = started.environment.get("versions", {}).get("torch")
    lost = "" if comparison.not_kept is None else f"not in the history: {comparison.not_kept}"
    said = [comparison.surroundings.inputs, f"{place}{threads}", f"torch {torch}" if torch else "", lost]
    return [one for one in said if one]


def machine() -> list[str]:
    """Return what is worth showing of this machine."""
    here = environment.detect()
    return [f"{here.usable_cpus:g} CPUs usable", f"torch {here.versions.get('torch', 'missing')}"]


def files(kinds: Mapping[str, tuple[str, str]], calls: float | None = None) -> str:
    """Return buttons that save each kind of file; with `calls` it is said that files do not count them."""
    buttons = "".join(
        f'<button type="button" data-send="{escape(json.dumps({"op": "save", "name": kind}), quote=True)}" '
        f'data-key="save {kind}" title="{escape(said, quote=True)}">{escape(name)}</button>'
        for kind, (name, said) in kinds.items()
    )
    more = "" if calls is None else "<small>in files, best is what is fastest, whatever the calls per process</small>"
    return f'<div class="optkit-files"><span>Take away</span>{buttons}{more}</div>'


def answer(sentence: str, tone: str = "", *, code: str = "") -> str:
    """Return the answer box; `tone` is ``good``, ``bad`` or nothing. With code there is a button that copies it."""
    button = ""
    if code:
        button = (
            f'<code id="optkit-winner" hidden>{escape(code)}</code>'
            '<button type="button" data-copy="#optkit-winner" data-key="copy" data-label="Copy code">Copy code</button>'
        )
    return f'<div class="optkit-answer {tone}"><span>{escape(sentence)}</span>{button}</div>'


def progress(
    comparison: Comparison,
    *,
    phase_s: float,
    elapsed_s: float,
    left_s: float | None,
    running: bool,
    ready: str = "",
    stopping: bool = False,
) -> str:
    """Return the line that says what is going on, with clocks that run on by themselves.

    Parameters
    ----------
    comparison
        What is known so far.
    phase_s, elapsed_s
        Seconds since the phase, and since the study began.
    left_s
        About how many seconds it will still take; None where its last steps have begun, or time is used up.
    running, stopping, ready
        Whether it runs, whether it was asked to stop, and how long the next will take, in words.
    """
    ticking = "true" if running else "false"
    if running:
        said = _doing(comparison, phase_s, ticking)
    else:
        said = f"Ready: it will take {escape(ready)}." if ready else "Ready."
    if comparison.ended_because is not None:
        again = f" Another run will take {escape(ready)}." if ready else ""
        said = f"Ended: {ENDINGS[comparison.ended_because]}.{again}"
    bar = more = ""
    if running and stopping:
        said = "Stopping …"
    elif running:
        if left_s is None:
            more = _last_steps(comparison.now)
        else:
            more = f'<span data-left-s="{left_s:.0f}"></span>'
            share = elapsed_s / max(elapsed_s + left_s, 1e-9)
            bar = f'<progress aria-label="Share of the study that is done" value="{share:.3f}" max="1"></progress>'
    clock = f'<span data-elapsed-s="{elapsed_s:.1f}" data-running="{ticking}"></span>'
    clock = f"<small>{clock}{more}</small>" if running or comparison.started else ""
    held = _memory(comparison) if running else ""
    return f'<div class="optkit-progress"><span>{said}</span><div>{bar}{clock}{held}</div></div>'


def _doing(comparison: Comparison, phase_s: float, ticking: str) -> str:
    now = comparison.now
    if comparison.waits_for is not None:
        return f"Waiting until the study of {escape(comparison.waits_for)} is over"
    if now is None:
        return "Starting …"
    said = f"{_begin(PHASE_WORDS[now.phase])} · <code>{escape(now.variant)}</code>"
    if now.phase == "rounds" and (now.round_number or 0) <= (now.round_limit or 0):
        return f"Round {now.round_number} of at most {now.round_limit} · {said}"
    if now.phase in TIMED_PHASES:
        return said
    return f'{said}{_compiling(comparison)} · <span data-elapsed-s="{phase_s:.1f}" data-running="{ticking}"></span>'


def _memory(comparison: Comparison) -> str:
    """Say what the workers hold, as of the latest look at the machine."""
    last = comparison.readings[-1] if comparison.readings else None
    if last is None or last.workers_bytes is None:
        return ""
    free = last.memory_available_bytes
    left = "" if free is None else f", {text.size(free)} free"
    return f"<small>workers hold {text.size(last.workers_bytes)}{left}</small>"


def _last_steps(now: PhaseBegan | None) -> str:
    """Say why a study still goes on where nobody can tell for how long; nothing while a variant is brought up."""
    if now is not None and now.phase == "rounds":
        over = (now.round_number or 0) > FIRST_ROUNDS
        return ", finishing this round" if over else ", finishing the first three rounds"
    return ", the last steps" if now is not None and now.phase in LAST_PHASES else ""


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


def compare_page(comparison: Comparison, marks: Marks) -> str:
    """Return how variants compare: speed-ups, how calls spread, whether outputs agree, and what is left to win."""
    if not comparison.has_answer:
        return _nothing("Speed-ups, the spread of calls and whether outputs agree appear here.")
    return "".join((_drawn(comparison, COMPARED, marks), _outputs(comparison, marks), _least(comparison, marks)))


def cost_page(comparison: Comparison, marks: Marks) -> str:
    """Return what variants cost besides their calls."""
    if not comparison.has_answer:
        return _nothing("First calls, start-up and after how many calls it pays off appear here.")
    names = [name for name in COSTS if name != "break_even" or len(comparison.measurements) > 1]
    return _drawn(comparison, tuple(names), marks)


def timeline(comparison: Comparison, marks: Marks) -> str:
    """Return what first calls spent their time on, to stand below the live plot; nothing while there is nothing."""
    if not charts.read(comparison, "compiling", marks=marks).rows:
        return ""
    rows = sum(_compiles(name) for name in comparison.measurements)
    return f'<div style="min-height:{110 + 26 * rows}px">{_drawn(comparison, ("compiling",), marks)}</div>'


def _compiles(name: str) -> bool:
    """Whether a variant will have a row of its own in the timeline, so that room is kept and nothing jumps."""
    try:
        engine = Variant.read(name).engine
    except VariantError:
        return False
    return engine.compiles or engine.exports


def code(comparison: Comparison, variant: str) -> str:
    """Return Python that runs a variant; empty where that is none here, as in a record of another version."""
    try:
        lines = comparison.code(variant)
    except (LookupError, ValueError):
        return ""
    m = comparison.measurements.get(variant)
    if m is None or m.agreement in (None, *PASSING):
        return lines
    return f"{script.comment(f'Mind: its outputs are {answers.agreement(m)}.')}\n{lines}"


def code_page(comparison: Comparison, chosen: tuple[str, str] | None, calls: float | None) -> str:
    """Return the code of the best variant, and of each other that ran; before a study, name and code of `chosen`."""
    if not comparison.has_answer:
        return _code(*chosen, 0, "chosen") if chosen else _nothing("The code of each variant appears here.")
    best = comparison.best(calls=calls)
    others = [m for m in comparison.ranked(calls=calls) if m is not best and m.status not in ("failed", "skipped")]
    codes = {str(m): code(comparison, str(m)) for m in (best, *others)}
    shown = [_code(name, known, place, name) for place, (name, known) in enumerate(codes.items()) if known]
    name = escape(json.dumps(text.plain(str(best), limit=text.LONGEST_NAME)))
    more = (
        f'<p class="optkit-placeholder">In Python: <code>comparison.measurements[{name}].apply(model)</code> is the '
        f"callable, and <code>comparison.save_recipe(&quot;deploy&quot;, {name})</code> writes all that running it "
        "elsewhere needs.</p>"
    )
    return "".join(shown) + more


def _code(title: str, source: str, place: int, key: str) -> str:
    """Return code behind a fold, the first of which is open."""
    name = f"optkit-code-{place}"
    return (
        f'<details class="optkit-code" data-key="code {escape(key, quote=True)}"{"" if place else " open"}>'
        f"<summary><code>{escape(title)}</code></summary>"
        f'<pre tabindex="0" aria-label="Python of {escape(title, quote=True)}"><code id="{name}">{escape(source)}'
        f'</code></pre><button type="button" data-copy="#{name}" data-key="copy {name}" data-label="Copy">Copy</button>'
        "</details>"
    )


def _drawn(comparison: Comparison, names: tuple[str, ...], marks: Marks) -> str:
    return "".join(
        f'<figure class="optkit-figure"><h4>{escape(charts.CHARTS[name])}</h4>'
        f"{svg.render(comparison, name, marks=marks, width=WIDTH)}</figure>"
        for name in names
    )


def _outputs(comparison: Comparison, marks: Marks) -> str:
    """Return how outputs agree with eager's, where that was looked at."""
    rows = [_agreement(m) for m in comparison.measurements.values() if m.check is not None]
    heads = ("outputs", "n largest error", "n cosine", "n same top class", "worst at, and why")
    return _table("Do outputs agree with eager?", heads, rows, comparison, marks)


def _agreement(m: Measurement) -> tuple[str, ...]:
    assert m.check is not None
    told, error = m.check.details, m.check.max_abs_error
    cosine, top1 = told.get("cosine"), told.get("top1")
    return (
        m.variant,
        answers.agreement(m) or "–",
        "–" if error is None else f"{error:.2g}",
        f"{cosine:.6f}" if isinstance(cosine, int | float) else "–",
        f"{top1:.1%}" if isinstance(top1, int | float) else "–",
        ". ".join(str(told[name]) for name in ("where", "why") if told.get(name) not in (None, "", "output")),
    )


def _least(comparison: Comparison, marks: Marks) -> str:
    """Return how far each variant is from the least time in which this machine could do a call."""
    rows = []
    for m in comparison.measurements.values():
        found = bill.floor_s(m)
        if found is not None and m.headroom is not None:
            rows.append((m.variant, text.duration(m.median_s), text.duration(found[0]), found[1], cells.headroom(m)))
    heads = ("n median", "n least time here", "limited by", "n median over least")
    return _table("What is left to win", heads, rows, comparison, marks)


def _table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], comparison: Comparison, marks: Marks
) -> str:
    """Return a table with a row a variant; nothing without rows. A head that begins with "n " is one of numbers."""
    if not rows:
        return ""
    baseline = str(comparison.baseline) if comparison.baseline else ""
    drawn = {one.name: named(one) for one in marks.assign("study", comparison.measurements, baseline)}
    kinds = ["n" if head.startswith("n ") else "wrap" for head in heads]
    top = "".join(
        f'<th scope="col" class="{kind}">{escape(head.removeprefix("n "))}</th>'
        for kind, head in zip(kinds, heads, strict=True)
    )
    body = "".join(
        f'<tr><td class="who">{drawn[name]}</td>'
        + "".join(f'<td class="{kind}">{escape(cell)}</td>' for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for name, *row in rows
    )
    return (
        f'<figure class="optkit-figure"><h4>{escape(title)}</h4><div class="optkit-scroll" tabindex="0" role="region" '
        f'aria-label="{escape(title, quote=True)}"><table><thead><tr><th scope="col">variant</th>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></figure>"
    )


def _nothing(said: str) -> str:
    return f'<p class="optkit-placeholder">{escape(said)}</p>'


def _begin(words: str) -> str:
    return words[:1].upper() + words[1:]


def notice(said: str) -> str:
    """Return a sentence about what was just asked for, which leaves the answer alone."""
    return f'<div class="optkit-answer bad"><span>{escape(said)}</span></div>'
