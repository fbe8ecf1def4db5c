"""What torch told of a model from several sides, put together: one finding a place, with those who saw it. Pure.

torch's log of graph breaks is the first of them: it has every break of the calls themselves, with the lines that lead
there. The others tell less, and are asked whether they agree; where a version of torch has no such log, they are all
there is.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optkit import compile_record
from optkit.causes import Cause
from optkit.finding import COUNTER, EXPLAIN, LOG, RECORD, RESUMED, Finding, Frame, is_own, joined, placed, together
from optkit.recompiled import recompiles

if TYPE_CHECKING:
    from collections.abc import Iterator

RECURRING = re.compile(r"\s+")
LOGGING = "/logging/__init__.py"


def findings(
    explained: dict[str, Any], called: dict[str, Any], *, dynamic: bool | None = None, fullgraph: bool | None = None
) -> list[Finding]:
    """Put together what `optkit.worker.breaks` and `optkit.worker.calls` told.

    Parameters
    ----------
    explained, called
        Their answers.
    dynamic, fullgraph
        Those settings of torch.compile.
    """
    breaks, skipped = _merged(_breaks(explained, called), _skipped(called, is_full=bool(fullgraph)))
    again = recompiles(called, explained["parameters"], dynamic=dynamic)
    told = {number for one in skipped if one.kind == "failed" for number in one.calls}
    found = sorted([*breaks, *skipped, *again, *_others(called, told)], key=lambda one: min(one.calls, default=0))
    found = _at_own_lines(found)
    return _with_nothing_compiled(found, explained, called)


def evidence(explained: dict[str, Any], called: dict[str, Any]) -> dict[str, int | None]:
    """Return what was counted; see `optkit.diagnosis.Diagnosis`."""
    facts, records = called["facts"] or {}, list(_records(called))
    counted = None if called["breaks"] is None else sum(called["breaks"].values())
    logged = len(list(_logged(called))) if called.get("logged") else None
    resumed = len(_resumed(called))
    sides = [counted, resumed, len(explained["breaks"]) if logged is None else logged]
    return {
        "calls": len(called["calls"]),
        "compiles": len(records),
        "graphs": facts.get("graphs"),
        "graph_breaks": max(side for side in sides if side is not None),
        "breaks_logged": logged,
        "breaks_counted": counted,
        "breaks_explained": len(explained["breaks"]),
        "functions_resumed": resumed,
        "recompiles": facts.get("recompiles"),
        "recompiles_failed": sum(bool(one["failed"] and one["reason"]) for _, one in records),
        "skipped_functions": sum(
            compile_record.outcome(one, call["error"]) == "skipped"
            for call in called["calls"]
            for one in call["compiles"]
        ),
        "cudagraph_skips": facts.get("cudagraph_skips"),
    }


def _records(called: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Return the record of each compile with the number of the call that it was made in."""
    return ((number, one) for number, call in enumerate(called["calls"], 1) for one in call["compiles"])


