"""What torch says when it breaks a graph or compiles again, in plain words, with what to do about it. Pure.

torch names an operation or a guard; a user wants to know what about their code it is. What is not known here keeps
torch's own explanation and hint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_CHARACTERS = 300


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
_BREAKS: tuple[tuple[str, str, str, str], ...] = (
    (r"builtin operator `print`", "print",
     "print() is Python and no operation on tensors, so the graph ends before it and another begins after it.",
     "Remove it, or print outside the model; torch._dynamo.config.reorderable_logging_functions.add(print) moves it."),
    (r"Tensor\.item\(\)|_local_scalar_dense", "item",
     "A number is taken out of a tensor, and Python cannot go on before the device has computed it.",
     "Keep it a tensor (leave out .item() or float()), or set torch._dynamo.config.capture_scalar_outputs = True."),
    (r"generic_jump|[Dd]ata.dependent (?:branching|jump)", "data_dependent_branch",
     "Which way the code goes depends on the value of a tensor, and a graph has one way only.",
     "Compute both and choose with torch.where, or write the branch with torch.cond."),
    (r"Dynamic shape operator|output shape depends on input", "data_dependent_shape",
     "How large the result is depends on the values in a tensor.",
     "Keep the shape (use torch.where), or set torch._dynamo.config.capture_dynamic_output_shape_ops = True."),
    (r"Tensor\.tolist\(\)", "tolist",
     "A tensor is turned into a Python list, and Python cannot go on before the device has computed it.",
     "Keep it a tensor, or turn it into a list outside the model."),
    (r"torch\.compiler\.disable\(\)|_dynamo\.disable", "disabled",
     "This function was taken out of compiling with torch.compiler.disable.",
     "Remove torch.compiler.disable, or call the function outside the model."),
    (r"builtin operator `(?P<what>[\w.]+)`", "unsupported_builtin",
     "torch cannot trace Python's {what}(), so the graph ends before it and another begins after it.",
     "Call {what}() outside the model, and pass what comes of it in as an argument."),
    (r"trace the builtin `(?P<what>[^`]+?)\.?`", "unsupported_function",
     "torch cannot look into {what}(), which is built into Python or written in C.",
     "Call it outside the model and pass what comes of it in, or make it an operator with torch.library.custom_op."),
    (r"Unsupported context manager", "context_manager",
     "torch cannot trace this `with` statement.",
     "Enter the context outside the model."),
    (r"Observed exception(?:.|\n)*?debug context: (?:raised exception )?(?P<what>[^\n]+)", "exception",
     "While torch traced this function Python raised an exception ({what}), so all of it is left to eager.",
     "Take what raises it out of the model; here or before it, a call asks a tensor what only eager can answer."),
    (r"capture_scalar_outputs", "item",
     "A number is taken out of a tensor, and Python cannot go on before the device has computed it.",
     "Keep it a tensor, or set torch._dynamo.config.capture_scalar_outputs = True."),
)
_GUARDS: tuple[tuple[str, str, str, str, str], ...] = (
    (r"___stack\d+ got deallocated", "deallocated", "an object that lives for one call",
     "What was compiled behind a graph break was for a Python object that the call had made, and that is gone now.",
     "Mend the graph break above it, or on this line; then nothing has to be handed over."),
    (r"invalidated because (?P<what>.+?) got deallocated", "deallocated", "{what} is gone",
     "It was compiled for one Python object, {what}, which is gone now.",
     "Keep the object from call to call, and do not make another one each time."),
    (r"GLOBAL_STATE changed: grad_mode", "grad_mode", "the grad mode",
     "It was compiled in one grad mode (grad, no_grad, inference_mode) and called in another.",
     "Make all calls, the first one too, in the same context, and do not switch it inside the model."),
    (r"GLOBAL_STATE changed: (?P<what>\w+)", "global_state", "torch's {what}",
     "A setting of torch for the whole process, {what}, is another than when it was compiled.",
     "Set it once, before the first call."),
    (r"tensor '(?P<what>.+?)' rank mismatch\. expected (?P<old>\d+), actual (?P<new>\d+)", "rank",
     "{what}: {old} dimensions → {new}",
     "{what} has another number of dimensions, and each needs a graph of its own.",
     "Give it the same number of dimensions each time (unsqueeze or flatten it before the call)."),
    (r"tensor '(?P<what>.+?)' dtype mismatch\. expected (?P<old>\w+), actual (?P<new>\w+)", "dtype",
     "{what}: {old} → {new}",
     "{what} has another dtype, and each needs a graph of its own.",
     "Convert it to one dtype before the call."),
    (r"tensor '(?P<what>.+?)' size mismatch at index 0\. expected (?P<old>\d+), actual (?P<new>\d+)", "batch_size",
     "{what}: {old} → {new} in dimension 0",
     "{what} has another batch size, which the graph had built in.",
     "Compile with dynamic=True, mark it with torch._dynamo.mark_dynamic({what}, 0), pad it, or warm up all sizes."),
    (r"tensor '(?P<what>.+?)' size mismatch at index (?P<index>\d+)\. expected (?P<old>\d+), actual (?P<new>\d+)",
     "shape", "{what}: {old} → {new} in dimension {index}",
     "{what} has another shape, which the graph had built in.",
     "Compile with dynamic=True, call torch._dynamo.mark_dynamic({what}, {index}), pad it, or warm up all sizes."),
    (r"tensor '(?P<what>.+?)' (?P<how>strides?|requires_grad|dispatch key set|device\w*) mismatch", "tensor_kind",
     "{what}: another {how}",
     "{what} is another kind of tensor ({how}) than the one it was compiled for.",
     "Give it tensors that are made the same way each time, and in the same context."),
    (r"(?P<what>[\w.\[\]'\"]+)\.(?:size\(\)|shape)\[(?P<index>\d+)\]", "shape",
     "the size of {what} in dimension {index}",
     "A size that the graph had built in, or bounded, is another now; a size of 1 always has a graph of its own.",
     "Pad the smallest batch to 2, compile with dynamic=True, or warm up all sizes."),
    (r"G\[['\"](?P<what>\w+)['\"]\]", "global", "the global {what}",
     "The global variable {what} is read in the model, its value was built in, and it has changed.",
     "Pass it as an argument that is a tensor, or do not change it between calls."),
    (r"___stack\d+ ==", "python_value", "a Python value",
     "A value that Python computed at a graph break is built into the rest of the function, and it has changed.",
     "Mend the graph break above it; then the value is part of the graph."),
    (r"(?:len\((?:L\[['\"])?(?P<what>self[\w.\[\]'\"]*)\)|not (?P<bare>self\.[\w.]+))", "mutated_state",
     "{what}", "The model changes {what}, a container that it keeps, and its length was built in.",
     "Keep no list or dict that grows in the model; keep a tensor, or collect outside of it."),
    (r"(?P<what>self\.[\w.]+) (?:==|is)", "mutated_state", "{what}",
     "The model changes {what}, a Python value that it keeps, which was built in.",
     "Register it as a buffer, so that it is a tensor, or keep it outside the model."),
    (r"^(?P<what>[A-Za-z_]\w*) == (?P<old>\S+)", "python_argument", "{what}: not {old} any more",
     "{what} is a Python number or string, which was built in, and it is another now.",
     "Pass it as a tensor (torch.tensor({what})), or compile with dynamic=True, which keeps it symbolic."),
)
# fmt: on


def of_break(said: str, source: str = "") -> Cause:
    """Return why a graph broke.

    Parameters
    ----------
    said
        torch's words.
    source
        The user's line, which can say more: a call of numpy ends in the same words as ``.item()``.
    """
    if re.search(r"\bnp\.|\bnumpy\b", source) and re.search(r"_local_scalar_dense|numpy|item", said):
        return Cause(
            "numpy",
            "A tensor goes through numpy and comes back as a number, and Python cannot go on before it is computed.",
            "Use the function of torch of the same name, so that it stays a tensor.",
        )
    for pattern, name, reason, fix in _BREAKS:
        if (found := re.search(pattern, said)) is not None:
            words = found.groupdict()
            return Cause(name, reason.format(**words), fix.format(**words))
    explained = re.search(r"Explanation: (.+?)(?=\s*Hint:|\s*Developer debug|$)", said, re.DOTALL)
    hint = re.search(
        r"Hint: (?!Please report|This graph break is fundamental)(.+?)(?=\s*Hint:|\s*Developer debug|$)",
        said,
        re.DOTALL,
    )
    reason = _line(explained[1] if explained else said.partition("\n")[0])
    fix = _line(hint[1]) if hint else "Write this line with operations on tensors, or move it outside the model."
    return Cause("unsupported", reason, fix)


def of_guard(said: str) -> Cause:
    """Return why something was compiled again, from the guard that failed."""
    guard = re.sub(r"^\d+(?:/\d+)*: ", "", said).partition("  #")[0].strip()  # behind it stands the line of the source
    bare = re.sub(r"L\[['\"](\w+)['\"]\]", r"\1", guard)
    for pattern, name, changed, reason, fix in _GUARDS:
        if (found := re.search(pattern, bare)) is not None:
            words = {key: value or found.groupdict().get("bare") or "" for key, value in found.groupdict().items()}
            return Cause(name, reason.format(**words), fix.format(**words), changed.format(**words))
    return Cause(
        "guard", f"What torch had assumed does not hold any more: {_line(guard)}.",
        "Keep what it names the same from call to call, or make it a tensor.", _line(guard),
    )  # fmt: skip


def place_of_guard(said: str) -> tuple[str, int] | None:
    """Return the user's path and line that a guard comes from; None where torch does not say."""
    frames = re.findall(r'File "(.+?)", line (\d+)', said)
    return (frames[-1][0], int(frames[-1][1])) if frames else None


def _line(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"
