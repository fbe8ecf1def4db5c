"""The answer of a comparison in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import bill, text
from optkit.cost import STARTUP_SPREAD
from optkit.verdicts import FEWEST_DECIDING_ROUNDS, PASSING, Doubt, Verdict

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.events import EndReason
    from optkit.measurement import Measurement

ENDINGS: dict[EndReason, str] = {
    "rounds": "all rounds are done",
    "target": "every interval is narrow enough",
    "decided": "every verdict is decided",
    "budget": "the time budget is used up",
    "stopped": "it was stopped",
    "nothing_left": "no variant is left that runs",
    "baseline_failed": "the baseline failed, so there is nothing to compare with",
    "interrupted": "the process that measured was ended",
}
NAMED_AT_MOST = 2
NOTHING_LEFT, WORTH_TELLING = 1.2, 10.0
"""Times the least time of a call: below the first nobody wins anything, above the second the least time says little."""


def answer(c: Comparison, calls: float | None = None) -> str:
    """Return the answer in a few sentences; with `calls`, of a process that makes so many in its life."""
    baseline = c.baseline
    if baseline is None or baseline.median_s is None:
        return _no_answer(c)
    best, fastest = c.best(calls=calls), c.best()
    if best is not baseline:
        return " ".join([*_first_done(best, baseline, calls), *_praise(c, best, fastest), *_footnotes(c)])
    if fastest is not baseline:
        return " ".join([*_not_worth_it(fastest, baseline, calls), *_left(fastest), *_footnotes(c)])
    others = [m for m in c.measurements.values() if m is not baseline]
    undecided = may_beat(c)
    if c.ended_because is None:
        return f"Nothing is known to beat {baseline} yet ({text.duration(baseline.median_s)} a call)."
    late = [m for m in undecided if calls is not None and _starts_too_late(m, baseline, calls)]
    if late and len(late) == len(undecided):
        said = f"A process that makes {calls:,.0f} calls should stay with {baseline}: it is done after "
        said += f"{text.duration(baseline.cumulative_s(calls or 0))}, and {_some(late)} would still be starting."
    elif undecided:
        said = f"Inconclusive: {_some([m for m in undecided if m not in late])} may or may not beat {baseline}"
        said += f"{_too_few(undecided)}; a larger budget would tell."
    elif all(m.median_s is None for m in others):
        said = f"Only {baseline} could be measured: {text.duration(baseline.median_s)} a call."
    else:
        said = f"Nothing beats {baseline}: {text.duration(baseline.median_s)} a call."
    return " ".join([said, *_left(baseline), *_footnotes(c)])


def standing(c: Comparison) -> tuple[Measurement, Verdict | None, list[Measurement]]:
    """Return the best variant, the verdict on it, and its rivals, which may be as fast.

    Of the baseline the verdict is inconclusive where something may beat it, which its rivals then are; and None where
    nothing else was measured.
    """
    best = c.best()
    if best is not c.baseline:
        return best, best.verdict, tied_with(c, best)
    rivals = may_beat(c)
    is_alone = all(m.median_s is None for m in c.measurements.values() if m is not best)
    return best, Verdict.INCONCLUSIVE if rivals else None if is_alone else best.verdict, rivals


def may_beat(c: Comparison) -> list[Measurement]:
    """Return the variants of which it cannot be told whether they beat the baseline."""
    others = [m for m in c.measurements.values() if m is not c.baseline]
    return [m for m in others if m.median_s is not None and _may_be_faster(m)]


def tied_with(c: Comparison, best: Measurement) -> list[Measurement]:
    """Return the variants that surely beat the baseline too, and may be as fast as the best."""
    rivals = [m for m in c.measurements.values() if m is not best and m.merit > 0 and m.verdict == Verdict.FASTER]
    return [m for m in rivals if c.between(str(best), str(m)).verdict in (Verdict.SAME, Verdict.INCONCLUSIVE)]


def machine(c: Comparison) -> str:
    """Return how noisy the machine is, as far as is known; empty where it is not."""
    said = []
    if c.noise is not None:
        said.append(f"two equal workers agree within {c.noise:.1%}")
    around = c.surroundings
    if around.others_cpus is not None:
        said.append(f"other processes use {around.others_cpus:.1f} of {around.visible_cpus} CPUs")
    if around.throttled_share:
        said.append(f"held back {around.throttled_share:.0%} of the time")
    return ", ".join(said)


def agreement(m: Measurement) -> str:
    """Say in a few words how a variant's outputs compare with eager's; empty where that is not known."""
    error = None if m.check is None else m.check.max_abs_error
    words = {
        None: "",
        "equal": "equal to eager's",
        "close": "close to eager's",
        "reduced": "close to eager's, in lower precision",
        "different": "different from eager's",
        "nan": "not a number",
        "inf": "infinite",
        "nondeterministic": "cannot be repeated",
        "stateful": "change from call to call",
        "failed": "could not be compared",
    }
    said = words.get(m.agreement, f"of another {m.agreement} than eager's")
    return f"{said} (within {error:.1g})" if said and error and m.agreement != "equal" else said


def _some(found: list[Measurement]) -> str:
    return " and ".join(map(str, found)) if len(found) <= NAMED_AT_MOST else f"{len(found)} variants"


def _too_few(undecided: list[Measurement]) -> str:
    """Say so where there were too few rounds for any verdict."""
    rounds = max(m.rounds for m in undecided)
    if rounds >= FEWEST_DECIDING_ROUNDS:
        return ""
    had = f"after {rounds} round{'s' * (rounds != 1)}" if rounds else "before the first round was over"
    return f" {had}, and no verdict is given under {FEWEST_DECIDING_ROUNDS}"


def _starts_too_late(m: Measurement, baseline: Measurement, calls: float) -> bool:
    """Whether the baseline is surely done with so many calls before a variant has given its first answer."""
    start, done_s = m.startup(), baseline.cumulative_s(calls)
    return start is not None and done_s is not None and start.total_s * (1 - STARTUP_SPREAD) > done_s


def _first_done(best: Measurement, baseline: Measurement, calls: float | None) -> list[str]:
    """Say what a whole process gains, start-up included."""
    mine, theirs = (None, None) if calls is None else (best.cumulative_s(calls), baseline.cumulative_s(calls))
    if calls is None or mine is None or theirs is None:
        return []
    return [
        (
            f"A process that makes {calls:,.0f} calls is done first with {best}: after {text.duration(mine)}, "
            f"against {text.duration(theirs)} with {baseline}."
        )
    ]


def _not_worth_it(fastest: Measurement, baseline: Measurement, calls: float | None) -> list[str]:
    """Say why the fastest variant is not the answer for a process of so many calls, or that it cannot be told."""
    assert calls is not None
    total_s, even = baseline.cumulative_s(calls), fastest.break_even()
    after = "" if total_s is None else f", after {text.duration(total_s)}"
    low, high = fastest.interval() or (float("nan"), float("nan"))
    why = f"{fastest} is {fastest.speedup:.2f}× faster a call ({low:.2f}–{high:.2f})"
    if even.low is None:
        return [f"Whether a process that makes {calls:,.0f} calls gains is not known.", f"{why}."]
    why = f"{why}, but started cold it pays off after {even.said}."
    if even.low <= calls:
        return [f"It cannot be told whether a process that makes {calls:,.0f} calls gains.", why]
    return [f"A process that makes {calls:,.0f} calls should stay with {baseline}{after}.", why]


def _praise(c: Comparison, best: Measurement, fastest: Measurement) -> list[str]:
    low, high = best.interval() or (float("nan"), float("nan"))
    said = [f"{best} is {best.speedup:.2f}× faster than {c.baseline} ({low:.2f}–{high:.2f})."]
    said.append(f"Its first call takes {text.duration(best.first_call_s)}.")
    said += _costs(best)
    words = agreement(best)
    said.append(f"Its outputs are {words}." if words else "Its outputs were not compared.")
    if best is not fastest:  # with calls: of a process that makes more, another is the answer
        return [*said, f"{fastest} is faster a call, {fastest.speedup:.2f}×, but surely done no sooner."]
    if c.ended_because is not None and best.confirmed_speedup is None and not best.reloaded:
        said.append("No fresh worker has confirmed it; a larger budget would.")
    tied = [str(m) for m in tied_with(c, best)]
    if tied and c.ended_because is not None:
        said.append(f"{_and(tied)} may be as fast.")
    return said


def _costs(best: Measurement) -> list[str]:
    """Say when a process that starts cold has made up for it, and what is left to win."""
    even = best.break_even()
    known = even.low is not None and not even.is_never
    return [*([f"Started cold, it pays off after {even.said}."] if known else []), *_left(best)]


def _left(m: Measurement) -> list[str]:
    """Say how far a variant is from what this machine can do at most."""
    found, headroom = bill.floor_s(m), m.headroom
    if found is None or headroom is None:
        return []
    least = f"this machine needs {text.duration(found[0])} for its {found[1]} alone"
    if headroom <= NOTHING_LEFT:
        return [f"Without less precision there is nothing left to win: {least}."]
    said = f"Without less precision at most {headroom:.1f}× is left to win: {least}."
    return [said] if headroom < WORTH_TELLING else []


def _footnotes(c: Comparison) -> list[str]:
    """Return what must be said beside an answer."""
    everyone = list(c.measurements.values())
    missing = [str(m) for m in everyone if m.median_s is None]
    uncompiled = [str(m) for m in everyone if Doubt.NOT_COMPILED in m.doubts]
    others = [m for m in everyone if m.agreement not in (None, *PASSING) and m is not c.baseline]
    found = [f"Not measured: {', '.join(missing)}."] if missing else []
    if c.surroundings.disables_compile and uncompiled:
        found.append(f"{_and(list(c.surroundings.disables_compile))} is set, so torch.compile does nothing here.")
    elif uncompiled:
        found.append(f"torch.compile compiled nothing of this model: {', '.join(uncompiled)}.")
    found += [
        f"{m} is {m.speedup:.2f}× as fast, but its outputs are {_faulty(m)}."
        for m in others
        if m.verdict == Verdict.FASTER and Doubt.NOT_COMPILED not in m.doubts
    ]
    if c.baseline is not None and c.baseline.status == "failed":
        found.append(f"The baseline failed on the way: {c.baseline.reason}")
    return found


def _faulty(m: Measurement) -> str:
    if m.agreement in ("nondeterministic", "stateful", "failed"):
        return "not known to be right"
    return agreement(m)


def _no_answer(c: Comparison) -> str:
    if c.ended_because is None:
        return "Measuring …" if c.started else "Nothing was measured yet."
    reason = c.baseline.reason if c.baseline else None
    return f"There is no answer: {reason}" if reason else f"There is no answer: {ENDINGS[c.ended_because]}."


def _may_be_faster(m: Measurement) -> bool:
    if m.verdict not in (None, Verdict.INCONCLUSIVE) or m.merit == 0:
        return False
    interval = m.interval()
    return interval is None or interval[1] > 1


def _and(names: list[str]) -> str:
    return " and ".join(names) if len(names) <= NAMED_AT_MOST else f"{', '.join(names[:-1])} and {names[-1]}"
