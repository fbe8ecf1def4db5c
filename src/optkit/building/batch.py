"""Inputs: what draws tensors like the user's. The values of a batch are data, and belong in no script."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from optkit.building.lines import CannotTellError, constant, container, is_channels_last, loaded_torch

INFERRED = {"torch.float32", "torch.int64", "torch.bool"}
"""What torch makes of Python's numbers, or draws, where no dtype is given."""
DRAWN = {f"torch.{name}" for name in ("uint8", "int8", "int16", "int32", "float16", "bfloat16", "float64")}
DRAWN |= {"torch.complex64", "torch.complex128"}
"""What else torch can draw itself."""


def expression(value: Any) -> str:
    """Return Python for inputs like these: tensors and constants, in tuples, lists and dicts."""
    if (torch := loaded_torch()) is not None and isinstance(value, torch.Tensor):
        return _tensor(value) + (".contiguous(memory_format=torch.channels_last)" if is_channels_last(value) else "")
    text = constant(value) or container(dict(value) if type(value) is OrderedDict else value, expression)
    if text is None:
        raise CannotTellError
    return text


def _tensor(value: Any) -> str:
    """Return Python for a tensor of the same shape, dtype and range."""
    torch, dtype = loaded_torch(), str(value.dtype)
    if type(value) not in (torch.Tensor, torch.nn.Parameter) or value.layout is not torch.strided or value.is_quantized:
        raise CannotTellError
    shape = ", ".join(map(str, value.shape))
    if value.dim() == 0:
        return f"torch.tensor({constant(value.item())}{'' if dtype in INFERRED else f', dtype={dtype}'})"
    if value.is_floating_point() or value.is_complex():
        return _typed(f"torch.randn({shape}", dtype)
    if value.dtype is torch.bool and value.any() and not value.all():
        return f"torch.rand({shape}) < 0.5"
    if value.dtype is torch.bool or not value.numel():
        return f"torch.{'ones' if value.numel() and value.all() else 'zeros'}({shape}, dtype={dtype})"
    low, high = (one.item() for one in value.to(torch.int64).aminmax())  # a number of a token has to stay one
    size = tuple(value.shape)
    return _typed(f"torch.full({size}, {low}" if low == high else f"torch.randint({low}, {high + 1}, {size}", dtype)


def _typed(begun: str, dtype: str) -> str:
    """Return the rest of a call that makes a tensor, with the dtype where torch would make another."""
    if dtype in INFERRED:
        return f"{begun})"
    return f"{begun}, dtype={dtype})" if dtype in DRAWN else f"{begun}).to({dtype})"
