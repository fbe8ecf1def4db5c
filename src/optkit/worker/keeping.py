"""What a recipe keeps of a worker: inputs, and the outputs that eager gives for them."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import torch

from optkit.worker import loading, outputs
from optkit.worker.fresh import load_fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.engines.base import LoadedModel


def keep(spec: dict[str, Any], loaded: LoadedModel, function: Callable[..., Any], path: str) -> dict[str, Any]:
    """Write the batches and eager's outputs to `path`, and call the variant once with each batch: each may compile.

    Parameters
    ----------
    spec
        What `Workload.pack` returned.
    loaded, function
        The variant's own batches, and what calls it; called in the grad context that the caller is in.
    path
        A file that does not exist yet.

    Returns
    -------
    dict
        ``is_plain``: whether the file holds nothing but tensors and what `torch.load` takes with ``weights_only``;
        ``torch``: its version; ``device_name``: the accelerator's, None for the CPU.
    """
    fresh = load_fresh(spec | {"train": False}, loaded.device)
    expected = []
    for args, kwargs in fresh.batches:
        torch.manual_seed(loading.SEED)  # as the recipe does before each call
        with torch.inference_mode():
            expected.append([one.cpu().clone() for one in outputs.tensors(fresh.target(*args, **kwargs))])
    fresh = load_fresh(spec | {"train": False}, "cpu")  # what was called may have changed its inputs
    torch.save({"batches": list(fresh.batches), "expected": expected}, path)
    for args, kwargs in loaded.batches:
        function(*args, **kwargs)
    return {
        "is_plain": _is_plain(path),
        "torch": torch.__version__,
        "device_name": None if loaded.device == "cpu" else torch.cuda.get_device_name(loaded.device),
    }


def _is_plain(path: str) -> bool:
    try:
        torch.load(path, weights_only=True)
    except pickle.UnpicklingError:
        return False
    return True
