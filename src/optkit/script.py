"""A variant of a workload as a script that stands alone: it builds, optimizes, checks and times the model. Pure text.

The scripts apply what is known to go wrong: the model is in eval mode and in inference mode, it is compiled once, the
first call is a number of its own, and the two ways to call it are timed in turn, with as many threads as torch uses.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from optkit import variant_code

if TYPE_CHECKING:
    from optkit.variant import Variant

EAGER = "torch.inference_mode()"
TOLERANCES = {None: 1e-3, "float16": 0.02, "bfloat16": 0.1}
"""How far outputs may be from eager's, relative to their largest, by precision: coarse, as a guard against mistakes."""
LEAST_TOLERANCE_OF_INT8 = 0.2
TURNS, TURN_S = 5, 0.2


class Subject(NamedTuple):
    """What a script is about.

    Attributes
    ----------
    title
        What to call it.
    lines
        Lines that define ``model`` and ``inputs``; torch is imported.
    method
        The model's method that is called; ``"forward"`` is calling it.
    inputs
        How a call takes the variable ``inputs``: ``"*inputs"``, ``"**inputs"`` or ``"inputs"``.
    device
        Where it runs, e.g. ``"cpu"``.
    """

    title: str
    lines: list[str]
    method: str
    inputs: str
    device: str


def write(variant: Variant, subject: Subject) -> str:
    """Return a script that runs with ``python -c``, from any folder."""
    target = "" if subject.method == "forward" else f".{subject.method}"
    is_changed = variant.dtype or variant.memory_format or variant.quantize or variant.train
    body = [
        comment(f"{variant} of {subject.title}: builds the model, optimizes it, checks it and times it beside eager."),
        "import copy",
        *(["import os", "import tempfile"] if variant.engine.exports else []),
        "import time",
        "",
        "import torch",
        "from torch.utils import benchmark",
        "",
        "",
        helpers("tensors", "distance"),
        "",
        *subject.lines,
        *placing(subject),
        "model.eval()",
        "",
        f"original, plain = {'copy.deepcopy(model)' if is_changed else 'model'}, inputs",
        f"eager = original{target}",
        "torch.manual_seed(0)",
        f"with {EAGER}:",
        f"    expected = eager({of(subject.inputs, 'copy.deepcopy({})')})  # a copy: a model can change its inputs",
        "",
        *optimizing(variant, subject.method, subject.inputs),
        "",
        *first_call(variant, subject, target),
        *checking(variant),
        "",
        *timing(variant, subject.inputs),
    ]
    return "\n".join(body) + "\n"


def of(inputs: str, made: str) -> str:
    """Return how a call takes what is made of the inputs, e.g. ``*copy.deepcopy(inputs)``."""
    name = inputs.lstrip("*")
    return f"{inputs[: len(inputs) - len(name)]}{made.format(name)}"


def comment(said: str) -> str:
    """Return a sentence as one line of Python that does nothing, whatever is in it."""
    return "# " + "".join(letter if letter.isprintable() else " " for letter in said)


@cache
def helpers(*names: str) -> str:
    """Return the source of some of `optkit.worker.outputs`' functions, without importing it: it imports torch."""
    spec = util.find_spec("optkit.worker.outputs")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name in names]
    return "\n\n\n".join(str(ast.get_source_segment(source, node)) for node in found) + "\n"


def placing(subject: Subject) -> list[str]:
    """Return the lines that move model and inputs to the device; none where they are there already."""
    if subject.device == "cpu":
        return []
    name = subject.inputs.lstrip("*")
    lines = [f'model = model.to("{subject.device}")']
    move = f'.to("{subject.device}") if torch.is_tensor(value) else value'
    if subject.inputs.startswith("**"):
        return [*lines, f"{name} = {{key: value{move} for key, value in {name}.items()}}"]
    if subject.inputs.startswith("*"):
        return [*lines, f"{name} = tuple(value{move} for value in {name})"]
    return [*lines, f'{name} = {name}.to("{subject.device}")']


def optimizing(variant: Variant, method: str, inputs: str) -> list[str]:
    """Return the lines that make ``fast``, the optimized callable; once, for all calls."""
    lines = ["threads = torch.get_num_threads()", *(["model.train()"] if variant.train else [])]
    if variant.engine.exports:
        lines += [
            "folder = tempfile.TemporaryDirectory()",
            "os.chdir(folder.name)  # what is exported is written there",
        ]
    if variant.threads is not None:
        lines.append(f"torch.set_num_threads({variant.threads})")
    lines += variant_code.conversion(variant, inputs)
    lines += variant.engine.code("model", method, inputs, context=variant_code.exporting(variant))
    return [*lines, *autocasting(variant)]


