"""Write a model as an ONNX file with the exporter of torch's two that honours the opset. Runs in a worker."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from optkit.engines import artifact, exported
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

    model, tensors, names = exported.flat(exported.growable(loaded) if dynamic else loaded)
    outputs = [f"output_{i}" for i in range(len(model(*tensors)))]
    told = {"input_names": names, "output_names": outputs, "opset_version": opset}
    path = folder / FILE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if not (is_older(opset) and _by_older(model, tensors, path, told, dynamic=dynamic)):
            _by_newer(model, tensors, path, told, dynamic=dynamic)
    onnx.checker.check_model(str(path))
    (folder / STRUCTURE).write_bytes(cloudpickle.dumps((model.structure, names)))
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
    size = tensors[0].shape[0] if tensors and tensors[0].dim() else 0
    return [tensor.dim() > 0 and tensor.shape[0] == size for tensor in tensors]


def code(model: str, method: str, inputs: str, *, opset: int | None, dynamic: bool) -> list[str]:
    """Return the lines that export the model, for users to copy; see `optkit.engines.Engine.code`."""
    name = inputs.lstrip("*")
    lines, module = exported.module_code(model, method)
    arguments = [module, f"(), {FILE!r}, kwargs={name}" if inputs.startswith("**") else f"{name}, {FILE!r}"]
    values = f"{name}.values()" if inputs.startswith("**") else name if inputs.startswith("*") else f"[{name}]"
    if opset is not None:
        arguments.append(f"opset_version={opset}")
    if is_older(opset):
        arguments.append("dynamo=False")
    if dynamic and is_older(opset):
        lines += [
            f"names = [f'input_{{i}}' for i, _ in enumerate({values})]",
            "axes = {name: {0: 'batch'} for name in [*names, 'output']}",
        ]
        arguments += ["input_names=names", "output_names=['output']", "dynamic_axes=axes"]
    elif dynamic:
        one = "{0: torch.export.Dim.DYNAMIC}"
        keyed = f"{{key: {one} for key in {name}}}" if inputs.startswith("**") else f"[{one} for _ in {values}]"
        lines.append(f"shapes = {keyed}  # export with a batch of at least two")
        arguments.append("dynamic_shapes=shapes")
    return [*lines, "with torch.no_grad():", f"    torch.onnx.export({', '.join(arguments)})"]
