"""``run.py`` of a recipe: it loads, checks and times. Pure text.

It needs no optkit where the model is the user's own, and finds everything beside itself, so that the folder can be
moved. What it compares with, file by file and version by version, is in ``recipe.json``.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING, Any

from optkit import script, variant_code, zoo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.variant import Variant

STANDARD = (
    "atexit", "hashlib", "json", "os", "pickle", "random", "shutil", "statistics", "sys", "tempfile", "time", "zipfile",
)  # fmt: skip
RECORD, MODEL, INPUTS, CACHE, CODE = "recipe.json", "model.pt", "inputs.pt", "compile_cache.zip", "code"


@dataclass(frozen=True)
class Contents:
    """What is in a recipe's folder besides its programs.

    Attributes
    ----------
    variant, title
        What is done, to which model.
    method, device
        How and where the model is called.
    artifact
        Name of the file that was exported; None where the model is built in the process that runs it.
    facts
        What the engine found out while it exported.
    zoo
        Lines that build a model of the zoo; empty for the user's own, which is in `MODEL`.
    by_torch
        Whether `MODEL` was written by `torch.save`.
    has_cache, has_code
        Whether there is a compile cache, or source code of the user's.
    is_plain
        Whether `INPUTS` holds tensors alone.
    has_keywords
        Whether inputs are given by keyword.
    has_torchvision
        Whether the user's own model imports torchvision.
    compares
        Whether outputs are the same at each run, so that they can be compared.
    """

    variant: Variant
    title: str
    method: str
    device: str
    artifact: str | None
    facts: Mapping[str, Any]
    zoo: tuple[str, ...]
    by_torch: bool
    has_cache: bool
    has_code: bool
    is_plain: bool
    has_keywords: bool
    has_torchvision: bool
    compares: bool


def run(contents: Contents) -> str:
    """Return ``run.py``."""
    parts = [
        script.helpers(
            "tensors", "distance", *(["constants"] if contents.variant.engine.name == "onnxruntime" else [])
        ),
        _CHECK,
        *([Template(_USE_CACHE).substitute(CACHE=CACHE)] if contents.has_cache else []),
        _kept(contents),
        *([Template(_TORCHVISION).substitute(SCHEMAS=zoo.MISSING_OPERATORS)] if contents.has_torchvision else []),
        _build(contents),
        _load(contents),
        _main(contents),
    ]
    body = "\n\n".join(part.strip("\n") + "\n" for part in parts)
    return f"{_head(contents, body)}\n\n{body}"


def _head(contents: Contents, body: str) -> str:
    used = [name for name in STANDARD if re.search(rf"\b{name}\.", body)]
    path = [f'sys.path.insert(0, str(HERE / "{CODE}"))  # the source of the model'] if contents.has_code else []
    lines = [
        script.comment(
            f"{contents.variant} of {contents.title}, as optkit measured it: `python run.py` checks and times."
        ),
        "",
        *(f"import {name}" for name in used),
        "from pathlib import Path",
        "",
        "import torch",
        "from torch.utils import benchmark",
        "",
        "HERE = Path(__file__).resolve().parent",
        *path,
        "try:",
        f'    RECIPE = json.loads((HERE / "{RECORD}").read_text(encoding="utf-8"))',
        '    RECIPE["torch"], RECIPE["files"], RECIPE["cpu_flags"]',
        "except (OSError, ValueError, TypeError, KeyError):",
        f'    sys.exit(f"{RECORD} is missing from {{HERE}} or damaged; save the recipe again.")',
        f'DEVICE = "{contents.device}"',
        "THREADS = torch.get_num_threads()  # of eager, whatever this recipe sets",
    ]
    return "\n".join(lines) + "\n"


_CHECK = '''
class RecipeError(Exception):
    """What is here is not what was saved; the message is one sentence that says what to do."""


def check():
    """Raise where this is not what was saved: other files, another torch, a processor that lacks something."""
    saved = RECIPE["torch"]
    if torch.__version__ != saved:
        raise RecipeError(f"This recipe was saved with torch {saved} and this is {torch.__version__}; save it again, "
                          "or install what requirements.txt names.")
    for name, digest in RECIPE["files"].items():
        if not (HERE / name).is_file():
            raise RecipeError(f"{name} is missing from {HERE}; save the recipe again.")
        with (HERE / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise RecipeError(f"{name} was altered after it was saved, so it is not what was measured; save it again.")
    for path in (HERE / "code").rglob("*.*"):
        if str(path.relative_to(HERE)) not in RECIPE["files"] and "__pycache__" not in path.parts and path.is_file():
            raise RecipeError(f"{path.relative_to(HERE)} was added after it was saved and can be imported; remove it.")
    lacking = ", ".join(sorted(set(RECIPE["cpu_flags"]) - cpu_flags()))
    if lacking and RECIPE["for_this_processor"]:
        raise RecipeError(f"This was compiled for a processor with {lacking}, which is not here; save it again.")
    found = None if DEVICE == "cpu" or not torch.cuda.is_available() else torch.cuda.get_device_name(DEVICE)
    if DEVICE != "cpu" and (found is None or (RECIPE["for_this_processor"] and found != RECIPE["device_name"])):
        raise RecipeError(f"This recipe is for {RECIPE['device_name']} and there is {found} here; save it again here.")


def cpu_flags():
    """Return what this processor says that it can do."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.partition(":")[2].split()}
