"""What torch says when it breaks a graph, in plain words, with what to do about it. Pure.

torch names an operation; a user wants to know what about their code it is. What is not known here keeps torch's own
explanation and hint.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace

MOST_CHARACTERS = 300
CONFIG = "torch._dynamo.config."
WHERE_TO_SET = (
    "Set it in the module that defines the model, or in a function that builds the model and is given in its place; "
    "made anywhere else, a setting does not reach optkit's workers."
)


@dataclass(frozen=True)
class Cause:
    """Why a graph broke, or was compiled again.

    Attributes
    ----------
    name
        A short name, e.g. ``"print"`` or ``"batch_size"``.
    reason, fix
        A sentence each: what happens, and what to do.
    changed
        What changed, where it was compiled again: ``"x: 4 → 2 in dimension 0"``.
    """

    name: str
    reason: str
    fix: str
    changed: str = ""


# fmt: off
_BRANCH = r"generic_jump|[Dd]ata.dependent (?:branching|jump)"
_NUMBER = "A number is taken out of a tensor, and Python cannot go on before the device has computed it."
_BREAKS: tuple[tuple[str, str, str, str], ...] = (
    (r"builtin operator `print`", "print",
     "print() is Python and no operation on tensors.",
     "Remove it, or print outside the model; torch._dynamo.config.reorderable_logging_functions.add(print) moves it."),
    (r"Tensor\.item\(\)|_local_scalar_dense", "item", _NUMBER,
     "Keep it a tensor (leave out .item() or float()), or set torch._dynamo.config.capture_scalar_outputs = True."),
    (_BRANCH, "data_dependent_branch",
     "Which way the code goes depends on the value of a tensor, and a graph has one way only.",
     "Compute both and choose with torch.where, or write the branch with torch.cond."),
    (r"Dynamic shape operator|output shape depends on input", "data_dependent_shape",
     "How large the result is depends on the values in a tensor.",
     "Keep the shape (use torch.where), or set torch._dynamo.config.capture_dynamic_output_shape_ops = True."),
    (r"Tensor\.tolist\(\)", "tolist",
     "A tensor is turned into a Python list, and Python cannot go on before the device has computed it.",
     "Keep it a tensor, or turn it into a list outside the model."),
    (r"torch\.compiler\.disable\(\)|_dynamo\.disable", "disabled",
     "What is called here was taken out of compiling with torch.compiler.disable.",
     "Remove torch.compiler.disable, or call it outside the model."),
    (r"builtin operator `(?P<what>[\w.]+)`", "unsupported_builtin",
     "torch cannot trace Python's {what}().",
     "Call {what}() outside the model, and pass what comes of it in as an argument."),
    (r"Unsupported context manager", "context_manager",
     "torch cannot trace this `with` statement.",
     "Enter the context outside the model."),
    (r"Observed exception(?:.|\n)*?debug context: (?:raised exception )?(?P<what>[^\n]+)", "exception",
     "While torch traced this function Python raised an exception ({what}).",
     "See why these inputs raise it, or take what raises it out of the model."),
    (r"capture_scalar_outputs", "item", _NUMBER,
     "Keep it a tensor, or set torch._dynamo.config.capture_scalar_outputs = True."),
)
# fmt: on
_LOGS = "debug|info|warning|error|critical|exception|log"
_CALLS_NUMPY = re.compile(r"\b(?:np|numpy)\.[\w.]+\(|\.numpy\(")


def of_break(said: str, source: str = "", inside: str = "") -> Cause:
    """Return why a graph broke; a fix that names a setting of torch's says where to set it.

    Parameters
    ----------
    said
        torch's words.
    source
        The user's line, which can say more: a call of numpy ends in the same words as ``.item()``.
    inside
        The path of the innermost code that torch was tracing.
    """
    cause = _of_break(said, source, inside)
    return replace(cause, fix=f"{cause.fix.rstrip('.')}. {WHERE_TO_SET}") if CONFIG in cause.fix else cause


def _of_break(said: str, source: str, inside: str) -> Cause:
    cause = _of_logging(said, source, inside) or _of_source(said, source) or _of_function(said, source)
    if cause is not None:
        return cause
    for pattern, name, reason, fix in _BREAKS:
        if (found := re.search(pattern, said)) is not None:
            words = found.groupdict()
            return Cause(name, reason.format(**words), fix.format(**words))
    explained = re.search(r"Explanation: (.+?)(?=\s*Hint:|\s*Developer debug|$)", said, re.DOTALL)
    hints = re.findall(r"Hint: (.+?)(?=\s*Hint:|\s*Developer debug|$)", said, re.DOTALL)
    hint = next((one for one in hints if not re.search(r"[Rr]eport an issue|File an issue|is fundamental", one)), None)
    reason = line(explained[1] if explained else said.partition("\n")[0])
    return Cause(
        "unsupported", reason,
        line(hint) if hint else "Write this line with operations on tensors, or move it outside the model.",
    )  # fmt: skip


def _of_logging(said: str, source: str, inside: str) -> Cause | None:
    """Return the cause where a message is logged: torch has a setting for a logger's methods, and one for functions."""
    if not (re.search(r"logging\.Logger|LoggingLoggerVariable", said) or inside.endswith("/logging/__init__.py")):
        return None
    called = re.search(rf"(\blogging)?\.({_LOGS})\(", source)
    method = called[2] if called else "warning"
    fix = (
        f"Log outside the model; torch._dynamo.config.reorderable_logging_functions.add(logging.{method}) moves the "
        "message behind the graph."
        if called and called[1]
        else "Log outside the model; or make the logger outside of it, and have compiled calls leave its messages out: "
        f"torch._dynamo.config.ignore_logger_methods.add(logging.Logger.{method})."
    )
    return Cause("logging", "A message is logged, which is Python and no operation on tensors.", fix)


