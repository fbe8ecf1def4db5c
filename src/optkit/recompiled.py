"""What was compiled again: each guard that failed, tied to the input or the line that it is about. Pure."""

from __future__ import annotations

import ast
import linecache
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from optkit import compile_record, guards, signatures
from optkit.finding import RECORD, Finding, Frame, is_own, placed, together

if TYPE_CHECKING:
    from optkit.causes import Cause


def recompiles(
    called: dict[str, Any], parameters: list[str], *, dynamic: bool | None, seen_by: tuple[str, ...] = (RECORD,)
) -> list[Finding]:
    """Return what was compiled again in calls, as `optkit.worker.calls` told of them.

    Parameters
    ----------
    called
        That answer.
    parameters
        The names of the model's parameters.
    dynamic
        That setting of torch.compile.
    seen_by
        See `Finding`.
    """
    found = []
    for number, call in enumerate(called["calls"], 1):
        for record in call["compiles"]:
            if not record["reason"] or record["failed"]:
                continue
            cause = guards.of_guard(compile_record.guard(record, parameters), dynamic=dynamic)
            function = (str(record["path"]), int(record["line"] or 0), compile_record.function(record))
            at = _place(record, function)
            if cause.name == "grad_mode":
                at = switch_of_grad(function) or at
            cause = _as_it_is_now(cause, parameters, call)
            one = replace(placed([at], "recompile", record["reason"], seen_by, cause), calls=(number,))
            found.append(one)
    return together(found)


def _place(record: dict[str, Any], function: Frame) -> Frame:
    """Return the user's innermost line that a guard comes from; what was compiled, where torch does not say."""
    own = [frame for frame in guards.frames_of_guard(record["reason"]) if is_own(frame[0])]
    return (*own[-1], function[2]) if own else function


def _as_it_is_now(cause: Cause, parameters: list[str], call: dict[str, Any]) -> Cause:
    """Say what an argument, or a size of it, is now, where the call tells."""
    argument = re.match(r"(\w+): not (.+) any more", cause.changed)
    size = re.match(r"the size of (\w+) in dimension (\d+)$", cause.changed)
    for key, shape, value in call["inputs"]:
        known = signatures.called(key, parameters)
        if argument is not None and known == argument[1] and shape is None:
            return replace(cause, changed=f"{known}: {argument[2]} → {value}")
        if size is not None and known == size[1] and shape is not None and int(size[2]) < len(shape):
            return replace(cause, changed=f"{cause.changed}, which is {shape[int(size[2])]} now")
    return cause


def switch_of_grad(function: Frame) -> Frame | None:
    """Return the line of a function that switches the grad mode for whoever comes after it.

    A ``with`` block, and a decorator, leave the mode as they found it. None where no line does, where several do, or
    the source is gone.
    """
    path, first, name = function
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return None
    switches = [
        statement.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == name and first in _heads(node)
        for statement in _of_itself(node)
        if isinstance(statement, ast.Expr) and _is_switch(statement.value)
    ]
    return (path, switches[0], name) if len(switches) == 1 else None


def _heads(function: ast.FunctionDef) -> range:
    """Return the lines at which Python may say that a function begins: the first decorator, up to its ``def``."""
    return range(min([function.lineno, *(one.lineno for one in function.decorator_list)]), function.lineno + 1)


def _of_itself(function: ast.FunctionDef) -> list[ast.AST]:
    """Return what runs in a function, and not in those that are defined inside it."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            found.append(node)
            waiting += ast.iter_child_nodes(node)
    return found


def _is_switch(value: ast.expr) -> bool:
    called = value.func if isinstance(value, ast.Call) else None
    return getattr(called, "attr", getattr(called, "id", "")) == "set_grad_enabled"