'''

_USE_CACHE = '''
def use_cache():
    """Let torch find what was compiled when this was saved, if this processor is like that one."""
    kinds = tuple(RECIPE["cpu_flag_kinds"])
    if {flag for flag in cpu_flags() if flag.startswith(kinds)} != set(RECIPE["cpu_flags"]):
        print("another processor than the cache was made on: compiling anew", file=sys.stderr)
        return
    folder = tempfile.mkdtemp(prefix="recipe-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with zipfile.ZipFile(HERE / "$CACHE") as archive:
        archive.extractall(folder)
    os.environ |= {"TORCHINDUCTOR_CACHE_DIR": folder, "TRITON_CACHE_DIR": f"{folder}/triton"}
    import torch._inductor.config

    torch._inductor.config.cpp_cache_precompile_headers = False  # as it was then: they take seconds on a new machine
'''


def _kept(contents: Contents) -> str:
    return Template(_KEPT).substitute(INPUTS=INPUTS, PLAIN=contents.is_plain)


_KEPT = '''
def kept():
    """Return the inputs that were measured, as (args, kwargs) of each call, and what eager returned for them."""
    saved = torch.load(HERE / "$INPUTS", weights_only=$PLAIN)
    return [(move(args), move(kwargs)) for args, kwargs in saved["batches"]], saved["expected"]


def move(value):
    """Return a value with its tensors on the device."""
    if isinstance(value, dict):
        return {key: move(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(move(part) for part in value)
    return value.to(DEVICE) if torch.is_tensor(value) else value
'''


_TORCHVISION = '''
def import_torchvision():
    """Import torchvision, also beside a build of torch that its compiled extension does not fit."""
    try:
        import torchvision
    except RuntimeError:
        library = globals()["library"] = torch.library.Library("torchvision", "FRAGMENT")
        for schema in $SCHEMAS:
            library.define(schema)
        import torchvision
'''


def _build(contents: Contents) -> str:
    if contents.zoo:
        lines = ["torch.manual_seed(0)", *contents.zoo]
    else:
        how = (
            f'torch.load(HERE / "{MODEL}", map_location="cpu", weights_only=False)'
            if contents.by_torch
            else f'pickle.loads((HERE / "{MODEL}").read_bytes())'
        )
        lines = [
            *(["import_torchvision()"] if contents.has_torchvision else []),
            f'model = {how}["model"]  # a pickle: load it only from whom you trust',
            "if not isinstance(model, torch.nn.Module):",
            "    torch.manual_seed(0)",
            "    random.seed(0)",
            "    model = model()",
        ]
    mode = "train" if contents.variant.train else "eval"
    body = [*lines, "if isinstance(model, torch.nn.Module):", f"    model = model.{mode}().to(DEVICE)", "return model"]
    return _function("build()", "Return the model as it was measured, before anything was done to it.", body)


def _load(contents: Contents) -> str:
    variant, method = contents.variant, contents.method
    target = "model" if method == "forward" else f"model.{method}"
    body = ["check()"]
    if variant.threads is not None:
        body.append(f"torch.set_num_threads({variant.threads})")
    if contents.artifact is not None:
        body += variant.engine.loading_code(f'str(HERE / "{contents.artifact}")', method, contents.facts)
    else:
        body += ["use_cache()"] if contents.has_cache else []
        body += ["model = build()", *variant_code.model_conversion(variant)]
        body += _example(variant) + variant.engine.code(
            "model", method, "**inputs" if contents.has_keywords else "*inputs", context=variant_code.exporting(variant)
        )
        body += script.autocasting(variant)
    body += _warming(variant, target)
    body += [*variant_code.converting(variant), *_calling(variant), "return call"]
    return _function("load()", "Return the optimized callable: once in a process, for all its calls.", body)


def _example(variant: Variant) -> list[str]:
    """Return the lines that define ``inputs``, where the engine traces in the process that runs it."""
    if variant.engine.name != "torchscript":
        return []
    lines = ["args, kwargs = kept()[0][0]", "inputs = kwargs or args"]
    if function := variant_code.converting(variant):
        lines += [
            *function,
            "inputs = converted(inputs)",
        ]
    return lines


def _warming(variant: Variant, target: str) -> list[str]:
    """Return the lines that make the first call, where that is another than the rest."""
    if variant.compiled_in is None and variant.fallback is None:
        return []
    lines = ["for args, kwargs in kept()[0]:", f"    with {script.context(variant, variant.compiled_in)}:"]
    lines += ["        fast(*args, **kwargs)  # compiles here"]
    if variant.fallback is None:
        return lines
    return [
        "try:  # torch compiles at the first call: only there can it fail",
        *(f"    {line}" for line in lines),
        "except Exception as error:",
        '    print("compiling failed, so eager is called from here on:", error, file=sys.stderr)',
        f"    fast = {target}",
        *(f"    {line}" for line in script.autocasting(variant)),
    ]


def _calling(variant: Variant) -> list[str]:
    convert = []
    if variant_code.converting(variant):
        convert = ["    args, kwargs = converted(args), converted(kwargs)"]
    return [
        "def call(*args, **kwargs):",
        *convert,
        f"    with {script.context(variant)}:",
        "        return fast(*args, **kwargs)",
    ]


def _main(contents: Contents) -> str:
    target = "" if contents.method == "forward" else f".{contents.method}"
    judge = _JUDGE if contents.compares else _NO_JUDGE
    given = {"EAGER": script.EAGER, "TARGET": f"build(){target}", "TOLERANCE": str(script.tolerance(contents.variant))}
    return Template(_MAIN.replace("$JUDGE", textwrap.indent(judge.strip("\n"), "    "))).substitute(given)


_JUDGE = """
if not worst <= $TOLERANCE:
    raise RecipeError(f"The outputs are {worst:.2g} of their size away from those that eager gave when this was saved, "
                      "so do not use it; save the recipe again.")
"""
_NO_JUDGE = "# Eager's own outputs could not be repeated when this was saved, so they are not compared."
_MAIN = '''
def prove():
    """Load, call with each batch, and return the callable and what was found; raise where outputs are others."""
    begin = time.perf_counter()
    fast = load()
    loaded = time.perf_counter()
    batches, expected = kept()
    called = time.perf_counter()
    outputs = []
    for args, kwargs in batches:
        torch.manual_seed(0)  # as when the expected outputs were made
        outputs.append(fast(*args, **kwargs))
        if len(outputs) == 1:
            tensors(outputs)[0].cpu()  # waits for the device
            first = time.perf_counter() - called
    found = {"load_s": loaded - begin, "first_call_s": first}
    worst = max(distance(one, other) for one, other in zip(outputs, expected))
$JUDGE
    return fast, found | {"distance": worst if worst < float("inf") else None}


def compare(fast, seconds=1.0, turns=5):
    """Return the seconds of a call of eager and of `fast` in each turn; with 0 seconds eager is only called once."""
    model, (args, kwargs) = $TARGET, kept()[0][0]

    def eager(*args, **kwargs):
        with $EAGER:
            return model(*args, **kwargs)

    def timer(call, threads):
        space = {"call": call, "args": args, "kwargs": kwargs}
        return benchmark.Timer("call(*args, **kwargs)", globals=space, num_threads=threads)

    eager(*args, **kwargs)
    timers, times = (timer(eager, THREADS), timer(fast, torch.get_num_threads())), ([], [])
    for _ in range(turns if seconds else 0):  # in turn: what slows the machine down meanwhile slows both
        for one, taken in zip(timers, times):
            taken.append(one.blocked_autorange(min_run_time=seconds / turns).median)
    return times


def told(eager_s, fast_s):
    """Return what the turns tell, which can be nothing."""
    ratios = sorted(one / other for one, other in zip(eager_s, fast_s))
    said = f"{statistics.median(ratios):.2f}x, {ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} turns"
    if ratios[0] <= 1 <= ratios[-1]:
        said += ", so which is faster cannot be told"
    eager_ms, fast_ms = statistics.median(eager_s) * 1e3, statistics.median(fast_s) * 1e3
    return f"eager {eager_ms:.3f} ms, optimized {fast_ms:.3f} ms: {said}"


def ready():
    """Do what `prove` does, and end the process in one sentence where that raises one."""
    try:
        return prove()
    except RecipeError as error:
        sys.exit(str(error))


def main():
    """Check, and time; --check leaves out the times, and --eager calls eager once all the same."""
    fast, found = ready()
    if "--eager" in sys.argv:
        compare(fast, seconds=0)
    if "--check" in sys.argv:
        print(json.dumps(found))
        return
    print(f"loaded in {found['load_s']:.2f} s, first call {found['first_call_s']:.3f} s")
    print(f"outputs differ from eager's by {found['distance']} of their size")
    print(told(*compare(fast)))


if __name__ == "__main__":
    main()
'''


def _function(signature: str, said: str, body: list[str]) -> str:
    return f'def {signature}:\n    """{said}"""\n' + textwrap.indent("\n".join(body), "    ")
