"""From a model to the callable of a variant, in the process that runs it: export, convert, prepare."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import torch

from optkit.errors import UsageError
from optkit.worker import conversion

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optkit.engines.base import LoadedModel
    from optkit.variant import Variant

CONTEXTS: dict[str, Callable[[], Any]] = {
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "grad": torch.enable_grad,
}


def export(variant: Variant, loaded: LoadedModel, folder: Path, say: Callable[[BaseException], str]) -> LoadedModel:
    """Convert the model and let the engine write it to `folder`; return it as it was converted.

    Parameters
    ----------
    variant, loaded
        What to export; the model is changed where the variant converts it.
    folder
        An empty folder.
    say
        Turns whatever an exporter raises into a sentence.

    Raises
    ------
    UsageError
        If the engine cannot export this model; the message says why.
    """
    loaded = conversion.convert(loaded, variant)
    with contextlib.ExitStack() as contexts:
        contexts.enter_context(torch.no_grad())
        if variant.autocast is not None:
            kind, dtype = conversion.autocast_of(loaded.device, variant.autocast)
            contexts.enter_context(torch.autocast(kind, dtype=dtype, cache_enabled=False))  # a trace must see it
        try:
            variant.engine.export(loaded, folder)
        except Exception as error:
            said = say(error).rstrip(" .")
            why = "; its control flow depends on the value of a tensor" if "data-dependent" in said else ""
            raise UsageError(f"{variant.engine.name} cannot export this model ({said}){why}.") from error
    return loaded


def prepare(variant: Variant, loaded: LoadedModel, folder: Path | None) -> tuple[LoadedModel, Callable[..., Any]]:
    """Convert model and inputs, and let the engine make the callable; call this in the grad context of the first call.

    Parameters
    ----------
    variant, loaded
        What to prepare; the model is changed where the variant converts it.
    folder
        Where `export` has written; None where it was not called.

    Returns
    -------
    tuple
        Model and inputs as they were converted, and the callable; it enters autocast itself, but no grad context.
    """
    with torch.inference_mode(False):  # what is cast must be as normal a tensor as what is not
        loaded = conversion.convert(loaded, variant)
    return loaded, called(variant, loaded, variant.engine.prepare(loaded, folder))


def called(variant: Variant, loaded: LoadedModel, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as the variant calls it."""
    autocast = None if variant.engine.runs_file else variant.autocast
    return conversion.in_autocast(function, loaded.device, autocast)