def autocasting(variant: Variant) -> list[str]:
    """Return the lines that enter autocast for each call of ``fast``."""
    if variant.autocast is None or variant.engine.runs_file:
        return []
    return [
        "optimized = fast",
        "def fast(*args, **kwargs):  # entered once for all calls, autocast would keep the weights that it has cast",
        f"    with {variant_code.autocast(variant)}:",
        "        return optimized(*args, **kwargs)",
    ]


def context(variant: Variant, grad: str | None = None) -> str:
    """Return the grad context that calls are made in."""
    return variant_code.CONTEXTS[grad or variant.grad]


def first_call(variant: Variant, subject: Subject, target: str) -> list[str]:
    """Return the lines of the first call, which compiles, and of what is done where that fails."""
    call = f"output = fast({of(subject.inputs, 'copy.deepcopy({})')})"
    under = f"with {context(variant, variant.compiled_in)}:"
    synchronize = [] if subject.device == "cpu" else [f'torch.cuda.synchronize("{subject.device}")']
    lines = [under, f"    {call}", *synchronize]
    if variant.fallback is not None:
        lines = [
            "try:  # torch compiles at the first call: only there can it fail",
            *(f"    {line}" for line in lines),
            "except Exception as error:",
            '    print("compiling failed, so eager is called from here on:", error)',
            f"    fast = model{target}",
            *(f"    {line}" for line in (*autocasting(variant), *lines)),
        ]
    again = [f"with {context(variant)}:", f"    {call}"] if variant.compiled_in is not None else []
    return [
        "torch.manual_seed(0)",
        "begin = time.perf_counter()",
        *lines,
        'print(f"first call {time.perf_counter() - begin:.3f} s: warm up with one before you serve")',
        *again,
    ]


def checking(variant: Variant) -> list[str]:
    """Return the lines that end the script where the outputs are not eager's."""
    if variant.train:
        return ["# In training mode outputs are random, and statistics change: they cannot be compared."]
    return [
        "error = distance(output, expected)",
        'print(f"outputs differ from eager\'s by {error:.2g} of their size")',
        f'assert error <= {tolerance(variant)}, "the outputs are not those of eager: do not use it"',
    ]


def tolerance(variant: Variant) -> float:
    """Return how far from eager's the outputs may be, relative to their largest."""
    half = "bfloat16" if variant.autocast is True else variant.dtype or variant.autocast
    least = LEAST_TOLERANCE_OF_INT8 if variant.quantize else 0.0
    return max(least, TOLERANCES[half])  # type: ignore[index]


def timing(variant: Variant, inputs: str) -> list[str]:
    """Return the lines that time eager and the variant in turn."""
    name = inputs.lstrip("*")
    return [
        "def timer(call, inputs, threads):",
        '    space = {"call": call, "inputs": inputs}',
        f'    return benchmark.Timer("call({of(inputs, "inputs")})", globals=space, num_threads=threads)',
        "",
        f"timers = timer(eager, plain, threads), timer(fast, {name}, torch.get_num_threads())",
        "eager_s, fast_s = [], []",
        f"for _ in range({TURNS}):  # in turn: what slows the machine down meanwhile slows both",
        f"    with {EAGER}:",
        f"        eager_s.append(timers[0].blocked_autorange(min_run_time={TURN_S}).median)",
        f"    with {context(variant)}:",
        f"        fast_s.append(timers[1].blocked_autorange(min_run_time={TURN_S}).median)",
        *telling(),
    ]


def telling() -> list[str]:
    """Return the lines that say what the turns tell, which can be nothing."""
    middle = TURNS // 2
    return [
        "ratios = sorted(one / other for one, other in zip(eager_s, fast_s))",
        f"eager_ms, fast_ms = sorted(eager_s)[{middle}] * 1e3, sorted(fast_s)[{middle}] * 1e3",
        f'said = f"{{ratios[{middle}]:.2f}}x, {{ratios[0]:.2f}} to {{ratios[-1]:.2f}} in {TURNS} turns"',
        "if ratios[0] <= 1 <= ratios[-1]:",
        '    said += ", so which is faster cannot be told"',
        'print(f"eager {eager_ms:.3f} ms, optimized {fast_ms:.3f} ms: {said}")',
    ]
