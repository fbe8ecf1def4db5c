"""What follows from a replay of shapes: sentences that name its numbers, and nothing that it has not shown. Pure."""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING

from optkit import text
from optkit.replayed import GAVE_UP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optkit.replay import Replay
    from optkit.replayed import ReplayedCall

EAGER, MARK = "eager", "mark_dynamic"
NEAR = 1.1
"""Times within 10 % are called about the same: each is of one run, and compiling takes longer at times."""
FEWEST_LATER = 2
"""Of fewer calls in which nothing was compiled nothing is concluded."""
MOST_REASONS = 3
MOST_CHARACTERS = 70
"""So many of what was asked for are named in one sentence, of longer lists the first."""
FIRST_DIMENSION = re.compile(r"index 0\.|(?:size\(\)|shape)\[0\]")


def advice(replay: Replay) -> list[str]:
    """Return what to do, and what it rests on, one sentence each."""
    ways = [name for name in replay.variants if name != EAGER]
    told = [*_refused(replay), *_compiled(replay, ways), *_other_reasons(replay, ways), *_given_up(replay, ways)]
    if not replay.is_disturbed:
        told += _least(replay, ways)
    told += [*_ones(replay, ways), *_bounds(replay, ways), *_marks(replay), *_warm_up(replay, ways)]
    return told + [f"{name} made no calls: {why}" for name, why in replay.failed.items()]


def again(calls: Iterable[ReplayedCall]) -> list[ReplayedCall]:
    """Return the calls after the first in which something was compiled."""
    return [call for call in calls if call.compiles and call.number > 1]


def others_s(calls: Iterable[ReplayedCall]) -> float | None:
    """Return the median of the calls in which nothing was compiled; None where there are none."""
    durations = [call.duration_s for call in calls if not call.compiles and call.duration_s is not None]
    return median(durations) if durations else None


