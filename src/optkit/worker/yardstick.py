"""What outputs are held against where they are not close to eager's."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from optkit.worker import conversion
from optkit.worker.fresh import load_fresh, run

if TYPE_CHECKING:
    from optkit.engines.base import Batch
    from optkit.variant import Variant
    from optkit.worker.leaves import Leaves


class Yardstick:
    """What outputs are held against where they are not close to eager's: the model in fp64, eager in less precision.

    Each is run when it is first asked for, on models of its own.
    """

    def __init__(self, spec: dict[str, Any], device: str, variant: Variant, batches: tuple[Batch, ...]) -> None:
        self._load = partial(load_fresh, spec, device)
        self._device = device
        self._variant = variant
        self._batches = batches
        self.is_reduced = variant.is_reduced

    def exact(self, number: int) -> Leaves | None:
        """Return the leaves in fp64 of a batch; None where the model has no fp64."""
        return None if self._exact is None else self._exact[number]

    def peer(self, number: int) -> Leaves | None:
        """Return the leaves of eager in the variant's own precision; None where that is the model's."""
        return None if self._peers is None else self._peers[number]

    @cached_property
    def _exact(self) -> list[Leaves] | None:
        try:
            fresh = self._load()
            with torch.inference_mode(False):
                fresh.model.double()
                batches = pytree.tree_map_only(
                    Tensor, lambda t: t.double() if t.is_floating_point() else t, self._batches
                )
            return run(fresh.target, batches)
        except Exception:  # noqa: BLE001 - no module, no memory, an operator without fp64: there is just no such reference
            return None

    @cached_property
    def _peers(self) -> list[Leaves] | None:
        if not self.is_reduced:
            return None
        try:
            with torch.inference_mode(False):
                fresh = conversion.convert(self._load(), self._variant)
        except Exception:  # noqa: BLE001 - then nobody knows what may be expected in this precision
            return None
        return run(conversion.in_autocast(fresh.target, self._device, self._variant.autocast), self._batches)
