"""A model as a variant calls it, in the process that has the model. The only part of optkit that runs torch there."""

from __future__ import annotations

import contextlib
import copy
import io
import shutil
import tempfile
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from optkit.engines import Compile
from optkit.engines.base import LoadedModel
from optkit.errors import UsageError
from optkit.worker import conversion, loading, making

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optkit.engines.base import Batch
    from optkit.variant import Variant
    from optkit.workload import Workload


class Applied:
    """The fast callable: it takes what the model takes, and returns what the variant returns.

    Parameters
    ----------
    variant, loaded
        What to do, with which model; the model is changed where the variant casts or quantizes it.

    Attributes
    ----------
    variant
        The text of the variant.
    model
        The module that is called, or was exported.
    fell_back
        Why the first call was eager's, where the variant has a fallback and it was needed; else None.
    """

    def __init__(self, variant: Variant, loaded: LoadedModel) -> None:
        self.variant = str(variant)
        self.fell_back: str | None = None
        self._settings = variant
        self._grad = making.CONTEXTS[variant.grad]
        self._grad_of_first = making.CONTEXTS[variant.compiled_in or variant.grad]
        self._is_first = True
        folder = self._export(loaded) if variant.engine.exports else None
        variant.engine.check_file()
        with self._grad_of_first(), _quiet():
            self._loaded, self._function = making.prepare(variant, loaded, folder)
        self.model = self._loaded.model

    def _export(self, loaded: LoadedModel) -> Path:
        folder = tempfile.mkdtemp(prefix="optkit-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        with _quiet():
            making.export(self._settings, loaded, Path(folder), lambda error: f"{type(error).__name__}: {error}")
        return Path(folder)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model; the first call compiles, where the variant does."""
        args, kwargs = conversion.convert_inputs((args, kwargs), self._settings)
        if self._is_first:
            output = self._call_first(args, kwargs)
            self._is_first = False
            return output
        with self._grad():
            return self._function(*args, **kwargs)

    def _call_first(self, args: Any, kwargs: Any) -> Any:
        if isinstance(self._settings.engine, Compile):
            self._settings.engine.set_globals()  # another callable may have been made since
        try:
            with self._grad_of_first():
                return self._function(*args, **kwargs)
        except Exception as error:
            if self._settings.fallback is None:
                raise
            self.fell_back = f"{type(error).__name__}: {error}"
            self._function = making.called(self._settings, self._loaded, self._loaded.target)
        with self._grad():
            return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.variant} of {type(self.model).__name__}>"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what exporters print, and their advice to users, out of the user's own output."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


def apply(variant: Variant, workload: Workload | None, method: str, model: Any, measured_on: str) -> Applied:
    """Return `model` as `variant` calls it.

    Parameters
    ----------
    variant
        What to do.
    workload
        Has the inputs that an exporter needs; None where there are none.
    method
        The model's method that is called.
    model
        A module, or a function without arguments that builds one. A module is put in eval mode (in training mode for
        ``+train``) and copied where the variant casts or quantizes it.

    measured_on
        The device that it was measured on, where the model has to be.

    Raises
    ------
    UsageError
        If it is neither, or somewhere else, or inputs are needed and there are none.
    """
    module = model if isinstance(model, nn.Module) or not callable(model) else loading.built(model)
    if not callable(module):
        raise UsageError(f"apply needs the model itself, or a function that builds it, not {type(model).__name__}.")
    if isinstance(module, nn.Module):
        is_changed = variant.dtype or variant.memory_format or variant.quantize
        module = (copy.deepcopy(module) if is_changed else module).train(variant.train)
    if variant.threads is not None:
        torch.set_num_threads(variant.threads)
    device = _device_of(module) or measured_on
    if device.partition(":")[0] != measured_on.partition(":")[0]:
        raise UsageError(f"{variant} was measured on {measured_on} and this model is on {device}; move it there first.")
    needs_inputs = variant.engine.exports or variant.engine.name == "torchscript"
    batches: tuple[Batch, ...] = () if workload is None else loading.batches_of(workload, device)
    if needs_inputs and not batches:
        raise UsageError(f"{variant.engine.name} exports the model with example inputs; give them as inputs=.")
    return Applied(variant, LoadedModel(module, method, batches[:1] or (((), {}),), device))


def _device_of(module: Any) -> str | None:
    """Return where a module is; None where it has no tensors that could tell."""
    tensors = [*module.parameters(), *module.buffers()] if isinstance(module, nn.Module) else []
    return str(tensors[0].device) if tensors else None
