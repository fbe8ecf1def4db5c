"""Presets: variants by one name, and whatever stands for variants turned into a list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit import advice
from optkit.engines import Engine
from optkit.engines.inductor_settings import modes
from optkit.errors import VariantError
from optkit.patterns import PATTERNS
from optkit.variant import PRESET_NAMES, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.environment import Environment


def _backends(_: Environment) -> list[str]:
    return ["compile:backend=eager", "compile:backend=aot_eager", "compile", "compile:backend=cudagraphs"]


def _precision(environment: Environment) -> list[str]:
    half = "float16" if environment.device == "cuda" else "bfloat16"
    layouts = ["compile+channels_last", f"compile+channels_last+{half}"]
    return [
        f"eager+{half}",
        f"compile+{half}",
        "compile+autocast",
        *layouts,
        "compile+int8",
        "compile+int8_weight_only",
    ]


def _threads(environment: Environment) -> list[str]:
    counts = {1, environment.cores or environment.cpus, max(1, int(environment.usable_cpus))}
    return [f"eager+threads={count}" for count in sorted(counts)]


def _guide(environment: Environment) -> list[str]:
    graphs = ["compile:backend=cudagraphs", "compile:mode=reduce-overhead"] if environment.device == "cuda" else []
    return ["compile:backend=eager", "compile", "torchscript", "torchscript:compile=true", *graphs]


PRESETS: dict[str, tuple[str, Any]] = {
    "recommended": (
        "what makes sense on this machine",
        lambda environment: [one.variant for one in advice.recommend(environment)],
    ),
    "backends": ("one variant for each backend of torch.compile", _backends),
    "modes": (
        "one variant for each mode of torch.compile",
        lambda _: ["compile", *(f"compile:mode={mode}" for mode in modes() if mode)],
    ),
    "contexts": (
        "eager with gradients, under no_grad, and under inference_mode",
        lambda _: ["eager+grad", "eager+no_grad"],
    ),
    "precision": ("half precision, autocast, layout and int8", _precision),
    "threads": ("eager with one thread, one for each core, and one for each CPU that is granted", _threads),
    "exports": (
        "what runs from a file, without the model's source",
        lambda _: ["torchscript", "torchscript:optimize_for_inference=true", "onnxruntime", "aotinductor"],
    ),
    "guide": ("the rows of the well-known ResNet-50 table, and on a GPU CUDA graphs", _guide),
    "patterns": (
        "the four deployment patterns of guides, as they are written and as they work today",
        lambda _: [str(way) for one in PATTERNS.values() for way in (one.guide, one.variant)],
    ),
}
assert (*PRESETS, "all") == PRESET_NAMES


VariantLike = Variant | Engine | str
"""What stands for a variant: itself, bare engine settings, its text, or the name of a preset."""


def resolve(variants: VariantLike | Iterable[VariantLike], environment: Environment) -> list[Variant]:
    """Turn whatever a user gave into a list of variants, each once, in the order given.

    Raises
    ------
    VariantError
        If a name is unknown, if there are none, or if two different callables print alike.
    """
    given = [variants] if isinstance(variants, Variant | Engine | str) else list(variants)
    found = [variant for item in given for variant in _expand(item, environment)]
    unique: dict[str, Variant] = {}
    for variant in found:
        if unique.setdefault(str(variant), variant) != variant:
            raise VariantError(f"Two different variants print as {variant}; give one of the callables another name.")
    if not unique:
        raise VariantError("There is no variant to measure; give at least one, or a preset such as 'recommended'.")
    return list(unique.values())


def _expand(item: VariantLike, environment: Environment) -> list[Variant]:
    if isinstance(item, Variant):
        return [item]
    if isinstance(item, Engine):
        return [Variant(item)]
    if not isinstance(item, str):
        raise VariantError(f"{item!r} is no variant; give a Variant, its text, or settings from optkit.engines.")
    if item == "all":
        return [variant for name in PRESETS for variant in _expand(name, environment)]
    if item in PRESETS:
        return [Variant.parse(string) for string in PRESETS[item][1](environment)]
    return [Variant.parse(item)]
