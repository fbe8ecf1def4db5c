"""A variant as Python for users to copy: what its modifiers add to the lines of its engine. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit.engines.base import NO_GRAD

if TYPE_CHECKING:
    from optkit.variant import Variant

CONTEXTS = {"inference_mode": "torch.inference_mode()", "no_grad": NO_GRAD, "grad": "torch.enable_grad()"}
CONFIGS = {"int8": "Int8DynamicActivationInt8WeightConfig", "int8_weight_only": "Int8WeightOnlyConfig"}


def conversion(variant: Variant, inputs: str) -> list[str]:
    """Return the lines that change model and inputs; `inputs` is how a call takes them, e.g. ``"*inputs"``."""
    lines = model_conversion(variant)
    if not (function := converting(variant)):
        return lines
    name = inputs.lstrip("*")
    return [*lines, *function, f"{name} = converted({name})"]


def model_conversion(variant: Variant) -> list[str]:
    """Return the lines that change the model."""
    lines = []
    if variant.dtype is not None:
        lines += [f"model = model.to(torch.{variant.dtype})"]
    if variant.memory_format is not None:
        lines += [f"model = model.to(memory_format=torch.{variant.memory_format})"]
    if variant.quantize is not None:
        lines += [
            f"from torchao.quantization import {CONFIGS[variant.quantize]}, quantize_",
            f"quantize_(model, {CONFIGS[variant.quantize]}())",
        ]
    if variant.autocast is not None:
        lines += ["device = next(model.parameters()).device.type"]
    return lines


def converting(variant: Variant) -> list[str]:
    """Return the lines that define ``converted``, which changes one input; none where inputs stay as they are."""
    if variant.dtype is None and variant.memory_format is None:
        return []
    lines = [
        "def converted(value):",
        "    if isinstance(value, dict):",
        "        return {key: converted(part) for key, part in value.items()}",
        "    if type(value) in (list, tuple):",
        "        return type(value)(map(converted, value))",
        "    if not torch.is_tensor(value):",
        "        return value",
    ]
    if variant.dtype is not None:
        lines += ["    if value.is_floating_point():", f"        value = value.to(torch.{variant.dtype})"]
    if variant.memory_format is not None:
        lines += ["    if value.dim() == 4:", f"        value = value.to(memory_format=torch.{variant.memory_format})"]
    return [*lines, "    return value"]


def exporting(variant: Variant) -> str:
    """Return the contexts in which the model is exported: a trace must see what autocast does."""
    if variant.autocast is None:
        return NO_GRAD
    return f"{NO_GRAD}, {autocast(variant, 'cache_enabled=False')}"


def call(variant: Variant, method: str, inputs: str) -> list[str]:
    """Return the lines that call ``fast`` in the variant's contexts, with what is done where the first call fails."""
    line = f"output = fast({inputs})"
    lines = _under(variant, variant.grad, [line])
    if variant.compiled_in is not None:
        first = _under(variant, variant.compiled_in, [f"fast({inputs})  # compiles here"])
        lines = [*first, *lines]
    if variant.fallback is None:
        return lines
    target = "model" if method == "forward" else f"model.{method}"
    return [
        "try:  # torch compiles at the first call: only there can it fail",
        *(f"    {one}" for one in lines),
        "except Exception:",
        f"    fast = {target}",
        *(f"    {one}" for one in _under(variant, variant.grad, [line])),
    ]


def _under(variant: Variant, grad: str, lines: list[str]) -> list[str]:
    contexts = [] if grad == "grad" and not variant.compiled_in else [CONTEXTS[grad]]
    if variant.autocast is not None and not variant.engine.runs_file:
        contexts.append(autocast(variant))
    return [f"with {', '.join(contexts)}:", *(f"    {one}" for one in lines)] if contexts else lines


def autocast(variant: Variant, *more: str) -> str:
    """Return the expression that enters autocast; `more` are further arguments."""
    dtype = () if variant.autocast is True else (f"dtype=torch.{variant.autocast}",)
    return f"torch.autocast({', '.join(['device', *dtype, *more])})"
