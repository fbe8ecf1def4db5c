"""Why torch compiled something again, read from the guard that failed, in plain words with what to do about it. Pure.

What removes a cause depends on the settings, and on the kind of value: no tensor stands for a string, and
``dynamic=True`` does not keep a bool symbolic. Each remedy was run with torch 2.13.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from optkit.causes import Cause, line

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE_OF_ONE = "A size of 1 always has a graph of its own, also with dynamic=True."
_CHANGED = "{what}: {old} → {new} in dimension {index}"

# fmt: off
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
    (r"tensor '(?P<what>.+?)' (?P<how>strides?|requires_grad|dispatch key set|device\w*) mismatch", "tensor_kind",
     "{what}: another {how}",
     "{what} is another kind of tensor ({how}) than the one it was compiled for.",
     "Give it tensors that are made the same way each time, and in the same context."),
    (r"^2 <= (?P<what>[\w.\[\]'\"]+)\.(?:size\(\)|shape)\[(?P<index>\d+)\]$", "size_of_one",
     "the size of {what} in dimension {index}", _SIZE_OF_ONE,
     "Pad it to 2, or warm up a size of 1 as well."),
    (r"^(?P<guard>.*?\b(?P<what>[A-Za-z_][\w.\[\]'\"]*)\.(?:size\(\)|shape)\[(?P<index>\d+)\].*)$", "size_bound",
     "the size of {what} in dimension {index}",
     "The graph before holds for sizes with {guard} only: the model, or an operation in it, asks that of the size.",
     "Warm up sizes on both sides of that bound, or take what asks for it out of the model."),
    (r"G\[['\"](?P<what>\w+)['\"]\](?P<part>(?:\[[^\]]+\]|\.\w+)*)", "global", "the global {what}{part}",
     "The global {what}{part} is read in the model, its value was built in, and it has changed.",
     "Pass it as an argument that is a tensor, or do not change it between calls."),
    (r"^___check_type_id\((?P<what>[^,]+), \d+\), type=<class '(?P<old>[^']+)'>", "type",
     "{what}: not {old} any more", "{what} is of another type than it was compiled for, and each needs a graph.",
     "Give it the same type each time."),
    (r"^expected type of '(?P<what>.+?)' to be a tensor type, ' but found <class 'NoneType'>", "type",
     "{what}: tensor → None", "{what} is a tensor in some calls and None in others, and each needs a graph.",
     "Give a tensor each time, one that changes nothing where there is none, or warm up both."),
    (r"^(?P<what>[A-Za-z_]\w*) is None$", "type", "{what}: not None any more",
     "{what} is a value in some calls and None in others, and each needs a graph.",
     "Give a value each time, one that changes nothing where there is none, or warm up both."),
    (r"^expected type of '(?P<what>.+?)' to be a tensor type, ' but found <class '(?P<new>.+?)'>", "type",
     "{what}: tensor → {new}", "{what} is of another type than it was compiled for, and each needs a graph.",
     "Give it the same type each time."),
    (r"^(?P<what>[\w.\[\]'\"]+) is (?P<other>(?!None\b|True\b|False\b)[A-Za-z_][\w.\[\]'\"]*)$", "same_object",
     "whether {what} and {other} are one object",
     "{what} and {other} were one object when it was compiled, and are not now.",
     "Give two objects in each call, or the same one in each."),
    (r"___stack\d+ ==", "python_value", "a Python value",
     "A value that Python computed at a graph break is built into the rest of the function, and it has changed.",
     "Mend the graph break above it; then the value is part of the graph."),
    (r"^(?P<what>\w[\w.\[\]]*)\.training (?:==|is)", "training_mode", "{what}.training",
     "{what} was in another mode: a graph is for training or for evaluation, and each mode needs one of its own.",
     "Call eval() once, before the first call, and do not switch modes between calls or inside the model."),
    (r"(?:len\((?P<what>self[\w.\[\]'\"]*)\)|not (?P<bare>self\.[\w.\[\]]+))", "mutated_state",
     "{what}", "The model changes {what}, a container that it keeps, and its length was built in.",
     "Keep no list or dict that grows in the model; keep a tensor, or collect outside of it."),
    (r"not ___dict_contains\('(?P<part>\w+)', (?P<what>self[\w.\[\]]*)\.__dict__\)", "mutated_state", "{what}.{part}",
     "{what}.{part} was not set when it was compiled, and the model has set it since.",
     "Set it before the first call, to a tensor of the size that it keeps."),
    (r"^(?P<what>self\.[\w.\[\]]+) is None$", "mutated_state", "{what}: not None any more",
     "{what} was None when it was compiled, and the model has set it since.",
     "Set it before the first call, to a tensor of the size that it keeps."),
    (r"(?P<what>self\.[\w.\[\]]+) (?:==|is)", "mutated_state", "{what}",
     "The model changes {what}, a Python value that it keeps, which was built in.",
     "Register it as a buffer, so that it is a tensor, or keep it outside the model."),
    (r"^(?:len\((?P<what>[A-Za-z_]\w*)\)|not (?P<bare>[A-Za-z_]\w*)$)", "length", "the length of {what}",
     "{what} has another length, and each needs a graph of its own.",
     "Give it the same length each time, or stack it into one tensor before the call."),
    (r"^(?:len\((?P<what>[A-Za-z_]\w*\.[\w.\[\]]+)\)|not (?P<bare>[A-Za-z_]\w*\.[\w.\[\]]+)$)", "length",
     "the length of {what}", "{what} is a Python container whose length was built in, and it has another now.",
     "Give it the same length each time, or keep a tensor in its place."),
    (r"^(?P<what>[A-Za-z_]\w*\.[\w.\[\]]+) (?:==|is) (?P<old>\S.*)$", "python_value", "{what}: not {old} any more",
     "{what} is a Python value, which was built in, and it is another now.",
     "Keep it the same from call to call, or make it a tensor (a buffer, where the model keeps it)."),
)
# fmt: on


def of_guard(guard: str, *, dynamic: bool | None = None, parameters: Sequence[str] | None = None) -> Cause:
    """Return why something was compiled again.

    Parameters
    ----------
    guard
        As `optkit.compile_record.guard` returns it.
    dynamic
        That setting of torch.compile: what is on already is no remedy.
    parameters
        The names of the model's parameters: what is none of them has no name outside the model. None: not known.
    """
    if (cause := _of_size(guard, dynamic, parameters) or _of_argument(guard, dynamic)) is not None:
        return cause
    for pattern, name, changed, reason, fix in _GUARDS:
        if (found := re.search(pattern, guard)) is not None:
            words = {key: value or found.groupdict().get("bare") or "" for key, value in found.groupdict().items()}
            return Cause(name, reason.format(**words), fix.format(**words), changed.format(**words))
    return Cause(
        "guard", f"What torch had assumed does not hold any more: {line(guard)}.",
        "Keep what it names the same from call to call, or make it a tensor.", line(guard),
    )  # fmt: skip


def _of_size(guard: str, dynamic: bool | None, parameters: Sequence[str] | None) -> Cause | None:
    """Return the cause where a size was built in."""
    found = re.search(
        r"tensor '(?P<what>.+?)' size mismatch at index (?P<index>\d+)\. expected (?P<old>\d+), actual (?P<new>\d+)",
        guard,
    )
    if found is None:
        return None
    what, index = found["what"], found["index"]
    changed = _CHANGED.format(**found.groupdict())
    if what.startswith("self."):
        return Cause("mutated_state", f"The model changes the size of {what}, a tensor that it keeps.",
                     "Keep it at one size: make it once, as long as it ever gets, and fill it.", changed)  # fmt: skip
    if "1" in (found["old"], found["new"]):
        fix = "Pad it to 2" if dynamic else "Pad it to 2 and compile with dynamic=True"
        return Cause("size_of_one", f"{what}: {_SIZE_OF_ONE[0].lower()}{_SIZE_OF_ONE[1:]}",
                     f"{fix}, or warm up all sizes, 1 too.", changed)  # fmt: skip
    is_batch = index == "0"
    name, noun = ("batch_size", "batch size") if is_batch else ("shape", "shape")
    reason = f"{what} has another {noun}, which the graph had built in"
    if dynamic:
        return Cause(name, f"{reason} although dynamic=True is set.",
                     "Take out of the model what fixes the size, pad it, or warm up all sizes.", changed)  # fmt: skip
    mark = f"torch._dynamo.mark_dynamic({what}, {index})"
    is_given = parameters is None or re.split(r"[.\[]", what)[0] in parameters
    marked = f"mark it with {mark}, " if is_given else ""
    fix = f"Compile with dynamic=True, {marked}pad it, or warm up all sizes."
    return Cause(name, f"{reason}.", fix, changed)


def _of_argument(guard: str, dynamic: bool | None) -> Cause | None:
    """Return the cause where a Python value that was passed is another; what to do depends on its type."""
    found = re.match(r"(?!___stack)([A-Za-z_]\w*) == (.+)$", guard)
    if found is None:
        return None
    what, old = found[1], found[2].strip()
    try:
        kind = type(ast.literal_eval(old))
    except (ValueError, SyntaxError):
        kind = object
    changed = f"{what}: not {old} any more"
    if kind in (int, float):
        noun = "a Python number" if kind is float else "a Python integer"
        fix = f"Pass it as a tensor (torch.tensor({what}))"
        fix += ", or warm up all values." if dynamic else ", or compile with dynamic=True, which keeps it symbolic."
        return Cause("python_number", f"{what} is {noun}, which was built in, and it is another now.", fix, changed)
    noun = {str: "a string", bool: "True or False"}.get(kind, "a Python value")
    return Cause(
        "python_choice", f"{what} is {noun}, and each value needs a graph of its own, also with dynamic=True.",
        "Keep it the same, or choose outside the model (between two models, say); else warm up each value.", changed,
    )  # fmt: skip


def frames_of_guard(reason: str) -> list[tuple[str, int]]:
    """Return the paths and lines that a guard comes from, outermost first; empty where torch does not say."""
    return [(path, int(number)) for path, number in re.findall(r'File "(.+?)", line (\d+)', reason)]
