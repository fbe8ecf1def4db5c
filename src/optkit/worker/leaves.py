"""What outputs consist of: their leaves, by path, and how those travel from one worker to another."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

Leaf = Tensor | float | complex | str | None  # bool and int are floats to a type checker
Leaves = dict[str, Leaf]

EMPTY = "empty"
NOT_COMPARED = "not compared: "
DEEPEST = 100
PLAIN: tuple[Any, ...] = (bool, int, float, complex, str)


def flatten(output: Any) -> Leaves:
    """Return the leaves of nested outputs by their paths, such as ``output.logits`` or ``output[0]['scores']``.

    Tensors are copied to the CPU, because the next call may overwrite them. Of an object that is none of the known
    kinds only the type is kept (see `not_compared`).
    """
    return dict(_walk(output, "output", ()))


def not_compared(leaves: Leaves) -> list[str]:
    """Return the paths of the leaves that optkit cannot look into, each with its type."""
    return [
        f"{path} ({leaf.removeprefix(NOT_COMPARED)})"
        for path, leaf in leaves.items()
        if isinstance(leaf, str) and leaf.startswith(NOT_COMPARED)
    ]


def save(batches: list[Leaves], others: list[Leaves] | None, flags: dict[str, Any], path: str) -> None:
    """Write leaves, those for other inputs, and flags; the file appears when it is complete."""
    torch.save({"batches": batches, "others": others, "flags": flags}, f"{path}.part")
    os.replace(f"{path}.part", path)  # noqa: PTH105 - a str is what travels as JSON


def load(path: str) -> tuple[list[Leaves], list[Leaves] | None, dict[str, Any]]:
    """Return what `save` wrote."""
    content = torch.load(Path(path), map_location="cpu", weights_only=True)
    return content["batches"], content["others"], content["flags"]


def _walk(value: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Leaf]]:
    is_endless = id(value) in above or len(above) > DEEPEST
    parts = None if is_endless else _parts(value)
    if parts is None:
        yield path, _leaf(value)
    elif not parts:
        yield path, EMPTY
    else:
        for suffix, part in parts:
            yield from _walk(part, path + suffix, (*above, id(value)))


def _parts(value: Any) -> list[tuple[str, Any]] | None:
    """Return what is inside a container, each with what it adds to the path; None for a leaf."""
    if isinstance(value, Tensor):
        return [(f"[{i}]", part) for i, part in enumerate(value.unbind())] if value.is_nested else None
    is_record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    if isinstance(value, Mapping):  # a Hugging Face ModelOutput is both: mapping and dataclass
        return [(f".{key}" if is_record else f"[{key!r}]", part) for key, part in value.items()]
    if is_record:
        return [(f".{field.name}", getattr(value, field.name, None)) for field in dataclasses.fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{name}", part) for name, part in zip(value._fields, value, strict=True)]
    return [(f"[{i}]", part) for i, part in enumerate(value)] if isinstance(value, list | tuple) else None


def _leaf(value: Any) -> Leaf:
    """Return a plain copy that torch.save and weights_only know; subclasses of numbers and strings are none."""
    with contextlib.suppress(Exception):  # a tensor without data, say; its type is kept below
        if isinstance(value, bytes | Enum | torch.dtype | torch.device):
            return repr(value)
        if isinstance(value, Tensor):
            return _plain(value.detach())
        for kind in PLAIN:
            if isinstance(value, kind):
                return kind(value)  # type: ignore[no-any-return]
        if isinstance(value, np.ndarray | np.generic):
            return torch.tensor(value)
    return None if value is None else f"{NOT_COMPARED}{type(value).__module__}.{type(value).__qualname__}"


def _plain(tensor: Tensor) -> Tensor:
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return tensor.as_subclass(Tensor).resolve_conj().resolve_neg().to("cpu", copy=True)
