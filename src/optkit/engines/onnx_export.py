"""Write a model as an ONNX file with the exporter of torch's two that honours the opset. Runs in a worker."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from optkit.engines import artifact, exported, heard
from optkit.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from optkit.engines.base import LoadedModel

FILE, STRUCTURE = "model.onnx", "structure"
LOWEST_OF_NEW_EXPORTER = 18
"""The exporter that is torch's default writes no older opset; the one before it does."""


def write(loaded: LoadedModel, folder: Path, *, opset: int | None, dynamic: bool) -> int | None:
    """Write `FILE`, have it checked, and return its opset; beside it `STRUCTURE`, how outputs are put together again.

    Raises
    ------
    UsageError
        If the model cannot be exported.
    """
    import cloudpickle
    import onnx
    import torch

    model, tensors, names = exported.flat(exported.growable(loaded) if dynamic else loaded)
    with torch.no_grad():
        trial = copy.deepcopy(model)  # a call may change buffers, and the file is to hold them as they were
        outputs = [f"output_{i}" for i in range(len(trial(*tensors)))]
    told = {"input_names": names, "output_names": outputs, "opset_version": opset}
    path = folder / FILE
    with heard.warnings_of(loaded.facts, deprecations=False):
        if not (is_older(opset) and _by_older(model, tensors, path, told, dynamic=dynamic)):
            _by_newer(model, tensors, path, told, dynamic=dynamic)
    onnx.checker.check_model(str(path))
    (folder / STRUCTURE).write_bytes(cloudpickle.dumps((trial.structure, names, model.template)))
    spec, present = trial.structure
    loaded.facts["signature"] = {
        "names": names,
        "arguments": len(loaded.batches[0][0]),
        "keywords": model.template[3],
        "constants": [repr(one) for i, one in enumerate(model.template[1]) if i not in model.template[2]],
        "outputs": exported.written(spec, present, "outputs"),
    }
    domains = {one.domain: one.version for one in onnx.load(str(path), load_external_data=False).opset_import}
    return domains.get("", domains.get("ai.onnx"))


def is_older(opset: int | None) -> bool:
    """Whether only the older exporter writes this opset."""
    return opset is not None and opset < LOWEST_OF_NEW_EXPORTER


def _by_older(model: Any, tensors: tuple[Any, ...], path: Path, told: dict[str, Any], *, dynamic: bool) -> bool:
    """Return whether the exporter that is built on TorchScript could write the model."""
    import torch

    growing = [name for name, grows in zip(told["input_names"], _grows(tensors), strict=True) if grows]
    axes = {name: {0: "batch"} for name in (*growing, *told["output_names"])} if dynamic else None
    try:
        torch.onnx.export(model, tensors, str(path), dynamo=False, dynamic_axes=axes, **told)
    except Exception as error:  # noqa: BLE001 - whatever an exporter fails with, there is another
        print(f"The older exporter failed: {artifact.said(error)}")  # noqa: T201 - a worker's output
        path.unlink(missing_ok=True)
        return False
    return True


def _by_newer(model: Any, tensors: tuple[Any, ...], path: Path, told: dict[str, Any], *, dynamic: bool) -> None:
    import torch

    shapes = tuple({0: torch.export.Dim.DYNAMIC} if grows else None for grows in _grows(tensors))
    try:
        torch.onnx.export(
            model, tensors, str(path), dynamo=True, dynamic_shapes={"tensors": shapes} if dynamic else None, **told
        )
    except torch.onnx.errors.OnnxExporterError as error:  # it says what to do next; its cause says what is wrong
        cause = error.__cause__ or error
        raise UsageError(f"{type(cause).__name__}: {artifact.said(cause)}.") from error


def _grows(tensors: tuple[Any, ...]) -> list[bool]:
    """Return of each tensor whether its first dimension is the batch's."""
    size = next((tensor.shape[0] for tensor in tensors if tensor.dim()), 0)
    return [tensor.dim() > 0 and tensor.shape[0] == size for tensor in tensors]


def code(model: str, method: str, inputs: str, *, opset: int | None, dynamic: bool, context: str) -> list[str]:
    """Return the lines that export the model, for users to copy; see `optkit.engines.Engine.code`.

    They define ``given``, the inputs by key, and ``keys``, of those that are tensors.
    """
    target = "self.inner" if method == "forward" else f"self.inner.{method}"
    passed = "**filled" if inputs.startswith("**") else "*filled.values()"
    lines = [
        *given_code(inputs),
        "class Flat(torch.nn.Module):  # takes tensors alone, in the order of keys",
        "    def __init__(self):",
        "        super().__init__()",
        f"        self.inner = {model}",
        "    def forward(self, *tensors):",
        "        filled = {**given, **dict(zip(keys, tensors))}",
        f"        return {target}({passed})",
        "examples = tuple(given[key] for key in keys)",
    ]
    names = "input_names=[f'input_{key}' for key in keys]"
    arguments = ["Flat().eval()", "examples", repr(FILE), names, "verbose=False"]
    if opset is not None:
        arguments.append(f"opset_version={opset}")
    if is_older(opset):
        arguments.append("dynamo=False")
        lines.append("# Where this exporter fails, leave opset_version and dynamo out: a newer opset is written then.")
    if dynamic and is_older(opset):
        arguments.append("dynamic_axes={f'input_{key}': {0: 'batch'} for key in keys}")
    elif dynamic:
        lines.append("shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in examples)  # give a batch of at least two")
        arguments.append("dynamic_shapes={'tensors': shapes}")
    return [*lines, f"with {context}:", f"    torch.onnx.export({', '.join(arguments)})"]


def given_code(inputs: str) -> list[str]:
    """Return the lines that name the inputs by key, and the keys of those that are tensors."""
    name = inputs.lstrip("*")
    values = name if inputs.startswith("*") else f"[{name}]"
    made = f"dict({name})" if inputs.startswith("**") else f"dict(enumerate({values}))"
    return [f"given = {made}", "keys = [key for key, value in given.items() if torch.is_tensor(value)]"]