def _of_source(said: str, source: str) -> Cause | None:
    """Return the cause where torch's words have several, and the user's line says which it is."""
    is_number = re.search(r"_local_scalar_dense|numpy", said) or ("item" in said and ".item(" not in source)
    if is_number and _CALLS_NUMPY.search(source):
        return Cause(
            "numpy",
            "A tensor goes through numpy and comes back as a number, and Python cannot go on before it is computed.",
            "Use the function of torch of the same name, so that it stays a tensor.",
        )
    if source.startswith("assert ") and re.search(_BRANCH, said):
        return Cause(
            "assertion",
            "What is asserted depends on the value of a tensor.",
            "Assert one condition with a fixed message (no f-string), which torch can compile, or check outside the "
            "model.",
        )
    return None


def _of_function(said: str, source: str) -> Cause | None:
    """Return the cause where torch cannot look into a function."""
    found = re.search(r"trace the builtin `(?:<unknown module>\.)?(?P<what>[^`]+?)\.?`", said)
    if found is None:
        return None
    what = _as_called(found["what"], source)
    fix = "Call it outside the model, and pass what comes of it in as an argument"
    is_known = what.partition(".")[0] in sys.stdlib_module_names or "<unknown module>" in said
    more = "" if is_known else "; if it computes on tensors, make it an operator with torch.library.custom_op"
    return Cause(
        "unsupported_function", f"torch cannot look into {what}(), which is built into Python or written in C.",
        f"{fix}{more}.",
    )  # fmt: skip


def _as_called(what: str, source: str) -> str:
    """Return the name of a function as the user's line has it: torch calls random.random ``Random.random``."""
    found = re.search(rf"[\w.]*\b{re.escape(what.rpartition('.')[2])}(?=\()", source)
    return found[0].lstrip(".") if found is not None and "." in found[0].strip(".") else what


def line(said: str) -> str:
    """Return torch's words in one line, not too long."""
    one = " ".join(said.split())
    return one if len(one) <= MOST_CHARACTERS else f"{one[:MOST_CHARACTERS]}…"
