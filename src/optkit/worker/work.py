"""How much work one pass over a model's batches is at the very least: arithmetic, and bytes that must move.

FLOPs are counted by torch's own counter (matrix products and convolutions; a multiplication and an addition are two).
The bytes are those of every parameter and buffer that an operator read, of the inputs and of the outputs, each once:
whatever lies between could stay in registers. Of an embedding's table nothing is counted: few of its rows are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from optkit.engines.base import LoadedModel

LOOKUPS = ("embedding", "index", "gather", "select")
"""Operators that read a few rows of their first argument."""


class _Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects which of some tensors' storages operators read."""

    def __init__(self, tensors: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes = {_storage(tensor): _bytes(tensor) for tensor in tensors}
        self.read: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.overloadpacket.__name__.startswith(LOOKUPS):
            for leaf in pytree.tree_leaves((_read_only(func, args), kwargs)):
                if isinstance(leaf, Tensor) and _storage(leaf) in self.sizes:
                    self.read.add(_storage(leaf))
        return func(*args, **(kwargs or {}))

    @property
    def bytes(self) -> int:
        return sum(self.sizes[storage] for storage in self.read)


def _read_only(func: Any, args: tuple[Any, ...]) -> list[Any]:
    """Return the positional arguments that an operator does not write to."""
    known = func._schema.arguments  # noqa: SLF001 - the only place where torch says it
    return [arg for arg, told in zip(args, known, strict=False) if not (told.alias_info and told.alias_info.is_write)]


def count(loaded: LoadedModel) -> dict[str, Any]:
    """Run the model once over its batches, in eager, and count.

    Returns
    -------
    dict
        ``flops``, ``read_bytes``, ``written_bytes``: the mean of one call. ``dtype``: in which most parameters, or else
        inputs, are.
    """
    held = _held(loaded.model)
    flops = read_bytes = written_bytes = 0
    with torch.inference_mode(False), torch.no_grad():  # under inference_mode some operators are not taken apart
        for args, kwargs in loaded.batches:
            reads = _Reads(held)
            with FlopCounterMode(display=False) as counter, reads:
                output = loaded.target(*args, **kwargs)
            flops += counter.get_total_flops()
            read_bytes += reads.bytes + sum(map(_bytes, _tensors((args, kwargs))))
            written_bytes += sum(map(_bytes, _tensors(output)))
    calls = len(loaded.batches)
    return {
        "flops": flops / calls,
        "read_bytes": read_bytes / calls,
        "written_bytes": written_bytes / calls,
        "dtype": _dtype([*held, *_tensors(loaded.batches)]),
    }


def _held(model: Any) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()] if isinstance(model, torch.nn.Module) else []


def _tensors(values: Any) -> list[Tensor]:
    """Return the distinct tensors in nested values."""
    found = {_storage(leaf): leaf for leaf in pytree.tree_leaves(values) if isinstance(leaf, Tensor)}
    return list(found.values())


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # a tensor without one place in memory, e.g. a sparse one
        return id(tensor)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _dtype(tensors: list[Tensor]) -> str:
    """Return the floating type of most elements; ``float32`` where there is none."""
    elements: dict[str, int] = {}
    for tensor in tensors:
        if tensor.is_floating_point():
            name = str(tensor.dtype).removeprefix("torch.")
            elements[name] = elements.get(name, 0) + tensor.numel()
    return max(elements, key=lambda name: elements[name], default="float32")
