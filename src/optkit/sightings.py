"""What torch told of a model from several sides, put together: one finding a place, with those who saw it. Pure."""

from __future__ import annotations

import linecache
import re
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optkit import causes
from optkit.causes import Cause

COUNTER, EXPLAIN, RESUMED, RECORD = "counter", "explain", "resumed function", "record"
INSTALLED = ("site-packages", "dist-packages")
Frame = tuple[str, int, str]
"""Path, line and function."""


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a model from running as one graph, or from being compiled once.

    Attributes
    ----------
    kind
        ``graph_break``, ``recompile``, ``skipped`` (a function that is left to eager), ``limit`` (torch compiles it no
        more), ``cudagraphs`` (skipped), or ``failed`` (a call that raised).
    cause
        A short name; see `optkit.causes.Cause`.
    path, line, function, source
        The user's line; empty and 0 where it has none.
    reason, fix, changed
        Sentences; see `optkit.causes.Cause`.
    said
        torch's own words.
    seen_by
        Which of torch's sources told of it.
    callers
        Places from which it is reached, each ``path:line``: their functions were broken there as well.
    count
        How often, where that is told.
    calls
        Numbers of the calls in which it happened, from 1.
    """

    kind: str
    cause: str
    reason: str
    fix: str
    path: str = ""
    line: int = 0
    function: str = ""
    source: str = ""
    changed: str = ""
    said: str = ""
    seen_by: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    count: int = 1
    calls: tuple[int, ...] = ()

    @property
    def place(self) -> str:
        """``path:line``; empty where it has none."""
        return f"{self.path}:{self.line}" if self.path else ""


def findings(explained: dict[str, Any], called: dict[str, Any]) -> list[Finding]:
    """Put together what `optkit.worker.breaks` and `optkit.worker.calls` told."""
    found = _breaks(explained, called) + _skipped(called) + _recompiles(explained, called) + _others(called)
    return sorted(found, key=lambda one: min(one.calls, default=0))


def evidence(explained: dict[str, Any], called: dict[str, Any]) -> dict[str, int | None]:
    """Return what was counted; see `optkit.diagnosis.Diagnosis`."""
    facts = called["facts"] or {}
    records = _records(called)
    counted = None if called["breaks"] is None else sum(called["breaks"].values())
    resumed = {(one["path"], one["resumed_at"]) for _, one in records if one["resumed_at"] is not None}
    sides = [counted, len(explained["breaks"]), len(resumed)]
    return {
        "calls": len(called["calls"]),
        "compiles": len(records),
        "graphs": facts.get("graphs"),
        "graph_breaks": max(side for side in sides if side is not None),
        "breaks_counted": counted,
        "breaks_explained": len(explained["breaks"]),
        "functions_resumed": len(resumed),
        "recompiles": facts.get("recompiles"),
        "skipped_functions": sum(bool(one["failed"]) for _, one in records),
        "cudagraph_skips": facts.get("cudagraph_skips"),
    }


def _records(called: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the record of each compile with the number of the call that it was made in."""
    return [(number, one) for number, call in enumerate(called["calls"], 1) for one in call["compiles"]]


def _breaks(explained: dict[str, Any], called: dict[str, Any]) -> list[Finding]:
    records = _records(called)
    resumed = [(one["path"], one["resumed_at"], one["function"]) for _, one in records if one["resumed_at"] is not None]
    counted = dict(called["breaks"] or {})
    found = []
    for one in explained["breaks"]:
        frames = [(str(path), int(line), str(name)) for path, line, name in one["stack"]]
        seen = [EXPLAIN]
        if any((path, line) == frame[:2] for path, line, _ in resumed for frame in frames):
            seen.append(RESUMED)
            resumed = [at for at in resumed if at[:2] not in {frame[:2] for frame in frames}]
        if (message := _counted(one["reason"], counted)) is not None:
            seen.append(COUNTER)
            counted[message] -= 1
        found.append(_at(own_frame(frames), "graph_break", one["reason"], tuple(seen)))
    unexplained = [at for at in dict.fromkeys(resumed) if is_own(at[0])]
    again = {message for message, count in counted.items() if count > 0}
    if again & {_counted(one.said, counted) for one in found}:
        # It is counted once more in each function that leads there.
        found[0] = replace(found[0], callers=tuple(f"{path}:{line}" for path, line, _ in unexplained))
        unexplained = []
    for at in unexplained:
        said = _said_in(at, records, counted)
        found.append(_at(at, "graph_break", said, (RESUMED, COUNTER) if said else (RESUMED,)))
    if not found:
        found = [_at(None, "graph_break", said, (COUNTER,)) for said in counted]
    return _once(found)


def _said_in(at: Frame, records: list[tuple[int, dict[str, Any]]], counted: dict[str, int]) -> str:
    """Return what torch said of a break in this function that nothing explains yet; empty where it said nothing."""
    path, _, function = at
    told = [said for _, one in records if (one["path"], one["function"]) == (path, function) for said in one["breaks"]]
    for said in told:
        message = _counted(said, counted)
        if message is not None and counted[message] > 0:
            counted[message] -= 1
            return str(said)
    return ""


def _counted(said: str, counted: dict[str, int]) -> str | None:
    """Return the counter's message of a break: its first lines are those of the explanation."""
    begin = " ".join(said.split())[:120]
    return next((message for message in counted if " ".join(message.split())[:120] == begin), None)


