"""Build the model and its inputs in a worker, from what `Workload.pack` wrote."""

from __future__ import annotations

import linecache
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from optkit import tiny_models, zoo
from optkit.engines.base import LoadedModel

if TYPE_CHECKING:
    from optkit.engines.base import Batch
    from optkit.workload import Workload

SEED = 0
BROUGHT_BY_TORCHVISION = ["torch._dynamo"]
"""Importing torchvision imports this too; workers find it imported, but every fresh process pays for it."""


def load(spec: dict[str, Any], device: str, *, with_model: bool = True) -> LoadedModel:
    """Return the model, or None in its place, and its batches on `device`; in eval mode, unless ``spec["train"]``."""
    try:
        payload = _read(spec)
        model = _model(spec, payload, device) if with_model else None
    except RuntimeError as error:
        if "torchvision::nms" not in str(error) or zoo.accommodation_code():
            raise
        zoo.torchvision_models()  # the user's own model imports it, and it does not fit this build of torch
        return load(spec, device, with_model=with_model)
    _seed()
    batches = payload["batches"] or (tiny_models.example_inputs(spec["model"], spec["batch_size"], _shape(spec)),)
    moved = tuple(move(batch, device) for batch in batches)
    return LoadedModel(model, spec["call"], moved, device, payload["evaluate"])


def _model(spec: dict[str, Any], payload: dict[str, Any], device: str) -> Any:
    _seed()
    model = payload["model"] if spec["model"] is None else _zoo_model(spec)
    if not isinstance(model, torch.nn.Module):
        model = model()
    if isinstance(model, torch.nn.Module):
        model = model.train(bool(spec.get("train"))).to(device)
    if spec["call"] != "forward" and not callable(getattr(model, spec["call"], None)):
        raise AttributeError(f"the model has no method {spec['call']!r} to call")
    return model


def built(build: Any) -> Any:
    """Return what a function without arguments builds, with every generator seeded as in a worker."""
    _seed()
    return build()


def batches_of(workload: Workload, device: str) -> tuple[Batch, ...]:
    """Return the batches of a workload in the process that has it, on `device`."""
    if workload.batches is not None:
        return tuple(move(batch, device) for batch in workload.batches)
    spec = {name: getattr(workload, name) for name in ("model", "batch_size", "shape", "weights", "call")}
    return load(spec | {"payload": None}, device, with_model=False).batches


def _seed() -> None:
    """Seed every generator that a function which builds a model may draw from, so that all workers build the same."""
    torch.manual_seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 - the generator that models draw from is the global one
    random.seed(SEED)


def describe(loaded: LoadedModel) -> dict[str, Any]:
    """Return what is worth showing of a loaded model: its inputs and the number of its parameters."""
    args, kwargs = loaded.batches[0]
    shown = [_describe(value) for value in args] + [f"{key}={_describe(value)}" for key, value in kwargs.items()]
    parameters = loaded.model.parameters() if isinstance(loaded.model, torch.nn.Module) else ()
    return {
        "inputs": ", ".join(shown),
        "parameters": sum(parameter.numel() for parameter in parameters),
        "device": torch.cuda.get_device_name(loaded.device) if loaded.device.startswith("cuda") else "cpu",
        "threads": torch.get_num_threads(),
        "modules": BROUGHT_BY_TORCHVISION if "torchvision" in sys.modules else [],
    }


def _read(spec: dict[str, Any]) -> dict[str, Any]:
    """Read the pickled part. The file was written by the process that started us; nobody else can write there."""
    if spec["payload"] is None:
        return {"model": None, "batches": None, "evaluate": None}
    if spec["payload_by_torch"]:
        payload = torch.load(spec["payload"], map_location="cpu", mmap=True, weights_only=False)
    else:
        import cloudpickle

        payload = cloudpickle.loads(Path(spec["payload"]).read_bytes())
    linecache.cache.update(payload["sources"])
    return dict(payload)


def _zoo_model(spec: dict[str, Any]) -> Any:
    if spec["model"] in tiny_models.MODELS:
        return tiny_models.MODELS[spec["model"]]()
    models = zoo.torchvision_models()
    if spec["weights"] is not None:
        known = [weights.name for weights in models.get_model_weights(spec["model"])]
        if spec["weights"] not in ("DEFAULT", *known):
            raise ValueError(f"no weights are called {spec['weights']!r}; there are: DEFAULT, {', '.join(known)}")
    return models.get_model(spec["model"], weights=spec["weights"])


def _shape(spec: dict[str, Any]) -> tuple[int, ...]:
    if spec["shape"] is not None:
        return tuple(spec["shape"])
    weights = zoo.torchvision_models().get_model_weights(spec["model"])[spec["weights"]]
    return (3, *weights.transforms().crop_size * 2)  # trained weights know the size of their images


def move(value: Any, device: str) -> Any:
    """Move the tensors in nested tuples, lists and dicts to `device`."""
    if isinstance(value, torch.Tensor):
        return value.detach().to(device)
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(move(item, device) for item in value)
    if isinstance(value, list):
        return [move(item, device) for item in value]
    if isinstance(value, dict):
        return {key: move(item, device) for key, item in value.items()}
    return value


def _describe(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        shape = "×".join(map(str, value.shape)) or "scalar"
        return f"{shape} {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__
