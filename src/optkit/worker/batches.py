"""Batches of other shapes, made like the one that the user gave: for `optkit.replay_shapes`.

An item of a replay is JSON: ``{"batch_size": 8}``, or ``{"shapes": {"0": [8, 3]}}`` with the shape of each input by
position, keyword or name of the parameter; the name ``""`` is the first tensor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from optkit import signatures
from optkit.engines import exported
from optkit.errors import UsageError
from optkit.worker import conversion
from optkit.worker.loading import SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optkit.engines.base import Batch, LoadedModel
    from optkit.variant import Variant

    Like = Callable[[Tensor | None, list[int]], Tensor]
FEWEST_MARKED = 2
"""torch takes a size of 0 or 1 for a constant, whatever it is marked as."""


class Sequence:
    """The batches of a replay. Each is made when its turn comes: a long replay would not fit in memory at once.

    Parameters
    ----------
    loaded, variant
        The model with its batches, the first of which others are made like, and how their tensors are converted.
    items
        What is replayed, in order.
    mark_dynamic
        Whether the first dimension of each tensor is marked as dynamic, where it varies over the replay.
    names
        The model's parameters, for a worker that has no model.

    Attributes
    ----------
    parameters
        The names of the model's parameters.
    unmarked
        Of each batch made until now, the names of tensors that are not marked because of their size.

    Raises
    ------
    UsageError
        If an item names an input that the model is not given, or gives a size to inputs that have none.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        variant: Variant,
        items: list[dict[str, Any]],
        *,
        mark_dynamic: bool = False,
        names: list[str] | None = None,
    ) -> None:
        self.loaded, self.variant, self.items = loaded, variant, items
        self.parameters = (names or []) if loaded.model is None else signatures.positional(loaded.target) or []
        self.unmarked: list[list[str]] = []
        seen: dict[str, set[int]] = {}
        for item in items:  # without memory; what is wrong with an item is said before anything is called
            for name, tensor in tensors(self._made(_on_meta(loaded.batches[0]), item, _empty)):
                seen.setdefault(name, set()).add(tensor.shape[0] if tensor.dim() else 0)
        self.varying = {name for name, sizes in seen.items() if len(sizes) > 1} if mark_dynamic else set()

    def __iter__(self) -> Iterator[Batch]:
        for item in self.items:
            with torch.inference_mode(False):  # a tensor of another kind would compile once more
                made = self._made(self.loaded.batches[0], item, self._like)
                batch: Batch = conversion.convert_inputs(made, self.variant)
            self.unmarked.append(self._mark(batch))
            yield batch

    def _mark(self, batch: Batch) -> list[str]:
        """Mark the tensors whose first dimension varies; return the names of those that cannot be."""
        unmarked = []
        for name, tensor in tensors(batch):
            if name not in self.varying:
                continue
            if tensor.dim() and tensor.shape[0] >= FEWEST_MARKED:
                torch._dynamo.mark_dynamic(tensor, 0)  # noqa: SLF001 - the name by which torch documents it
            else:
                unmarked.append(name)
        return unmarked

    def _made(self, template: Batch, item: dict[str, Any], like: Like) -> Batch:
        if "batch_size" in item:
            size: int = item["batch_size"]
            (made,) = exported.resized((template,), size)
            if not any(tensor.dim() and tensor.shape[0] == size for _, tensor in tensors(made)):
                raise UsageError(
                    f"A batch of {size} needs inputs with a tensor that holds a batch; give shapes instead."
                )
            # A batch that is cut is a view of a longer one, and torch compiles again for that.
            alone: Batch = pytree.tree_map_only(Tensor, lambda tensor: tensor.clone(), made)
            return alone
        args, kwargs = list(template[0]), dict(template[1])
        shapes: dict[str, list[int]] = item["shapes"]
        for name in sorted(shapes, key=_in_order):
            place = self._place(name, template)
            if isinstance(place, str):
                kwargs[place] = like(kwargs.get(place), shapes[name])
            elif place < len(args):
                args[place] = like(args[place], shapes[name])
            else:
                args.append(like(None, shapes[name]))
        return tuple(args), kwargs

    def _place(self, name: str, template: Batch) -> int | str:
        """Return the position or the keyword that an item calls an input by."""
        args, kwargs = template
        if not args and not kwargs:  # the user gave no inputs: the items say what there is
            return int(name or 0) if name.isdigit() or not name else name
        known = {str(number): value for number, value in enumerate(args)} | kwargs
        names = [key for key, value in known.items() if isinstance(value, Tensor)]
        if name in self.parameters[: len(args)]:
            name = str(self.parameters.index(name))
        name = name or (names[0] if names else "")
        if name not in names:
            said = ", ".join(map(self.called, names)) or "none"
            raise UsageError(f"There is no tensor {name!r} among the inputs; name one of these: {said}.")
        return name if name in kwargs else int(name)

    def called(self, key: str) -> str:
        """Return the parameter's name of an input, where it was given by position."""
        return signatures.called(key, self.parameters)

    def _like(self, template: Tensor | None, shape: list[int]) -> Tensor:
        """Return a tensor of this shape with such values as the template has; float32 without one."""
        generator = torch.Generator().manual_seed(SEED)
        if template is None:
            return torch.randn(shape, generator=generator).to(self.loaded.device)
        if template.dtype is torch.bool:
            is_mostly = bool(2 * template.sum() >= template.numel())
            return torch.full(shape, is_mostly, device=template.device)
        if template.is_floating_point() or template.is_complex():
            kind = torch.complex64 if template.is_complex() else torch.float32
            made = torch.randn(shape, generator=generator, dtype=kind)
        else:
            low, high = (int(template.min()), int(template.max())) if template.numel() else (0, 0)
            made = torch.randint(low, high + 1, shape, generator=generator)
        return made.to(template.device, template.dtype)


def tensors(batch: Batch) -> list[tuple[str, Tensor]]:
    """Return each tensor of a batch with a name: its position or keyword, and what leads to it in nested inputs."""
    args, kwargs = batch
    named = {str(number): value for number, value in enumerate(args)} | kwargs
    leaves, _ = pytree.tree_flatten_with_path(named)
    return [
        (str(path[0].key) + pytree.keystr(path[1:]), leaf)  # type: ignore[attr-defined]
        for path, leaf in leaves
        if isinstance(leaf, Tensor)
    ]


def _on_meta(batch: Batch) -> Batch:
    moved: Batch = pytree.tree_map_only(Tensor, lambda tensor: tensor.to("meta"), batch)
    return moved


def _empty(template: Tensor | None, shape: list[int]) -> Tensor:
    del template
    return torch.empty(shape, device="meta")


def _in_order(name: str) -> tuple[bool, int, str]:
    return not name.isdigit(), int(name) if name.isdigit() else 0, name
