"""Inductor's modes and options by name, read from the source of the torch that is installed, which is not imported."""

from __future__ import annotations

import ast
import difflib
import re
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any

from optkit.errors import VariantError

USUAL_MODES = ("reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
NEW_MODES = ("lite",)
"""Modes that torch has since 2.10; offered where its source names them."""


@cache
def modes() -> tuple[str | None, ...]:
    """Return the modes of torch.compile; None is the default one."""
    source = _source("__init__.py")
    return (None, *USUAL_MODES, *(mode for mode in NEW_MODES if re.search(rf'^\s+"{mode}": ', source, re.MULTILINE)))


@cache
def options() -> dict[str, Any]:
    """Return each option with its default, or with None where that is not a plain value; empty where unknown."""
    module = ast.parse(_source("config.py"))
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    return dict(_assigned(module.body, "", classes))


def check(name: str, value: Any) -> None:
    """Raise a VariantError unless Inductor has such an option, of such a kind; where its source is unknown, do not."""
    known = options()
    if not known:
        return
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "see torch._inductor.config."
        raise VariantError(f"Inductor has no option {name!r}; {hint}")
    default = known[name]
    for kind, wanted in ((bool, "true or false"), (str, "a name"), (int | float, "a number")):
        if isinstance(default, kind):
            is_other = isinstance(value, bool) and kind is not bool
            if is_other or not isinstance(value, kind):
                raise VariantError(f"options.{name} must be {wanted}, not {value!r}.")
            return


def _assigned(body: list[ast.stmt], prefix: str, classes: dict[str, ast.ClassDef]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append((prefix + node.target.id, _plain(node.value)))
        elif isinstance(node, ast.Assign):
            found += [
                (prefix + target.id, _plain(node.value)) for target in node.targets if isinstance(target, ast.Name)
            ]
        elif isinstance(node, ast.If | ast.Try):
            found += _assigned([*node.body, *node.orelse], prefix, classes)
        elif isinstance(node, ast.ClassDef):
            above = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
            for one in (*above, node):  # cuda's options are those of cutlass, and its own
                found += _assigned(one.body, f"{prefix}{node.name}.", classes)
    return found


def _plain(node: ast.expr | None) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _source(name: str) -> str:
    spec = util.find_spec("torch")
    path = None if spec is None or spec.origin is None else Path(spec.origin).parent / "_inductor" / name
    return path.read_text(encoding="utf-8") if path is not None and path.exists() else ""
