"""Build the model and its inputs in a worker, from what `Workload.pack` wrote."""

from __future__ import annotations

import linecache
from pathlib import Path
from typing import Any

import torch

from optkit import tiny_models, zoo
from optkit.engines.base import LoadedModel

SEED = 0


def load(spec: dict[str, Any], device: str) -> LoadedModel:
    """Return the model in eval mode and its batches on `device`."""
    payload = _read(spec)
    torch.manual_seed(SEED)
    model = payload["model"] if spec["model"] is None else _zoo_model(spec)
    if not isinstance(model, torch.nn.Module):
        model = model()
    if isinstance(model, torch.nn.Module):
        model = model.eval().to(device)
    if spec["call"] != "forward" and not callable(getattr(model, spec["call"], None)):
        raise AttributeError(f"the model has no method {spec['call']!r} to call")
    torch.manual_seed(SEED)
    batches = payload["batches"] or (tiny_models.example_inputs(spec["model"], spec["batch_size"], _shape(spec)),)
    return LoadedModel(model, spec["call"], tuple(_move(batch, device) for batch in batches), device)


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
    }


def _read(spec: dict[str, Any]) -> dict[str, Any]:
    """Read the pickled part. The file was written by the process that started us; nobody else can write there."""
    if spec["payload"] is None:
        return {"model": None, "batches": None}
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


def _move(value: Any, device: str) -> Any:
    """Move the tensors in nested tuples, lists and dicts to `device`."""
    if isinstance(value, torch.Tensor):
        return value.detach().to(device)
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_move(item, device) for item in value)
    if isinstance(value, list):
        return [_move(item, device) for item in value]
    if isinstance(value, dict):
        return {key: _move(item, device) for key, item in value.items()}
    return value


def _describe(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        shape = "×".join(map(str, value.shape)) or "scalar"
        return f"{shape} {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__
