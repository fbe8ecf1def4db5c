"""What a model holds besides its outputs: parameters, buffers, and what calls changed in them and in the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from optkit.worker import leaves

if TYPE_CHECKING:
    from optkit.engines.base import Batch, LoadedModel


def differing(model: Any, other: Any) -> list[str]:
    """Return the names of parameters and buffers in which two models differ."""
    mine, others = _state(model), _state(other)
    return sorted(name for name in mine.keys() | others.keys() if not _same(mine.get(name), others.get(name)))


@torch.no_grad()
def restore(timed: LoadedModel, fresh: LoadedModel) -> None:
    """Put the state back in place, where a compiled function looks for it; what is no tensor cannot be put back."""
    if timed.model is None:
        return
    mine, others = _state(timed.model), _state(fresh.model)
    for name in differing(timed.model, fresh.model):
        if name in mine and name in others:
            if mine[name].shape == others[name].shape:
                mine[name].copy_(others[name])
            else:
                mine[name].set_(others[name].clone())  # type: ignore[call-overload]  # a cache that grows


def inputs_differ(mine: tuple[Batch, ...], others: tuple[Batch, ...]) -> bool:
    """Whether batches differ in anything."""
    pairs = [(leaves.flatten(one), leaves.flatten(other)) for one, other in zip(mine, others, strict=True)]
    return any(a.keys() != b.keys() or not all(_same(a[path], b[path]) for path in a) for a, b in pairs)


def _state(model: Any) -> dict[str, Tensor]:
    """Return parameters and buffers, those included that are not in the state_dict (caches, counters).

    Tensors of other classes, such as quantized ones, are left out: they let themselves hardly be compared.
    """
    if not isinstance(model, nn.Module):
        return {}
    every = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    plain = (Tensor, nn.Parameter, nn.Buffer)
    return {
        name: tensor for name, tensor in every.items() if type(tensor) in plain and not nn.parameter.is_lazy(tensor)
    }


def _same(mine: Any, other: Any) -> bool:
    """Whether two values are the same; NaN is NaN."""
    if not isinstance(mine, Tensor) or not isinstance(other, Tensor):
        return type(mine) is type(other) and bool(mine == other or (mine != mine and other != other))  # noqa: PLR0124
    if (mine.shape, mine.dtype) != (other.shape, other.dtype):
        return False
    return torch.equal(mine, other) or bool(((mine == other) | (mine.isnan() & other.isnan())).all())