def listed(words: Sequence[str]) -> str:
    """Write ``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _shapes(calls: Iterable[ReplayedCall]) -> str:
    """Write what was asked for in calls, each once; of very many the first."""
    shapes = list(dict.fromkeys(call.asked for call in calls))
    named = max(2, MOST_CHARACTERS // max(map(len, shapes), default=1))
    more = len(shapes) - named
    return listed(shapes if more <= 1 else [*shapes[:named], f"{more} more"])


def _calls(calls: Sequence[ReplayedCall]) -> str:
    return f"call{'s' * (len(calls) > 1)} {listed([str(call.number) for call in calls])}"


def _refused(replay: Replay) -> list[str]:
    """Say which shapes the model itself does not take, and which a variant alone does not."""
    eager = [call for call in replay.of(EAGER) if call.error]
    told = []
    if eager:
        told.append(f"The model itself does not take {_shapes(eager)}; eager raised: {eager[0].error}.")
    known = {call.number for call in eager}
    for name in replay.variants:
        raised = [call for call in replay.of(name) if call.error and call.number not in known]
        if raised and not _is_violated(raised[0]):
            told.append(
                f"{name} failed where eager did not, in {_calls(raised)} ({_shapes(raised)}): {raised[0].error}."
            )
    return told


def _compiled(replay: Replay, ways: list[str]) -> list[str]:
    """Say in which calls each way compiled."""
    told = [name for name in ways if replay.compiles(name) is not None]
    counts = {name: [call for call in replay.of(name) if call.compiles] for name in told}
    if not told:
        return []
    nothing = [name for name, calls in counts.items() if not calls]
    some = [name for name in told if counts[name]]
    said = [f"{listed(nothing)} compiled nothing in {len(replay.of(told[0]))} calls."] if nothing else []
    later = len(replay.of(told[0])) - 1
    if some and later and not any(again(counts[name]) for name in some):
        rest = [call for name in some for call in replay.of(name)[1:]]
        plain = not any(call.error or call.left_to_eager for call in rest)
        ran = f", and the {later} after it ran on what that had compiled" if plain else ""
        said.append(f"Nothing was compiled again: {listed(some)} compiled in the first call only{ran}.")
    elif some and later:
        parts = [_pattern(name, counts[name], replay, is_first=name == some[0]) for name in some]
        said.append(f"{'; '.join(parts)}.")
    return said


def _pattern(name: str, calls: list[ReplayedCall], replay: Replay, *, is_first: bool) -> str:
    total, compiles = len(replay.of(name)), replay.compiles(name) or 0
    of = f" of {total} calls" if is_first else ""
    more = f"; {compiles} compiles" if compiles != len(calls) else ""  # a graph break makes several in a call
    return f"{name} compiled in {len(calls)}{of} ({_shapes(calls)}{more})"


def _other_reasons(replay: Replay, ways: list[str]) -> list[str]:
    """Say what compiled again and is no shape: no way to treat shapes, and no warm-up, is a remedy for that."""
    seen: dict[str, list[tuple[str, ReplayedCall]]] = {}
    for name in ways:
        for call in again(replay.of(name)):
            for one in call.compilations or ():
                if not one.of_shape:
                    about = re.sub(r": (?:not .+ any more|.+ → .+)$", "", one.reason).rstrip(".")
                    seen.setdefault(about, []).append((name, call))
    told = []
    for about, found in list(seen.items())[:MOST_REASONS]:
        names = listed(list(dict.fromkeys(name for name, _ in found)))
        calls = list({call.number: call for _, call in sorted(found, key=lambda one: one[1].number)}.values())
        told.append(f"{names} compiled again in {_calls(calls)} because of what is no shape: {about}.")
    return [*told, "optkit.diagnose names the line of what is no shape, with a fix."] if told else []


def _given_up(replay: Replay, ways: list[str]) -> list[str]:
    """Say where torch ran a call without compiling it."""
    told = []
    for name in ways:
        for why in dict.fromkeys(why for call in replay.of(name) for why in call.left_to_eager):
            calls = [call for call in replay.of(name) if why in call.left_to_eager]
            after = "; from there on, sizes that it has no graph for run without compiling" if why == GAVE_UP else ""
            told.append(f"{name} left {_calls(calls)} ({_shapes(calls)}) to eager: {why.rstrip('.')}{after}.")
    return told


def _least(replay: Replay, ways: list[str]) -> list[str]:
    """Say which way took the least time over the whole sequence, and what eager took."""
    totals = sorted((total, name) for name in ways if (total := replay.total_s(name)) is not None)
    if not totals:
        return []
    least, best = totals[0]
    near = [name for total, name in totals if total <= least * NEAR]
    far = [(total, name) for total, name in totals if total > least * NEAR]
    times = len(replay.of(best))
    if len(totals) == 1:
        told = [f"{best} took {text.duration(least)} for all {times} calls."]
    elif len(near) > 1:
        took = listed([text.duration(total) for total, name in totals if name in near])
        told = [f"{listed(near)} took about the same for all {times} calls, {took}{_against(far)}."]
    else:
        told = [f"{best} took the least time for all {times} calls, {text.duration(least)}{_against(far)}."]
    compiles = replay.compiles(best)
    if alike := [name for _, name in far if compiles and replay.compiles(name) == compiles]:
        told.append(
            f"{listed(alike)} compiled as often as {best} ({compiles}): in a single run, the difference in time "
            "between them says little."
        )
    if (eager := replay.total_s(EAGER)) is not None:
        told.append(f"eager took {text.duration(eager)} for the same calls{_pays_off(replay, best, least, eager)}.")
    return told


def _pays_off(replay: Replay, best: str, least: float, eager: float) -> str:
    """Say whether compiling pays off, as far as the calls show it; empty where nothing was compiled."""
    if not replay.compiles(best):
        return ""
    if eager > least * NEAR:
        return ": compiling paid off within them"
    if eager * NEAR >= least:
        return ": about the same"
    later = {call.number: call.duration_s for call in replay.of(best) if not call.compiles and call.duration_s}
    same = [call.duration_s for call in replay.of(EAGER) if call.number in later and call.duration_s]
    if len(same) < FEWEST_LATER or len(same) != len(later):
        return ""
    return f", and a call in which {best} compiles nothing is {_later(median(later.values()), median(same))}"


def _later(ours: float, theirs: float) -> str:
    """Say how calls in which nothing was compiled compare with eager's of the same shapes.

    Only if they are clearly shorter will compiling ever be paid for.
    """
    held = f"({text.duration(ours)} against {text.duration(theirs)}, medians)"
    if ours * NEAR < theirs:
        return f"faster {held}: compiling pays off if enough more follow"
    if ours > theirs * NEAR:
        return f"slower {held}: compiling never pays off here"
    return f"not clearly faster {held}: compiling shows no gain here"


def _against(far: list[tuple[float, str]]) -> str:
    return f", against {listed([f'{text.duration(total)} with {name}' for total, name in far])}" if far else ""


def _ones(replay: Replay, ways: list[str]) -> list[str]:
    """Advise to pad a batch of 1 where it had, or made necessary, a graph of its own."""
    seen: dict[str, list[ReplayedCall]] = {}
    for name in ways:
        if not ("dynamic=true" in name or name == MARK):
            continue  # elsewhere sizes other than 1 have graphs of their own as well
        calls = [call for call in again(replay.of(name)) if any(one.of_one for one in call.compilations or ())]
        if calls:
            seen[name] = calls
    if not seen:
        return []
    calls = next(iter(seen.values()))
    guards = [one.guard for call in calls for one in call.compilations or () if one.of_one]
    what = "the batch of 1" if any(FIRST_DIMENSION.search(guard) for guard in guards) else "the size of 1"
    durations = [call.duration_s for call in calls if call.duration_s is not None]
    cost = f", which took {text.duration(sum(durations))}" if durations else ""
    because = f"{_calls(calls)} compiled again because of it{cost}"
    return [f"Pad {what} to 2: it has a graph of its own also with {listed(list(seen))} ({because})."]


def _bounds(replay: Replay, ways: list[str]) -> list[str]:
    """Say where a graph with symbolic sizes holds for some of them only."""
    seen: dict[str, list[tuple[str, ReplayedCall]]] = {}
    for name in ways:
        for call in again(replay.of(name)):
            for one in call.compilations or ():
                if "<=" in one.guard and not one.of_one:
                    seen.setdefault(one.guard, []).append((name, call))
    return [
        f"{listed(list(dict.fromkeys(name for name, _ in found)))} compiled again for "
        f"{_shapes(call for _, call in found)}, as the graph before holds for {guard} only."
        for guard, found in seen.items()
    ]


def _marks(replay: Replay) -> list[str]:
    """Say where a mark was not made, was refused, or did not reach."""
    calls, told = replay.of(MARK), []
    unmarked = [call for call in calls if call.unmarked]
    if unmarked:
        names = listed(sorted({name for call in unmarked for name in call.unmarked}))
        where = f"{_calls(unmarked)} ({_shapes(unmarked)})"
        told.append(f"mark_dynamic was not called for {names} in {where}: torch takes a size of 1 for a constant.")
    violated = [call for call in calls if _is_violated(call)]
    if violated:
        told.append(
            f"mark_dynamic failed in {_calls(violated)} ({_shapes(violated)}), because a size that was marked is built "
            f"into the model ({violated[0].error}); take the constant out of the model, or leave the mark out."
        )
    for call in again(calls):
        rests = [one for one in call.compilations or () if one.resumed_at is not None and not one.of_one]
        if rests and all(one.resumed_at is not None for one in call.compilations or ()):
            told.append(
                f"mark_dynamic compiled {listed([one.name for one in rests])} again in call {call.number} "
                f"({call.asked}): a mark ends at a graph break, so mend the break."
            )
            break
    return told


def _is_violated(call: ReplayedCall) -> bool:
    return call.variant == MARK and "Constraints violated" in (call.error or "")


def _warm_up(replay: Replay, ways: list[str]) -> list[str]:
    """Say which shapes to call with before serving, with the way that took the least time."""
    totals = sorted(
        (total, name) for name in ways if (total := replay.total_s(name)) is not None and replay.compiles(name)
    )
    if not totals:
        return []
    total, best = totals[0]
    calls = [call for call in replay.of(best) if call.compiles]
    if any(not one.of_shape for call in again(calls) for one in call.compilations or ()):
        return []
    spent = sum(call.duration_s or 0.0 for call in calls)
    order = ", in this order" if len({call.asked for call in calls}) > 1 else ""
    cost = f"the calls that compiled took {text.duration(spent)} of its {text.duration(total)}"
    return [f"Before you serve with {best}, warm up {_shapes(calls)}{order}: {cost}."]