def _logged(called: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (one for call in called["calls"] for one in call.get("breaks", ()))


def _resumed(called: dict[str, Any]) -> list[Frame]:
    """Return where functions were resumed: behind a graph break in them, or in what they call."""
    told = [(one["path"], one["resumed_at"], one["function"]) for _, one in _records(called)]
    return list(dict.fromkeys(at for at in told if at[1] is not None))


def _breaks(explained: dict[str, Any], called: dict[str, Any]) -> list[Finding]:
    """Return the graph breaks: those in the log; without one, those explained, and lines where functions resume."""
    logged = [(LOG, one) for one in _logged(called)]
    told = [(EXPLAIN, one) for one in explained["breaks"]]
    heads = {_head(message) for message in called["breaks"] or ()}
    resumed = _resumed(called)
    places = {_own_lines(one)[-1:] for _, one in logged}
    found, lines = [], set()
    for side, one in [*logged, *told]:
        if side == EXPLAIN and called.get("logged") and _own_lines(one)[-1:] not in places:
            continue  # it explains a call of its own, and those that were asked about broke nowhere there
        passed = {(str(path), int(line)) for path, line, _ in one["stack"]}
        lines |= passed
        seen = [
            side,
            *[RESUMED] * any(at[:2] in passed for at in resumed),
            *[COUNTER] * (_head(one["reason"]) in heads),
        ]
        frames = [(str(path), int(line), str(name)) for path, line, name in one["stack"]]
        found.append(placed(frames, "graph_break", one["reason"], tuple(seen)))
    found += [placed([at], "graph_break", "", (RESUMED,)) for at in resumed if at[:2] not in lines and is_own(at[0])]
    if not found:
        found = [placed([], "graph_break", said, (COUNTER,)) for said in called["breaks"] or ()]
    return [replace(one, count=1) for one in together(found)]


def _own_lines(told: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the user's lines that lead to a break."""
    return tuple((str(path), int(line)) for path, line, _ in told["stack"] if is_own(str(path)))


def _head(said: str) -> str:
    return RECURRING.sub(" ", said.strip())[: compile_record.COMPARED]


def _skipped(called: dict[str, Any], *, is_full: bool) -> list[Finding]:
    """Return the functions at which torch gave up: it left them to eager, or, where it may not, the call raised."""
    found = []
    records = [one for _, one in _records(called)]
    for number, one in _records(called):
        if not one["failed"]:
            continue
        if compile_record.is_limit(one):
            first = compile_record.compiled_before(one, records)
            at: Frame = (first["path"], first["line"] or 0, compile_record.function(first))
            finding = placed([at], "limit", one["fail_reason"], (RECORD,), _LIMIT)
        else:
            at = (one["fail_path"] or one["path"], one["fail_line"] or one["line"] or 0, one["function"])
            kind = compile_record.outcome(one, called["calls"][number - 1]["error"])
            if kind == "error":
                continue
            finding = placed([at], kind, one["fail_reason"], (RECORD,))
            finding = _left_to_eager(finding) if kind == "skipped" else _refused(finding, is_full=is_full)
        found.append(replace(finding, calls=(number,)))
    return together(found)


def _left_to_eager(finding: Finding) -> Finding:
    name = f"{finding.function}()" if finding.function else "this function"
    if finding.cause == "exception":
        return replace(finding, reason=f"{finding.reason} From there on all of {name} is left to eager.")
    return replace(
        finding,
        reason=f"{finding.reason} torch could not break the graph here (in a loop or a try block it cannot), so all of "
        f"{name} is left to eager.",
    )


def _refused(finding: Finding, *, is_full: bool) -> Finding:
    reason = f"The call raised where torch would have to break the graph. {finding.reason}"
    fix = f"{finding.fix} Or leave out fullgraph=True, and accept the break." if is_full else finding.fix
    return replace(finding, reason=reason, fix=fix)


def _at_own_lines(found: list[Finding]) -> list[Finding]:
    """Leave out what is in the library that logs messages, where the user's line that logs is told.

    Where that line is left to eager, torch compiles the library's functions one by one, and breaks in each.
    """
    place = next((i for i, one in enumerate(found) if one.cause == "logging" and is_own(one.path)), None)
    inside = [one for one in found if one.path.endswith(LOGGING)]
    if place is None or not inside:
        return found
    seen = tuple(one for each in inside for one in each.seen_by)
    found[place] = replace(found[place], seen_by=joined(found[place].seen_by, seen))
    return [one for one in found if one not in inside]


_LIMIT = Cause(
    "recompile_limit",
    "It was compiled so often that torch gave up, and runs it without compiling from there on.",
    "Mend the recompiles of this function first.",
)


def _merged(breaks: list[Finding], skipped: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Leave out breaks at which a whole function was left to eager: what they tell more is told there."""
    known = {(one.cause, one.place): one for one in skipped if one.kind == "skipped" and one.place}
    rest = []
    for one in breaks:
        key = (one.cause, one.place)
        if key not in known:
            rest.append(one)
            continue
        seen, callers = joined(one.seen_by, known[key].seen_by), joined(known[key].callers, one.callers)
        known[key] = replace(known[key], seen_by=seen, callers=callers)
    return rest, [known.get((one.cause, one.place), one) if one.kind == "skipped" else one for one in skipped]


def _others(called: dict[str, Any], told: set[int]) -> list[Finding]:
    """Return what has no line: CUDA graphs that were skipped, calls that raised unless they are told already."""
    facts, found = called["facts"] or {}, []
    if facts.get("cudagraph_skips"):
        found.append(
            Finding(
                "cudagraphs", "cudagraphs_skipped", "CUDA graphs were asked for, and torch did without them.",
                "They need a CUDA device, inputs that stay where they are, and no operation on the CPU.",
                seen_by=(COUNTER,), count=facts["cudagraph_skips"],
            )
        )  # fmt: skip
    raised = [(number, call) for number, call in enumerate(called["calls"], 1) if number not in told and call["error"]]
    return [*found, *together(_raised(number, call) for number, call in raised)]


def _raised(number: int, call: dict[str, Any]) -> Finding:
    """Return that a call raised, at the user's line where it did."""
    cause = Cause(
        "call_failed", f"The call raised {call['error']}.",
        "See whether eager takes these inputs, and which of its lines they reach.",
    )  # fmt: skip
    frames: list[Frame] = [(str(path), int(line or 0), str(name)) for path, line, name in call.get("raised_at", ())]
    own = [frame for frame in frames if is_own(frame[0])]
    return replace(placed(own, "failed", call["error"], (), cause), callers=(), calls=(number,))


def _with_nothing_compiled(found: list[Finding], explained: dict[str, Any], called: dict[str, Any]) -> list[Finding]:
    """Say first that torch made no graph at all, where every call came through all the same, and why if that is known.

    A break of the model as a whole is no graph break then: there is no graph to break.
    """
    if (called["facts"] or {}).get("graphs") != 0 or any(call["error"] for call in called["calls"]):
        return found
    rest = [one for one in found if one.kind != "graph_break" or one.place]
    whole = next((one for one in found if one.kind == "graph_break" and not one.place), None)
    if explained.get("scripted"):
        cause = _SCRIPTED
    elif not any(call["compiles"] for call in called["calls"]):
        cause = _UNTOUCHED
    elif whole is not None:
        cause = _DISABLED if whole.cause == "disabled" else Cause(whole.cause, whole.reason, whole.fix)
    elif any(one.kind == "skipped" for one in found):
        cause = _LEFT
    else:
        cause = _BROKEN if rest else _NO_OPERATION
    seen = (RECORD,) if whole is None else whole.seen_by
    said = "" if whole is None else whole.said
    first = Finding("not_compiled", cause.name, cause.reason, cause.fix, seen_by=seen, said=said)
    return [first, *rest]


_SCRIPTED = Cause(
    "torchscript",
    "The model is a TorchScript module (traced or scripted), and torch.compile makes no graph of one and says nothing.",
    "Compile the original module, not what torch.jit made of it.",
)
_DISABLED = Cause(
    "disabled", "The model was taken out of compiling with torch.compiler.disable.",
    "Remove torch.compiler.disable from it.",
)  # fmt: skip
_UNTOUCHED = Cause(
    "not_tried", "torch.compile did not try to compile anything, and does not say why.",
    "torch.compile takes modules and functions that are written in Python; see whether this is one.",
)  # fmt: skip
_LEFT = Cause(
    "left_to_eager", "No part of the model is compiled: what torch looked at, it left to eager.",
    "Mend what is named below; then there is something to compile.",
)  # fmt: skip
_BROKEN = Cause(
    "broken", "Between the graph breaks no operation on tensors is left, so there was nothing to make a graph of.",
    "Mend the graph breaks that are named below.",
)  # fmt: skip
_NO_OPERATION = Cause(
    "no_operation", "torch found no operation on tensors in it, so there was nothing to make a graph of.",
    "Leave torch.compile out for this model.",
)  # fmt: skip
