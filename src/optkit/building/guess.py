"""Guesses at how a module was built: mostly by its constructor, with what it keeps under the names of its parameters.

A guess can be wrong, as a class need keep nothing of what it was given: see `optkit.building.check`.
"""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from optkit.building.lines import CannotTellError, container, is_channels_last, is_module, loaded_torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from optkit.building.names import Script

KEPT = (
    ("d_model", "self_attn.embed_dim"),
    ("nhead", "self_attn.num_heads"),
    ("dim_feedforward", "linear1.out_features"),
    ("layer_norm_eps", "norm1.eps"),
    ("batch_first", "self_attn.batch_first"),
    ("bias", "linear1.bias"),
    ("bias", "in_proj_bias"),
    ("add_bias_kv", "bias_k"),
    ("encoder_layer", "layers.0"),
    ("decoder_layer", "layers.0"),
)
"""Where torch's transformers keep arguments that they do not keep under the name of the parameter."""
MISSING = inspect.Parameter.empty


def guesses(value: Any) -> Iterator[Callable[[Any, Script], str]]:
    """Yield what returns an expression that may build a module like this one.

    For a model of torchvision it may be each of the functions beside its class; its constructor takes other things.
    """
    if (module := type(value).__module__).startswith("torchvision.models."):
        for function in list(vars(sys.modules[module]).values()):
            if inspect.isfunction(function) and "weights" in inspect.signature(function).parameters:
                yield functools.partial(_torchvisions, function)
    yield _constructor


def conversion(value: Any) -> str:
    """Return what gives a new module the dtype and memory format that all of this one has."""
    parts: list[str] = []
    dtypes = {str(one.dtype) for one in value.parameters() if one.is_floating_point()}
    if len(dtypes) == 1 and dtypes != {"torch.float32"}:
        parts += dtypes
    if any(map(is_channels_last, value.parameters())):
        parts.append("memory_format=torch.channels_last")
    return f".to({', '.join(parts)})" if parts else ""


def _torchvisions(function: Any, value: Any, script: Script) -> str:
    classes = [part.out_features for part in value.modules() if hasattr(part, "out_features")][-1:]
    return script.call(function, (), {} if classes in ([], [1000]) else {"num_classes": classes[0]})  # of ImageNet


def _constructor(value: Any, script: Script) -> str:
    """Return a call of the class of a module, whose arguments can be modules."""
    name = script.reference(type(value))
    if (text := _held(value, script)) is not None:
        return f"{name}({text})"
    part = functools.partial(_argument, script=script)
    children, parameters = dict(value.named_children()), list(_parameters(type(value)))
    many = _are_counted(children) and any(one.kind is one.VAR_POSITIONAL for one in parameters)
    is_torchs, given = name.startswith("torch.nn."), list[str]()
    by_place = is_torchs or many
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            given += map(part, children.values() if many else ())
            continue
        kept = _kept(value, parameter)
        by_place = by_place and parameter.default is MISSING
        if kept is MISSING and parameter.default is MISSING:
            raise CannotTellError
        if kept is not MISSING and not _is_default(kept, parameter.default, loosely=is_torchs):
            given.append(part(kept) if by_place else f"{parameter.name}={part(kept)}")
    return f"{name}({', '.join(given)})"


def _held(value: Any, script: Script) -> str | None:
    """Return the argument of one of torch's containers; None for other modules, and where it is given one by one."""
    nn, children = loaded_torch().nn, dict(value.named_children())
    part = functools.partial(_argument, script=script)
    if type(value) is nn.ModuleList:
        return container(list(value), part)
    if type(value) is nn.ModuleDict:
        return container(children, part)
    if type(value) is nn.Sequential and children and not _are_counted(children):
        return f"{script.reference(OrderedDict)}({container(children, part)})"
    return None


def _argument(value: Any, script: Script) -> str:
    return _constructor(value, script) if is_module(value) else script.expression(value)


def _are_counted(children: Mapping[str, Any]) -> bool:
    return bool(children) and list(children) == [str(number) for number in range(len(children))]


def _parameters(kind: type) -> Iterator[inspect.Parameter]:
    """Yield what a class takes, with what it hands on to the classes that it extends; not where its tensors lie."""
    seen = {"device", "dtype"}
    for base in kind.__mro__[: kind.__mro__.index(loaded_torch().nn.Module)]:
        if "__init__" not in vars(base):
            continue
        function = vars(base)["__init__"]
        function = next(iter(typing.get_overloads(function)), function)  # LSTM says only there what it takes
        parameters = list(inspect.signature(function).parameters.values())[1:]
        yield from (one for one in parameters if one.kind is not one.VAR_KEYWORD and one.name not in seen)
        seen.update(one.name for one in parameters)
        if all(one.kind is not one.VAR_KEYWORD for one in parameters):
            return


def _kept(value: Any, parameter: inspect.Parameter) -> Any:
    """Return what a module seems to have been given for a parameter."""
    torch = loaded_torch()
    paths = [parameter.name, *(path for name, path in KEPT if name == parameter.name)]
    found = [functools.reduce(lambda one, name: getattr(one, name, MISSING), path.split("."), value) for path in paths]
    kept = next((one for one in found if one is not MISSING and not inspect.ismethod(one)), MISSING)
    if isinstance(parameter.default, bool) and (kept is None or isinstance(kept, torch.Tensor)):
        return kept is not None
    if isinstance(parameter.default, type) and isinstance(kept, parameter.default):
        return parameter.default  # it was called, and what came of it kept under its name
    if is_module(kept) and isinstance(parameter.default, (str, int, float)):
        return getattr(kept, "p", MISSING)  # as of a Dropout
    return MISSING if isinstance(kept, torch.Tensor) else kept


def _is_default(value: Any, default: Any, *, loosely: bool) -> bool:
    """Return whether a value need not be given; loosely, ``(1, 1)`` is the same as 1."""
    if value is default:
        return True
    if loosely and type(value) is tuple and value and isinstance(default, (int, float)):
        return all(one == default for one in value)
    is_plain = type(value) is type(default) and isinstance(value, (str, tuple, list, int, float))
    return is_plain and bool(value == default)
