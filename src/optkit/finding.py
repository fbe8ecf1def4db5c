"""A finding: what keeps a model from running as one graph, or from being compiled once, at the user's line. Pure."""

from __future__ import annotations

import linecache
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from optkit import causes, compile_record, own_code, text
from optkit.causes import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOG, EXPLAIN, RESUMED, COUNTER, RECORD = "log", "explain", "resumed function", "counter", "record"
TOLD_EACH = ("recompile", "failed")
Frame = tuple[str, int, str]
"""Path, line and function."""
UNEXPLAINED = Cause(
    "unexplained",
    "The rest of the function was compiled as a function of its own from here on, and torch does not say why.",
    "Look at what this line calls that is not an operation on tensors.",
)


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a model from running as one graph, or from being compiled once.

    Attributes
    ----------
    kind
        ``not_compiled`` (torch made no graph at all), ``graph_break``, ``recompile``, ``skipped`` (a function that is
        left to eager), ``limit`` (torch compiles it no more), ``cudagraphs`` (skipped), or ``failed`` (a call that
        raised).
    cause
        A short name; see `optkit.causes.Cause`.
    path, line, function, source
        The user's line. Path and source are empty, and the line is 0, where it has none; the function can then be "the
        model".
    reason, fix, changed
        Sentences; see `optkit.causes.Cause`. What changed is told of each time, in order, separated by semicolons.
    said
        torch's own words.
    seen_by
        Which of torch's sources told of it.
    callers
        Places from which it is reached, each ``path:line``: torch broke their functions there because of it.
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


def placed(
    frames: Sequence[Frame], kind: str, said: str, seen_by: tuple[str, ...], cause: Cause | None = None
) -> Finding:
    """Return a finding at the user's line that leads to it, with the user's lines that lead there.

    Parameters
    ----------
    frames
        Where torch was, outermost first.
    kind, said, seen_by
        See `Finding`.
    cause
        Why; None: what torch's words say about a graph break.
    """
    at = own_frame(frames)
    path, number, function = at or ("", 0, "")
    if compile_record.is_wrapper(path):
        path, number, function = "", 0, compile_record.MODEL
    source = text.plain(linecache.getline(path, number).strip()) if path else ""
    if cause is None:
        inside = frames[-1][0] if frames else ""
        cause = causes.of_break(said, source, inside) if said else UNEXPLAINED
    above = frames[: list(frames).index(at)] if at is not None else ()
    return Finding(
        kind, cause.name, cause.reason, cause.fix, path=path, line=number, function=function, source=source,
        changed=cause.changed, said=said, seen_by=seen_by,
        callers=tuple(dict.fromkeys(f"{one[0]}:{one[1]}" for one in above if is_own(one[0]))),
    )  # fmt: skip


def together(found: Iterable[Finding]) -> list[Finding]:
    """Put findings of the same kind and cause at the same place together."""
    known: dict[tuple[str, ...], Finding] = {}
    for one in found:
        # Of two inputs that change at one place each is told: what to do names the input.
        key = (one.kind, one.cause, one.place or one.function, one.reason if one.kind in TOLD_EACH else "")
        known[key] = _both(known[key], one) if key in known else one
    return list(known.values())


def _both(one: Finding, other: Finding) -> Finding:
    changes = dict.fromkeys(change for change in (*one.changed.split("; "), *other.changed.split("; ")) if change)
    return replace(
        one, changed="; ".join(changes), count=one.count + other.count,
        seen_by=joined(one.seen_by, other.seen_by), callers=joined(one.callers, other.callers),
        calls=tuple(dict.fromkeys((*one.calls, *other.calls))),
    )  # fmt: skip


def joined(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of both, each once."""
    return tuple(dict.fromkeys((*one, *other)))


def own_frame(frames: Sequence[Frame]) -> Frame | None:
    """Return the innermost frame of the user's own code; the innermost of all where none is."""
    return next((frame for frame in reversed(frames) if is_own(frame[0])), frames[-1] if frames else None)


def is_own(path: str) -> bool:
    """Whether code is the user's: neither of an installed package nor of the standard library. A prompt has no file."""
    if path.startswith("<"):
        return not path.startswith(("<frozen", "<eval_with_key>"))  # the latter are graphs that torch wrote as Python
    return own_code.is_own_path(Path(path))