def _skipped(called: dict[str, Any]) -> list[Finding]:
    """Return the functions at which torch gave up, and left to eager."""
    found = []
    for number, one in _records(called):
        if not one["failed"]:
            continue
        is_limit = "limit" in f"{one['failed']} {one['fail_reason']}".lower()
        at = (one["fail_path"] or one["path"], one["fail_line"] or one["line"] or 0, one["function"])
        finding = _at(at, "limit" if is_limit else "skipped", one["fail_reason"], (RECORD,))
        if is_limit:
            finding = replace(
                finding, cause="recompile_limit",
                reason="It was compiled so often that torch gave up, and runs it without compiling from there on.",
                fix="Mend the recompiles of this function first.",
            )  # fmt: skip
        found.append(replace(finding, calls=(number,)))
    return _once(found)


def _recompiles(explained: dict[str, Any], called: dict[str, Any]) -> list[Finding]:
    """Return what was compiled again: each guard that failed, tied to the input or the line that it is about."""
    found = []
    for number, one in _records(called):
        if not one["reason"] or one["failed"]:
            continue
        cause = causes.of_guard(one["reason"])
        function = (one["path"], one["line"] or 0, one["function"])
        at = causes.place_of_guard(one["reason"])
        where = function if at is None or not is_own(at[0]) else (*at, one["function"])
        if cause.name == "grad_mode":
            where = _switch_of_grad(function) or where
        if cause.name in ("python_argument", "shape"):
            cause = _as_it_is_now(cause, explained["parameters"], called["calls"][number - 1])
        found.append(replace(_at(where, "recompile", one["reason"], (RECORD,), cause), calls=(number,)))
    return _once(found)


def _as_it_is_now(cause: Cause, parameters: list[str], call: dict[str, Any]) -> Cause:
    """Say what an argument, or a size of it, is now, where the call tells."""
    argument = re.match(r"(\w+): not (.+) any more", cause.changed)
    size = re.match(r"the size of (\w+) in dimension (\d+)$", cause.changed)
    for key, shape, value in call["inputs"]:
        known = parameters[int(key)] if key.isdigit() and int(key) < len(parameters) else key
        if argument is not None and known == argument[1] and shape is None:
            return replace(cause, changed=f"{known}: {argument[2]} → {value}")
        if size is not None and known == size[1] and shape is not None and int(size[2]) < len(shape):
            return replace(cause, changed=f"{cause.changed}, which is {shape[int(size[2])]} now")
    return cause


def _switch_of_grad(function: Frame) -> Frame | None:
    """Return the line of a function that switches the grad mode; None where there is none, or its source is gone."""
    path, first, name = function
    lines = [linecache.getline(path, number) for number in range(first, first + 200)]
    indent = len(lines[0]) - len(lines[0].lstrip())
    for number, line in enumerate(lines[1:], first + 1):
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return None
        if re.search(r"set_grad_enabled|no_grad|enable_grad|inference_mode", line):
            return path, number, name
    return None


def _others(called: dict[str, Any]) -> list[Finding]:
    """Return what has no line: CUDA graphs that were skipped, calls that raised."""
    facts, found = called["facts"] or {}, []
    if facts.get("cudagraph_skips"):
        found.append(
            Finding(
                "cudagraphs", "cudagraphs_skipped", "CUDA graphs were asked for, and torch did without them.",
                "They need a CUDA device, inputs that stay where they are, and no operation on the CPU.",
                seen_by=(COUNTER,), count=facts["cudagraph_skips"],
            )
        )  # fmt: skip
    raised: dict[str, list[int]] = {}
    for number, call in enumerate(called["calls"], 1):
        if call["error"]:
            raised.setdefault(call["error"], []).append(number)
    for error, numbers in raised.items():
        found.append(
            Finding(
                "failed", "call_failed", f"The call raised: {error}.",
                "See whether eager takes these inputs, and which of its lines they reach.",
                said=error, count=len(numbers), calls=tuple(numbers),
            )
        )  # fmt: skip
    return found


def _at(at: Frame | None, kind: str, said: str, seen_by: tuple[str, ...], cause: Cause | None = None) -> Finding:
    path, line, function = at or ("", 0, "")
    source = linecache.getline(path, line).strip() if path else ""
    if cause is None:
        cause = causes.of_break(said, source) if said else _UNEXPLAINED
    return Finding(
        kind, cause.name, cause.reason, cause.fix, path=path, line=line, function=function, source=source,
        changed=cause.changed, said=said, seen_by=seen_by,
    )  # fmt: skip


_UNEXPLAINED = Cause(
    "unexplained",
    "The rest of the function was compiled as a function of its own from here on, and torch does not say why.",
    "Look at what this line calls that is not an operation on tensors.",
)


def _once(found: list[Finding]) -> list[Finding]:
    """Put findings of the same kind and cause at the same place together."""
    together: dict[tuple[str, ...], Finding] = {}
    for one in found:
        key = (one.kind, one.cause, one.place, one.said if not one.place else "")
        known = together.get(key)
        if known is None:
            together[key] = one
            continue
        seen, calls = dict.fromkeys((*known.seen_by, *one.seen_by)), dict.fromkeys((*known.calls, *one.calls))
        together[key] = replace(known, seen_by=tuple(seen), calls=tuple(calls), count=known.count + one.count)
    return list(together.values())


def own_frame(frames: list[Frame]) -> Frame | None:
    """Return the innermost frame of the user's own code; the innermost of all where none is."""
    return next((frame for frame in reversed(frames) if is_own(frame[0])), frames[-1] if frames else None)


def is_own(path: str) -> bool:
    """Whether a file is the user's: neither of an installed package nor of the standard library."""
    parts = Path(path).parts
    library = sysconfig.get_path("stdlib")
    return not any(name in parts for name in INSTALLED) and not path.startswith((library, "<frozen"))
