"""Models and batches that are loaded anew, and called on copies, so that nothing of it disturbs what was timed."""

from __future__ import annotations

import contextlib
import copy
import random
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from optkit.worker import leaves, loading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optkit.engines.base import Batch, LoadedModel
    from optkit.worker.leaves import Leaves

SEED = 0


def load_fresh(spec: dict[str, Any], device: str) -> LoadedModel:
    """Load model and batches once more, as normal tensors and without disturbing what is compiled."""
    with torch.inference_mode(False), _classes_kept():
        return loading.load(spec, device)


@contextlib.contextmanager
def _classes_kept() -> Iterator[None]:
    """Undo what loading does to classes that are here already.

    cloudpickle finds a class again that it has loaded before, but gives it new methods all the same. To a compiled
    function these are other code, and it would compile again.
    """
    tracked = getattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_ID", {})
    before = [(kept, dict(vars(kept))) for kept in list(tracked.values())]
    try:
        yield
    finally:
        for kept, attributes in before:
            for name, value in attributes.items():
                if vars(kept).get(name) is not value:
                    setattr(kept, name, value)


def run(
    function: Callable[..., Any], batches: tuple[Batch, ...], *, seed: int = SEED, keep: list[Any] | None = None
) -> list[Leaves]:
    """Call `function` on a copy of every batch, and return the leaves of the outputs; add these to `keep`."""
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the model's code may draw from the global generator
    random.seed(seed)
    found = []
    for batch in batches:
        args, kwargs = _copied(batch)
        output = function(*args, **kwargs)
        found.append(leaves.flatten(output))
        if keep is not None:  # a copy where another call follows: it may overwrite what this one returned
            keep.append(pytree.tree_map_only(Tensor, torch.clone, output) if len(batches) > 1 else output)
    return found


def _copied(batch: Batch) -> Batch:
    """Copy a batch, because a call may change it in place."""
    with torch.inference_mode(False):
        try:
            return copy.deepcopy(batch)
        except Exception:  # noqa: BLE001 - an object of the user's that does not let itself be copied
            return batch
