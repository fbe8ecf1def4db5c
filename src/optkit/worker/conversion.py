"""The modifiers of a variant that change model and inputs: layout, precision, quantization. Runs in a worker."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from optkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.engines.base import LoadedModel
    from optkit.variant import Variant

IMAGE_DIMENSIONS = 4
AUTOCAST = {"cpu": "bfloat16", "cuda": "float16"}
"""What autocast uses where no dtype is given, by device."""


def convert(loaded: LoadedModel, variant: Variant) -> LoadedModel:
    """Return model and inputs as the variant wants them; the model itself is changed.

    Raises
    ------
    UsageError
        If the model is no module, or has nothing that could be quantized.
    """
    if variant.dtype is None and variant.memory_format is None and variant.quantize is None:
        return loaded
    model = loaded.model
    if model is not None and not isinstance(model, nn.Module):
        raise UsageError("Precision and layout are changed in an nn.Module, and this model is a plain function.")
    dtype = None if variant.dtype is None else getattr(torch, variant.dtype)
    layout = None if variant.memory_format is None else getattr(torch, variant.memory_format)
    if model is not None:
        if dtype is not None:
            model.to(dtype)
        if layout is not None:
            model.to(memory_format=layout)  # type: ignore[call-overload]
        if variant.quantize is not None:
            _quantize(model, variant.quantize)

    return dataclasses.replace(loaded, batches=convert_inputs(loaded.batches, variant))


def convert_inputs(values: Any, variant: Variant) -> Any:
    """Return values with the tensors in them as the variant wants them: in its precision, and images in its layout."""
    if variant.dtype is None and variant.memory_format is None:
        return values
    dtype = None if variant.dtype is None else getattr(torch, variant.dtype)
    layout = None if variant.memory_format is None else getattr(torch, variant.memory_format)

    def one(tensor: Tensor) -> Tensor:
        if dtype is not None and tensor.is_floating_point():
            tensor = tensor.to(dtype)
        if layout is not None and tensor.dim() == IMAGE_DIMENSIONS:
            tensor = tensor.contiguous(memory_format=layout)
        return tensor

    return pytree.tree_map_only(Tensor, one, values)


def in_autocast(function: Callable[..., Any], device: str, autocast: str | bool | None) -> Callable[..., Any]:
    """Return a function that enters autocast for each call, as a user's code does; itself where there is none.

    Were it entered once for all calls, autocast would keep the weights that it has cast, and calls would be too fast.
    """
    if autocast is None:
        return function
    kind, dtype = autocast_of(device, autocast)

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(kind, dtype=dtype):
            return function(*args, **kwargs)

    return call


def autocast_of(device: str, autocast: str | bool) -> tuple[str, torch.dtype]:
    """Return the kind of device and the dtype that autocast is entered with."""
    kind = device.partition(":")[0]
    return kind, getattr(torch, AUTOCAST[kind] if autocast is True else str(autocast))


def _quantize(model: nn.Module, how: str) -> None:
    if not any(isinstance(module, nn.Linear) for module in model.modules()):
        raise UsageError("It has no nn.Linear layer, and int8 quantizes nothing else; leave +int8 out.")
    from torchao import quantization

    configs = {
        "int8": quantization.Int8DynamicActivationInt8WeightConfig,
        "int8_weight_only": quantization.Int8WeightOnlyConfig,
    }
    quantization.quantize_(model, configs[how]())
