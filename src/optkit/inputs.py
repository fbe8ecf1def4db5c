"""What a model is called with: batches, made of what the user gives, and how they are told and written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optkit.errors import WorkloadError

if TYPE_CHECKING:
    from optkit.engines.base import Batch


def batches(inputs: Any) -> tuple[Batch, ...]:
    """Return the batches that are visited in turn; a WorkloadError where this makes none."""
    if isinstance(inputs, list):
        if not inputs:
            raise WorkloadError("inputs is an empty list; give at least one batch.")
        return tuple(_batch(item) for item in inputs)
    return (_batch(inputs),)


def _batch(inputs: Any) -> Batch:
    if isinstance(inputs, tuple):
        return inputs, {}
    if isinstance(inputs, Mapping):
        return (), dict(inputs)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(inputs, torch.Tensor):
        return (inputs,), {}
    named = ", and name variants in variants=" if isinstance(inputs, str) else ""
    raise WorkloadError(
        f"inputs must be a tensor, a tuple, a dict, or a list of those, not {type(inputs).__name__}; "
        f"turn an array into a tensor with torch.from_numpy, wrap a single other argument in a tuple{named}."
    )


def shapes(batch: Batch) -> str:
    """Return what a batch is: shapes and dtypes of tensors, and the types of all else."""
    args, kwargs = batch
    return ", ".join([*map(_shape, args), *(f"{name}={_shape(value)}" for name, value in kwargs.items())])


def _shape(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{'×'.join(map(str, value.shape))} {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__


def written(inputs: Any, *, keywords: bool) -> str:
    """How a call takes what the user calls ``inputs``; of several batches the first."""
    name, one = ("inputs[0]", inputs[0]) if isinstance(inputs, list) and inputs else ("inputs", inputs)
    if one is None:
        return f"**{name}" if keywords else f"*{name}"
    if isinstance(one, Mapping):
        return f"**{name}"
    return f"*{name}" if isinstance(one, tuple) else name
