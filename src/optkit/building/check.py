"""The check of a guess: what it builds has to have the user's architecture.

It is built on the meta device, which takes no memory for weights, and compared in all but the values of its tensors.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import threading
import types
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from optkit.building.lines import CannotTellError, is_module, loaded_torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOT_COMPARED = {"training", "_modules", "_parameters", "_buffers"}
"""Attributes that every module has: they are up to who runs the model, or are compared by what is in them."""
FEW_WEIGHTS = 10_000_000
"""A model with fewer is built on the CPU where its constructor reads values: on the meta device there are none."""
MISSING = object()


def builds(lines: list[str], names: Mapping[str, Any], value: Any) -> bool:
    """Return whether lines build a module of the same architecture as `value`; `names` is what their names mean."""
    try:
        built = _built(lines, names, "meta")
    except Exception:  # noqa: BLE001 - the user's classes are called: anything can come out of them
        with _few_weights():
            built = _built(lines, names, "cpu")
    return same(built, value)


@contextlib.contextmanager
def _few_weights() -> Iterator[None]:
    """Have a constructor fail that makes many weights, before they take memory: the guess can be wrong."""
    left, thread = FEW_WEIGHTS, threading.get_ident()

    def count(_module: Any, _name: str, weights: Any) -> None:
        nonlocal left
        if weights is not None and threading.get_ident() == thread:
            left -= weights.numel()
            if left <= 0:
                raise CannotTellError

    with loaded_torch().nn.modules.module.register_module_parameter_registration_hook(count):
        yield


def _built(lines: list[str], names: Mapping[str, Any], device: str) -> Any:
    """Return the module that lines build, without a trace of it."""
    torch, space = loaded_torch(), dict(names)
    with (
        torch.device(device),
        torch.random.fork_rng(devices=[]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        exec("\n".join(lines), space)  # noqa: S102 - it calls the user's own classes, with what they were called with
    return space["model"]


def same(one: Any, other: Any) -> bool:
    """Return whether two modules are of the same architecture: all that they have but the values of their tensors."""
    parts, others = dict(one.named_modules()), dict(other.named_modules())
    if repr(one) != repr(other) or list(parts) != list(others) or _tensors(one) != _tensors(other):
        return False
    pairs = [(part, others[name]) for name, part in parts.items()]
    return all(type(mine) is type(its) and _attributes_agree(vars(mine), vars(its)) for mine, its in pairs)


def agree(one: Any, other: Any) -> bool:
    """Return whether two values of attributes mean the same."""
    if one is other or type(one) is not type(other):
        return one is other
    if is_module(one):
        return same(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(agree, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(agree(value, other[key]) for key, value in one.items())
    if (inner := _inner(one)) is not None:
        return agree(inner, _inner(other))
    return bool(one == other) or repr(one) == repr(other) == "nan"


def _tensors(value: Any) -> list[tuple[str, Any]]:
    """Return a description of all tensors; those that are one and the same come once among the parameters."""
    tensors = [*value.state_dict().items(), *value.named_parameters(), *value.named_buffers()]
    return [(name, _description(one)) for name, one in tensors]


def _description(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, loaded_torch().Tensor):
        return (type(value),)
    return type(value), value.shape, value.dtype, value.layout, value.is_contiguous()


def _attributes_agree(mine: Mapping[str, Any], its: Mapping[str, Any]) -> bool:
    """Return whether the attributes of two modules agree; what one of them has cached may be missing in the other."""
    for name in (mine.keys() | its.keys()) - NOT_COMPARED:
        pair = [values.get(name, MISSING) for values in (mine, its)]
        if name.startswith("_") and any(one is None or one is MISSING for one in pair):
            continue
        if "hooks" in name:  # they are kept by numbers that count on
            pair = [list(one.values()) if isinstance(one, dict) else one for one in pair]
        if not agree(*pair):
            return False
    return True


def _inner(value: Any) -> Any:
    """Return what makes a function or an object of the user's what it is; None where it is known by its value."""
    torch = loaded_torch()
    if isinstance(value, (torch.Tensor, torch.device, weakref.ref)):
        return _description(value)  # on which device the model runs is up to who runs it
    if inspect.ismethod(value):
        return [value.__func__, value.__self__ if inspect.isclass(value.__self__) else None]
    if inspect.isfunction(value):
        return [value.__code__, value.__defaults__, [cell.cell_contents for cell in value.__closure__ or ()]]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    return None if isinstance(value, (type, types.ModuleType)) else getattr(value, "__dict__", None) or None
