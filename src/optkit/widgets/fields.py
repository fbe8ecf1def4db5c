"""What the picker asks: a table of fields for each engine's settings, and one of modifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit.engines import ENGINES
from optkit.engines.compile import backends
from optkit.engines.inductor_settings import modes
from optkit.engines.onnxruntime import LEVELS
from optkit.variant import FALLBACKS, GRADS, LAYOUTS
from optkit.widgets.field import Modifier, Precision, Setting, Technique

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.environment import Environment
    from optkit.variant import Variant
    from optkit.widgets.field import Field


def offered(variant: Variant, environment: Environment) -> list[Field]:
    """Return the fields that `variant` has, the engine first, in the order in which they are shown."""
    modifiers = (*MODIFIERS, _threads(environment), *ENGINE_MODIFIERS.get(variant.engine.name, ()))
    return [ENGINE, *ENGINE_SETTINGS[variant.engine.name], *modifiers]


def _threads(environment: Environment) -> Field:
    counts = range(1, max(1, int(environment.usable_cpus)) + 1)
    choices = {"torch's default": None, **{str(count): count for count in counts}}
    return Modifier("threads", "Threads", "How many threads an operator may use.", choices, is_rare=True)


def _named(names: Iterable[Any], **others: Any) -> dict[str, Any]:
    """Return choices whose text is the value itself, after others whose text says something else."""
    return {**others, **{str(name): name for name in names}}


_BOOLEAN = {"false": False, "true": True}
_PRECISIONS = {
    "as the model is": (None, None, None),
    "bfloat16": ("bfloat16", None, None),
    "float16": ("float16", None, None),
    "autocast": (None, True, None),
    "autocast=float16": (None, "float16", None),
    "int8": (None, None, "int8"),
    "int8_weight_only": (None, None, "int8_weight_only"),
}
# fmt: off
ENGINE = Technique("engine", "Engine", "The technique that runs the model.", _named(ENGINES))

ENGINE_SETTINGS: dict[str, tuple[Field, ...]] = {
    "eager": (),
    "compile": (
        Setting("backend", "Backend", "What compiles the graphs that torch makes.", _named(backends())),
        Setting("mode", "Mode", "How much Inductor tries out.", _named(filter(None, modes()), default=None)),
        Setting("dynamic", "Dynamic", "Whether shapes may vary; auto: torch decides when another shape comes.",
                {"auto": None, "true": True, "false": False}),
        Setting("freezing", "Freezing", "Fold the weights into the graph as constants.", _BOOLEAN, gives_way=True),
        Setting("fullgraph", "Full graph", "Fail where torch would break the graph.", _BOOLEAN, is_rare=True),
    ),
    "torchscript": (
        Setting("method", "Method", "Record the operators of one call (trace), or translate the source (script).",
                _named(("trace", "script"))),
        Setting("freeze", "Freeze", "Make the weights constants, after loading.", _BOOLEAN),
        Setting("optimize_for_inference", "Optimize", "Call optimize_for_inference after loading; it freezes as well.",
                _BOOLEAN),
        Setting("compile", "Compile", "Give the module that was made to torch.compile.", _BOOLEAN),
    ),
    "onnxruntime": (
        Setting("opset", "Opset", "The version of ONNX's operators to write.",
                {"exporter's choice": None, **_named((14, 17, 18, 20))}),
        Setting("dynamic", "Dynamic", "Let the size of a batch vary.", _BOOLEAN),
        Setting("optimization", "Optimization", "How far the runtime rewrites the graph.", _named(LEVELS)),
    ),
    "aotinductor": (
        Setting("dynamic", "Dynamic", "Let the size of a batch vary.", _BOOLEAN),
        Setting("freezing", "Freezing", "Fold the weights into the code as constants.", _BOOLEAN),
    ),
}
"""Fields by engine. Earlier ones decide: a choice resets what no longer goes with it in later ones, never before it."""

MODIFIERS: tuple[Field, ...] = (
    Modifier("grad", "Grad context", "The context that calls are made in.", _named(GRADS)),
    Precision("precision", "Precision", "bfloat16 and float16 cast the model; autocast casts within each call.",
              _PRECISIONS),
    Modifier("memory_format", "Layout", "How images and convolutions lie in memory.",
             {"as it is": None, **_named(LAYOUTS)}),
    Modifier("train", "Train/eval", "Whether dropout and batch statistics are on.", {"eval": False, "train": True},
             is_rare=True),
)
"""Fields that follow, for every engine; the number of threads depends on the machine and is the last of them."""

ENGINE_MODIFIERS: dict[str, tuple[Field, ...]] = {
    "compile": (
        Modifier("compiled_in", "Compiled in", "The grad context of the first call; torch compiles again in another.",
                 {"the same context": None, **_named(GRADS)}, is_rare=True),
        Modifier("fallback", "Fallback", "What to run where compiling fails.", _named(FALLBACKS, none=None),
                 is_rare=True),
    ),
}
"""Modifiers that go with one engine only."""
# fmt: on
