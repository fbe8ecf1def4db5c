"""What was compiled again: each guard that failed, tied to the input or the line that it is about. Pure."""

from __future__ import annotations

import ast
import linecache
import re
from dataclasses import replace
from typing import Any

from optkit import compile_record, guards, signatures
from optkit.causes import Cause
from optkit.finding import RECORD, Finding, Frame, is_own, placed, together

OF_INPUTS = ("tensor_kind", "batch_size", "shape", "size_of_one", "size_bound", "rank", "dtype", "guard")
"""Causes whose remedy is to call the function otherwise."""
WITHIN = (
    "It is so within one call, in which a function is compiled by itself only behind a graph break, or where its "
    "caller is left to eager."
)
MEND_FIRST = "Mend the graph breaks, and what is left to eager, first; this can go with them."


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
            given = [signatures.called(key, parameters) for key, *_ in call["inputs"]] or None
            cause = guards.of_guard(compile_record.guard(record, parameters), dynamic=dynamic, parameters=given)
            function = (str(record["path"]), int(record["line"] or 0), compile_record.function(record))
            at = _place(record, function)
            if cause.name == "grad_mode":
                at = switch_of_grad(function) or at
            if cause.name == "global":
                cause = _of_global(cause, at)
            cause = _as_it_is_now(cause, parameters, call)
            if number == 1 and cause.name in OF_INPUTS:
                cause = replace(cause, reason=f"{cause.reason} {WITHIN}", fix=MEND_FIRST)
            one = replace(placed([at], "recompile", record["reason"], seen_by, cause), calls=(number,))
            found.append(one)
    return together(found)


def _place(record: dict[str, Any], function: Frame) -> Frame:
    """Return the user's innermost line that a guard comes from; what was compiled, where torch does not say."""
    own = [frame for frame in guards.frames_of_guard(record["reason"]) if is_own(frame[0])]
    return (*own[-1], function[2]) if own else function


def _as_it_is_now(cause: Cause, parameters: list[str], call: dict[str, Any]) -> Cause:
    """Say what an argument, or a size of it, is now, where the call tells."""
    argument = re.match(r"(\w+): not (.+) any more$", cause.changed)
    size = re.match(r"the size of (\w+) in dimension (\d+)$", cause.changed)
    for key, shape, value in call["inputs"]:
        known = signatures.called(key, parameters)
        if argument is not None and known == argument[1]:
            return _of_value(cause, known, argument[2], value if shape is None else None)
        if size is not None and known == size[1] and shape is not None and int(size[2]) < len(shape):
            return replace(cause, changed=f"{cause.changed}, which is {shape[int(size[2])]} now")
    return cause


def _of_value(cause: Cause, what: str, old: str, new: str | None) -> Cause:
    """Say what a value is now; None: a tensor. Of another type is told by the types."""
    kinds = old if cause.name == "type" else _kind(old), "tensor" if new is None else _kind(new)
    if cause.name == "type":
        return replace(cause, changed=f"{what}: {kinds[0]} → {kinds[1] or new}")
    changed = f"{what}: {old} → {kinds[1] if new is None else new}"
    if None in kinds or kinds[0] == kinds[1]:
        return replace(cause, changed=changed)
    reason = f"{what} is of type {kinds[0]} in one call and {kinds[1]} in another, and each needs a graph."
    return Cause("type", reason, "Give it the same type each time.", changed)


def _kind(written: str) -> str | None:
    """Return the type of a value that is written as Python, None where that cannot be told."""
    try:
        value = ast.literal_eval(written)
    except (ValueError, SyntaxError):
        return None
    return "None" if value is None else type(value).__name__


def _of_global(cause: Cause, at: Frame) -> Cause:
    """Say that the model itself changes a global, where the function that the guard is about does."""
    name = re.split(r"[.\[]", cause.changed.removeprefix("the global "))[0]
    if not any(_root(target) == name for node in _around(at) for target in _targets(node)):
        return cause
    return replace(
        cause, reason=f"The model itself changes {cause.changed}, whose value was built in.",
        fix="Pass it as an argument that is a tensor, or keep it in the model as a buffer, so that it is a tensor.",
    )  # fmt: skip


def _around(at: Frame) -> list[ast.AST]:
    """Return what runs in the innermost function around a line; empty where the source is gone."""
    path, line, _ = at
    inside = [
        node
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef) and min(_heads(node)) <= line <= (node.end_lineno or 0)
    ]
    return _of_itself(max(inside, key=lambda node: node.lineno)) if inside else []


def _tree(path: str) -> ast.AST:
    try:
        return ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _targets(node: ast.AST) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []


def _root(target: ast.expr) -> str | None:
    """Return the variable that is assigned to, or to a part of which."""
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else None


def switch_of_grad(function: Frame) -> Frame | None:
    """Return the line of a function that switches the grad mode for whoever comes after it.

    A ``with`` block, and a decorator, leave the mode as they found it. None where no line does, where several do, or
    the source is gone.
    """
    path, first, name = function
    switches = [
        statement.lineno
        for node in ast.walk(_tree(path))
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
