"""What exporters need of a model and its inputs: batches of another size, and a module that takes tensors alone.

torch is imported inside the functions: they run in a worker.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any

from optkit.errors import UsageError

if TYPE_CHECKING:
    from optkit.engines.base import Batch, LoadedModel

FEWEST_DYNAMIC = 2
"""An exporter takes a size of 1 for a constant."""


def batch_size(batch: Batch) -> int:
    """Return how many inputs a batch holds: the first dimension of its first tensor that has one, else 1."""
    import torch
    from torch.utils import _pytree as pytree

    for leaf in pytree.tree_leaves(batch):
        if isinstance(leaf, torch.Tensor) and leaf.dim() > 0:
            return leaf.shape[0]
    return 1


def resized(batches: tuple[Batch, ...], size: int) -> tuple[Batch, ...]:
    """Return batches of `size` inputs: tensors that are as long as the batch are repeated, or cut, to that length."""
    import torch
    from torch.utils import _pytree as pytree

    def fit(batch: Batch) -> Batch:
        now = batch_size(batch)

        def one(value: Any) -> Any:
            if not isinstance(value, torch.Tensor) or value.dim() == 0 or value.shape[0] != now:
                return value
            with torch.inference_mode(False):  # a tensor of another kind would compile once more
                # A copy: of a view, which a cut is, torch would compile once more.
                return value.repeat(-(-size // now), *[1] * (value.dim() - 1))[:size].clone()

        fitted: Batch = pytree.tree_map(one, batch)
        return fitted

    return tuple(fit(batch) for batch in batches)


def growable(loaded: LoadedModel) -> LoadedModel:
    """Return the model with batches of at least two, for an export in which the size of a batch may vary."""
    size = max(batch_size(loaded.batches[0]), FEWEST_DYNAMIC)
    return dataclasses.replace(loaded, batches=resized(loaded.batches[:1], size))


def module(loaded: LoadedModel) -> Any:
    """Return a module whose forward is what is measured."""
    import torch

    if loaded.method == "forward" and isinstance(loaded.model, torch.nn.Module):
        return loaded.model
    wrapped = torch.nn.Module()
    if isinstance(loaded.model, torch.nn.Module):
        wrapped.inner = loaded.model
        wrapped.train(loaded.model.training)
    wrapped.forward = loaded.target
    return wrapped


def module_code(model: str, method: str) -> tuple[list[str], str]:
    """Return lines, and the expression that is then a module whose forward is the method; see `module`."""
    if method == "forward":
        return [], model
    lines = ["wrapped = torch.nn.Module().eval()", f"wrapped.inner, wrapped.forward = {model}, {model}.{method}"]
    return lines, "wrapped"


def batch_dimensions(loaded: LoadedModel) -> dict[str, Any]:
    """Return, by parameter, the first dimension of each tensor that is as long as the batch, for `torch.export`."""
    import torch
    from torch.utils import _pytree as pytree

    args, kwargs = loaded.batches[0]
    size = batch_size(loaded.batches[0])

    def one(value: Any) -> Any:
        is_batch = isinstance(value, torch.Tensor) and value.dim() > 0 and value.shape[0] == size
        return {0: torch.export.Dim.AUTO} if is_batch else None

    given = inspect.signature(module(loaded).forward).bind(*args, **kwargs).arguments
    return {name: pytree.tree_map(one, value) for name, value in given.items()}


def flat(loaded: LoadedModel) -> tuple[Any, tuple[Any, ...], list[str]]:
    """Return a module that takes tensors and returns a tuple of tensors, those of the first batch, and their names.

    What else is among the inputs is built in as it is, and kept in the module's ``template`` (see `leaves_like`). Call
    the module once, then its ``structure`` says how the outputs are put together again: see `rebuilt`.

    Raises
    ------
    UsageError
        When it is called, if the model returns something that is neither a tensor nor None.
    """
    import torch
    from torch.utils import _pytree as pytree

    args, kwargs = loaded.batches[0]
    leaves, spec = pytree.tree_flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]

    class Flat(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module(loaded)
            self.structure: Any = None
            self.template = spec, [None if i in places else leaf for i, leaf in enumerate(leaves)], places, list(kwargs)

        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            filled = list(leaves)
            for place, tensor in zip(places, tensors, strict=True):
                filled[place] = tensor
            given, named = pytree.tree_unflatten(filled, spec)
            outputs, structure = pytree.tree_flatten(self.inner(*given, **named))
            self.structure = structure, [leaf is not None for leaf in outputs]
            if other := {type(leaf).__name__ for leaf in outputs if not isinstance(leaf, torch.Tensor | None)}:
                raise UsageError(f"Its outputs hold {' and '.join(sorted(other))}, and ONNX holds tensors alone.")
            return tuple(leaf for leaf in outputs if leaf is not None)

    made = Flat()
    made.training = made.inner.training
    return made, tuple(leaves[place] for place in places), _names(loaded, len(places))


def leaves_like(template: tuple[Any, list[Any], list[int], list[str]], args: Any, kwargs: Any) -> list[Any]:
    """Return the tensors of a call, in the order of the one that was exported.

    Raises
    ------
    UsageError
        If the call is built otherwise, or something that was built in is another here.
    """
    from torch.utils import _pytree as pytree

    expected, constants, places, keys = template
    if kwargs.keys() == set(keys):
        kwargs = {key: kwargs[key] for key in keys}
    leaves, spec = pytree.tree_flatten((args, kwargs))
    if spec != expected:
        raise UsageError("This batch is built otherwise than the one that was exported; give all in the same form.")
    tensors = [leaves[place] for place in places]
    others = [None if i in places else leaf for i, leaf in enumerate(leaves)]
    if others != constants:
        raise UsageError("What is no tensor was built in when this was exported, and this batch has other values.")
    return tensors


def rebuilt(tensors: list[Any], structure: tuple[Any, list[bool]]) -> Any:
    """Put outputs together again, as the model returns them."""
    from torch.utils import _pytree as pytree

    spec, present = structure
    following = iter(tensors)
    return pytree.tree_unflatten([next(following) if is_there else None for is_there in present], spec)


def written(spec: Any, present: list[bool], name: str) -> str:
    """Return the expression that puts outputs together again from the list `name`; see `rebuilt`.

    What is no tuple, list or dict is a type of somebody's: the list itself is returned then.
    """
    from torch.utils import _pytree as pytree

    numbers = iter(range(len(present)))
    places = [f"{name}[{next(numbers)}]" if is_there else "None" for is_there in present]

    def one(value: Any) -> str | None:
        if isinstance(value, str):
            return value
        if type(value) is dict and all(isinstance(key, str | int) for key in value):
            parts = [(f"{key!r}: ", one(part)) for key, part in value.items()]
            opening, closing = "{", "}"
        elif type(value) in (list, tuple):
            parts = [("", one(part)) for part in value]
            opening, closing = ("[", "]") if type(value) is list else ("(", ",)" if len(value) == 1 else ")")
        else:
            return None
        if any(part is None for _, part in parts):
            return None
        return f"{opening}{', '.join(f'{key}{part}' for key, part in parts)}{closing}"

    return one(pytree.tree_unflatten(places, spec)) or name


def _names(loaded: LoadedModel, count: int) -> list[str]:
    """Return a name for each tensor that goes in: those of the parameters, where each is one tensor."""
    import torch

    args, kwargs = loaded.batches[0]
    try:
        given = inspect.signature(loaded.target).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        given = {}
    names = [name for name, value in given.items() if isinstance(value, torch.Tensor)]
    return names if len(names) == count else [f"input_{i}" for i in range(count)]
