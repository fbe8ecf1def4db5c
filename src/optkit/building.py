"""Python that builds the user's model and inputs anew, in the user's own terms: without optkit and without pickles.

How a module was built is guessed from its attributes. The guess is built, on the meta device, and compared with the
module before it is printed: code that builds another architecture would put a wrong number beside a true one.
torch is not imported here: where there is a module or a tensor, somebody has imported it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
import functools
import importlib
import inspect
import io
import itertools
import linecache
import math
import operator
import symtable
import sys
import textwrap
import types
import typing
import warnings
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

LINE_LENGTH = 120
RANDOM = '# Its weights are random here: model.load_state_dict(torch.load("weights.pt")) gives it yours.'
LONGEST_CONSTANT = 5000
"""In characters; what is longer is data, and belongs in no script."""
PUBLIC = ("torch", "torch.nn", "torch.nn.functional")
"""Where things of torch are looked for first; they themselves name the file that they are in."""
_LAYER = {
    "d_model": "self_attn.embed_dim",
    "nhead": "self_attn.num_heads",
    "dim_feedforward": "linear1.out_features",
    "layer_norm_eps": "norm1.eps",
    "batch_first": "self_attn.batch_first",
    "bias": "linear1.bias",
}
KEPT = {
    "torch.nn.TransformerEncoderLayer": _LAYER,
    "torch.nn.TransformerDecoderLayer": _LAYER,
    "torch.nn.TransformerEncoder": {"encoder_layer": "layers.0"},
    "torch.nn.TransformerDecoder": {"decoder_layer": "layers.0"},
    "torch.nn.MultiheadAttention": {"bias": "in_proj_bias", "add_bias_kv": "bias_k"},
}
"""Where these keep arguments that they do not keep under the name of the parameter."""
STATE = {"training", "_modules", "_parameters", "_buffers"}
"""Attributes that every module has; they are compared in another way, or are up to who runs the model."""
SCALARS = (bool, int, float, str, bytes, complex, type(None), type(...))
NUMBERS = (bool, int, float)
INFERRED = {"torch.float32", "torch.int64", "torch.bool"}
"""What torch makes of Python's numbers, or draws, where no dtype is given."""
DRAWN = {f"torch.{name}" for name in ("uint8", "int8", "int16", "int32", "float16", "bfloat16", "float64")}
DRAWN |= {"torch.complex64", "torch.complex128"}
"""What else torch can draw itself."""
_MISSING = inspect.Parameter.empty


class Built(NamedTuple):
    """Lines of Python that define ``model`` or ``inputs``.

    Attributes
    ----------
    lines
        They need ``import torch`` above them, and can import the user's modules.
    complete
        False where a comment asks the user to supply it.
    """

    lines: list[str]
    complete: bool


class _CannotTellError(Exception):
    """Something has no form in Python that is known to be right."""


def model(value: Any) -> Built:
    """Return what builds a model, with random weights; or, where that cannot be told, what loads it.

    Parameters
    ----------
    value
        A module, or a function or class that builds one when it is called without arguments.
    """
    is_module = "torch" in sys.modules and isinstance(value, _torch().nn.Module)
    try:
        return Built(_instance(value) if is_module else _call(value), complete=True)
    except Exception:  # noqa: BLE001 - the user's classes are asked and called: anything can come out of them
        return Built(_loading(value) if is_module else _supplied(value), complete=False)


def inputs(value: Any) -> Built:
    """Return what makes inputs of the same structure, shapes and dtypes, with integers in the same range.

    Parameters
    ----------
    value
        One batch: a tensor, a tuple of positional arguments or a dict of keywords.
    """
    try:
        return Built(_wrapped(_batch(value), before="inputs = "), complete=True)
    except Exception:  # noqa: BLE001 - tensors of other packages fail in ways of their own
        comment = f"# inputs: as you gave them; optkit cannot print what is in this {type(value).__name__}"
        return Built([comment], complete=False)


def _torch() -> Any:
    return sys.modules["torch"]


def _instance(value: Any) -> list[str]:
    for guess in [*_torchvisions(value), _constructor]:
        with contextlib.suppress(Exception):  # the user's classes are called: anything can come out of them
            script = _Script()
            script.names["model"] = None
            lines = _wrapped(guess(value, script) + _conversion(value), before="model = ")
            if _same(_rebuilt(lines, script.names), value):
                return [*script.lines, *lines, *([RANDOM] if any(True for _ in value.parameters()) else [])]
    raise _CannotTellError


def _call(value: Any) -> list[str]:
    script = _Script()
    if isinstance(value, functools.partial):
        text = f"{script.reference(value.func)}({script.arguments(value)})"
    else:
        text = f"{script.reference(value)}()"
    return [*script.lines, *_wrapped(text, before="model = ")]


def _loading(value: Any) -> list[str]:
    """Return what loads a module, below those classes of a script or notebook that its file names."""
    script = _Script()
    try:
        for kind in dict.fromkeys(type(part) for part in value.modules()):
            if kind.__module__ == "__main__":
                script.reference(kind)
    except Exception:  # noqa: BLE001 - as in `model`: then the user supplies the classes as well
        return _supplied(type(value))
    return [*script.lines, *_supplied(type(value))]


def _supplied(value: Any) -> list[str]:
    name = getattr(value, "__name__", type(value).__name__)
    return [
        f"# optkit cannot tell how this {name} is built:",
        '# torch.save(model, "model.pt") where you have it, and run this beside that file.',
        'model = torch.load("model.pt", weights_only=False)',
    ]


class _Script:
    """What a script needs before an expression means in it what it means to the user.

    Attributes
    ----------
    names
        What the names of the script stand for.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"torch": sys.modules.get("torch"), "inputs": None}
        self._imports: list[str] = []
        self._definitions: list[str] = []

    @property
    def lines(self) -> list[str]:
        """Imports, and the definitions in an order in which they work."""
        return [*dict.fromkeys(self._imports), *self._definitions]

    def expression(self, value: Any) -> str:
        """Return Python for anything but a module or tensor."""
        if (text := _constant(value)) is not None or (text := _container(value, self.expression)) is not None:
            return text
        if isinstance(value, functools.partial):
            self.bind("functools", functools)
            arguments = self.arguments(value)
            return f"functools.partial({self.reference(value.func)}{', ' if arguments else ''}{arguments})"
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [field for field in dataclasses.fields(value) if field.init]
            given = [(field.name, getattr(value, field.name), field.default) for field in fields]
            parts = [f"{name}={self.expression(one)}" for name, one, default in given if not _is_default(one, default)]
            return f"{self.reference(type(value))}({', '.join(parts)})"
        return self.reference(value)

    def arguments(self, value: functools.partial[Any]) -> str:
        """Return what a partial function was given."""
        by_name = [f"{name}={self.expression(one)}" for name, one in value.keywords.items()]
        return ", ".join([*map(self.expression, value.args), *by_name])

    def reference(self, value: Any) -> str:
        """Return the name of a class or function, after seeing to it that the script has it."""
        module, name = _home(value)
        if module in PUBLIC:
            return f"{module}.{name}"
        root = name.partition(".")[0]
        if module != "builtins" or root in self.names:
            self.bind(root, getattr(importlib.import_module(module), root))
        return name

    def bind(self, name: str, value: Any) -> None:
        """See to it that a name stands for the same in the script as where the user has it."""
        if name in self.names:
            if self.names[name] is not value:
                raise _CannotTellError
            return
        self.names[name] = value
        if isinstance(value, types.ModuleType):
            self._imports.append(_import(name, value))
            return
        module, known_as = _home(value, strictly=False)
        if not module or (module == "__main__" and name != known_as) or "." in known_as:
            if len(text := self.expression(value)) > LONGEST_CONSTANT:
                raise _CannotTellError
            self._definitions += _wrapped(text, before=f"{name} = ")
        elif module == "__main__":
            self._define(value)
        else:
            self._imports.append(f"from {module} import {known_as}{f' as {name}' if name != known_as else ''}")

    def _define(self, value: Any) -> None:
        source, known = _source(value), vars(sys.modules["__main__"])
        for name in _globals_of(source):
            if name in known:
                self.bind(name, known[name])
            elif not hasattr(builtins, name):
                raise _CannotTellError
        self._imports += _submodules(source, known)
        self._definitions += ["", *source.split("\n"), ""]


def _constant(value: Any) -> str | None:
    """Return Python for what needs no name but torch's; None for anything else."""
    if type(value) in (float, complex) and not math.isfinite(abs(value)):
        return f'{type(value).__name__}("{value}")'
    if type(value) in SCALARS:
        text = repr(value)
        is_plain = isinstance(value, str) and text == f"'{value}'" and '"' not in text
        return f'"{value}"' if is_plain else text
    if (torch := sys.modules.get("torch")) is None:
        return None
    if isinstance(value, (torch.dtype, torch.memory_format)):
        return repr(value)
    return f"torch.{value!r}" if isinstance(value, torch.device) else None


def _container(value: Any, part: Callable[[Any], str]) -> str | None:
    """Return Python for a list, tuple or dict of what `part` can print; None for anything else."""
    if "torch" in sys.modules and isinstance(value, _torch().Size):
        value = tuple(value)
    if type(value) is dict:
        return f"{{{', '.join(f'{part(key)}: {part(one)}' for key, one in value.items())}}}"
    if type(value) not in (list, tuple):
        return None
    text = ", ".join(map(part, value))
    if type(value) is list:
        return f"[{text}]"
    return f"({text},)" if len(value) == 1 else f"({text})"


def _home(value: Any, *, strictly: bool = True) -> tuple[str, str]:
    """Return from where and under which name a class or function can be had, as ``("torch.nn", "Linear")``.

    A package that offers it is preferred to the module in which it is written.

    Parameters
    ----------
    value
        Anything.
    strictly
        Whether it is an error that it can be had from nowhere; otherwise the module is empty then.
    """
    names = [getattr(value, one, None) for one in ("__qualname__", "__name__", "_name")]
    module = getattr(value, "__module__", None)
    parts = module.split(".") if isinstance(module, str) else []
    packages = [".".join(parts[: count + 1]) for count in range(len(parts))]
    offered = PUBLIC if packages[:1] in ([], ["torch"]) else ()  # some functions written in C name no module
    for place, name in itertools.product(filter(sys.modules.get, [*offered, *packages]), names):
        if isinstance(name, str) and _is_there(value, place, name):
            return place, name
    if strictly:
        raise _CannotTellError
    return "", ""


def _is_there(value: Any, module: str, name: str) -> bool:
    try:
        home = importlib.import_module(module)
        found = operator.attrgetter(name)(home)
    except (ImportError, AttributeError, ValueError):
        return False
    importable = module == "__main__" or getattr(home, "__spec__", None) is not None
    return importable and (found is value or (inspect.ismethod(found) and found == value))


def _import(name: str, module: types.ModuleType) -> str:
    known_as = module.__name__
    if known_as == "__main__" or sys.modules.get(known_as) is not module or module.__spec__ is None:
        raise _CannotTellError
    return f"import {known_as}" if known_as == name else f"import {known_as} as {name}"


def _source(value: Any) -> str:
    """Return the source of a class or function of a script or notebook.

    `inspect.getsource` finds no class of a notebook before Python 3.13; its methods say in which cell they are.
    """
    value = inspect.unwrap(value)
    functions = vars(value).values() if inspect.isclass(value) else [value]
    codes = [inspect.unwrap(one).__code__ for one in functions if inspect.isfunction(inspect.unwrap(one))]
    for code in codes:
        for first, last, text in _sources(code.co_filename, value.__name__):
            if first <= code.co_firstlineno <= last:
                return text
    main = getattr(sys.modules["__main__"], "__file__", None)
    files = [main] if main else [name for name, entry in linecache.cache.items() if entry[1:2] == (None,)]
    texts = {text for file in files for _, _, text in _sources(file, value.__name__)}
    if inspect.isclass(value) and len(texts) == 1:  # it has no methods, and there is no other of its name
        return texts.pop()
    raise _CannotTellError


def _sources(file: str, name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the definitions of a name in a file: first line, last line and source."""
    lines = linecache.getlines(file)
    for node in ast.walk(ast.parse("".join(lines))):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            first = min(one.lineno for one in (node, *node.decorator_list))
            last = node.end_lineno or first
            yield first, last, textwrap.dedent("".join(lines[first - 1 : last])).rstrip()


def _globals_of(source: str) -> Iterable[str]:
    """Return the names that a definition looks up outside itself."""
    tables = [symtable.symtable(source, "<source>", "exec")]
    found = [symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_referenced()]
    for table in tables:
        tables += table.get_children()
        found += [symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()]
    own = {symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_assigned()}
    return [name for name in dict.fromkeys(found) if name not in own and name != "__name__"]


def _submodules(source: str, known: Mapping[str, Any]) -> list[str]:
    """Return imports of modules that a source reaches through others: ``import xml`` alone has no ``xml.etree``."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        root, _, rest = ast.unparse(node).partition(".") if isinstance(node, ast.Attribute) else ("", "", "")
        if isinstance(module := known.get(root), types.ModuleType):
            names.add(f"{module.__name__}.{rest}")
    modules = [name for name in sorted(names) if isinstance(sys.modules.get(name), types.ModuleType)]
    deepest = [name for name in modules if not any(other.startswith(f"{name}.") for other in modules)]
    return [f"import {name}" for name in deepest if not name.startswith("torch.nn")]


def _constructor(value: Any, script: _Script) -> str:
    """Return what may have built a module."""
    torch, kind = _torch(), type(value)
    name, children = script.reference(kind), dict(value.named_children())
    part = functools.partial(_argument, script=script)
    if kind is torch.nn.ModuleList:
        return f"{name}({_container(list(value), part)})"
    if kind is torch.nn.ModuleDict:
        return f"{name}({_container(children, part)})"
    if kind is torch.nn.Sequential and children and not _are_counted(children):
        return f"{name}({script.reference(OrderedDict)}({_container(children, part)}))"
    given: list[str] = []
    parameters, is_torchs = list(_parameters(kind)), name.startswith("torch.nn.")
    many = _are_counted(children) and any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    by_place = is_torchs or many
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            given += map(part, children.values() if many else ())
            continue
        kept = _kept(value, parameter, KEPT.get(name, {}).get(parameter.name, parameter.name))
        by_place = by_place and parameter.default is _MISSING
        if kept is _MISSING and parameter.default is _MISSING:
            raise _CannotTellError
        if kept is not _MISSING and not _is_default(kept, parameter.default, loosely=is_torchs):
            given.append(part(kept) if by_place else f"{parameter.name}={part(kept)}")
    return f"{name}({', '.join(given)})"


def _torchvisions(value: Any) -> Iterator[Callable[[Any, _Script], str]]:
    """Yield, for a model of torchvision, what calls each of the functions that may have built it."""
    if (module := type(value).__module__).startswith("torchvision.models."):
        for function in list(vars(sys.modules[module]).values()):
            if inspect.isfunction(function) and "weights" in inspect.signature(function).parameters:
                yield functools.partial(_torchvision, function)


def _torchvision(function: Any, value: Any, script: _Script) -> str:
    classes = [part.out_features for part in value.modules() if hasattr(part, "out_features")]
    given = f"num_classes={classes[-1]}" if classes and classes[-1] != 1000 else ""  # noqa: PLR2004 - of ImageNet
    return f"{script.reference(function)}({given})"


def _argument(value: Any, script: _Script) -> str:
    return _constructor(value, script) if isinstance(value, _torch().nn.Module) else script.expression(value)


def _are_counted(children: Mapping[str, Any]) -> bool:
    return bool(children) and list(children) == [str(number) for number in range(len(children))]


def _parameters(kind: type) -> Iterator[inspect.Parameter]:
    """Yield what a class takes, with what it hands on to the classes that it extends; not where its tensors lie."""
    seen = {"device", "dtype"}
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        if base is _torch().nn.Module:
            return
        function = vars(base)["__init__"]
        function = next(iter(typing.get_overloads(function)), function)  # LSTM says only there what it takes
        parameters = list(inspect.signature(function).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in seen:
                seen.add(parameter.name)
                yield parameter
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            return


def _kept(value: Any, parameter: inspect.Parameter, path: str) -> Any:
    """Return what a module seems to have been given for a parameter."""
    torch = _torch()
    kept = _reached(value, path)
    if isinstance(parameter.default, bool) and (kept is None or isinstance(kept, torch.Tensor)):
        return kept is not None
    if isinstance(kept, torch.nn.Module) and isinstance(parameter.default, (str, *NUMBERS)):
        kept = getattr(kept, "p", _MISSING)  # as of a Dropout
    return _MISSING if inspect.ismethod(kept) or isinstance(kept, torch.Tensor) else kept


def _reached(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, name, _MISSING)
    return value


def _is_default(value: Any, default: Any, *, loosely: bool = False) -> bool:
    """Return whether a value need not be given; loosely, ``(1, 1)`` is the same as 1."""
    if value is default:
        return True
    if loosely and type(value) is tuple and value and isinstance(default, NUMBERS):
        return all(one == default for one in value)
    return type(value) is type(default) and isinstance(value, (str, tuple, list, *NUMBERS)) and bool(value == default)


def _conversion(value: Any) -> str:
    """Return what gives a new module the dtype and memory format that all of this one has."""
    torch, parts = _torch(), list[str]()
    dtypes = {one.dtype for one in value.parameters() if one.is_floating_point()}
    if len(dtypes) == 1 and dtypes != {torch.float32}:
        parts.append(repr(dtypes.pop()))
    if any(map(_is_channels_last, value.parameters())):
        parts.append("memory_format=torch.channels_last")
    return f".to({', '.join(parts)})" if parts else ""


def _is_channels_last(tensor: Any) -> bool:
    by_channel = tensor.dim() == 4 and tensor.is_contiguous(memory_format=_torch().channels_last)  # noqa: PLR2004
    return by_channel and not tensor.is_contiguous()


def _rebuilt(lines: list[str], names: Mapping[str, Any]) -> Any:
    """Return the module that lines build, without memory for its weights and without a trace of it."""
    torch, space = _torch(), dict(names)
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.device("meta"))
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        exec("\n".join(lines), space)  # noqa: S102 - it calls the user's own classes, with what they were called with
    return space["model"]


def _same(one: Any, other: Any) -> bool:
    """Return whether two modules are of the same architecture: all that they have but the values of their tensors."""
    parts, others = dict(one.named_modules()), dict(other.named_modules())
    if repr(one) != repr(other) or list(parts) != list(others) or _tensors(one) != _tensors(other):
        return False
    pairs = [(part, others[name]) for name, part in parts.items()]
    return all(type(mine) is type(its) and _attributes_agree(vars(mine), vars(its)) for mine, its in pairs)


def _tensors(value: Any) -> list[tuple[str, Any]]:
    """Return a description of all tensors; those that are one and the same come once among the parameters."""
    tensors = [*value.state_dict().items(), *value.named_parameters(), *value.named_buffers()]
    return [(name, _description(one)) for name, one in tensors]


def _description(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, _torch().Tensor):
        return (type(value),)
    return type(value), value.shape, value.dtype, value.layout, value.is_contiguous()


def _attributes_agree(mine: Mapping[str, Any], its: Mapping[str, Any]) -> bool:
    """Return whether the attributes of two modules agree; what one of them has cached may be missing in the other."""
    for name in (mine.keys() | its.keys()) - STATE:
        pair = [values.get(name, _MISSING) for values in (mine, its)]
        if name.startswith("_") and any(one is None or one is _MISSING for one in pair):
            continue
        if "hooks" in name:  # they are kept by numbers that count on
            pair = [list(one.values()) if isinstance(one, dict) else one for one in pair]
        if not _agree(*pair):
            return False
    return True


def _agree(one: Any, other: Any) -> bool:
    """Return whether two values of attributes mean the same."""
    if one is other or type(one) is not type(other):
        return one is other
    if isinstance(one, _torch().nn.Module):
        return _same(one, other)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_agree, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(_agree(value, other[key]) for key, value in one.items())
    if (inner := _inner(one)) is not None:
        return _agree(inner, _inner(other))
    return bool(one == other) or repr(one) == repr(other) == "nan"


def _inner(value: Any) -> Any:
    """Return what makes a function or an object of the user's what it is; None where it is known by its value."""
    torch = _torch()
    if isinstance(value, (torch.Tensor, torch.device, weakref.ref)):
        return _description(value)  # on which device the model runs is up to who runs it
    if inspect.ismethod(value):
        return [value.__func__, value.__self__ if inspect.isclass(value.__self__) else None]
    if inspect.isfunction(value):
        return [value.__code__, value.__defaults__, [cell.cell_contents for cell in value.__closure__ or ()]]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    return None if isinstance(value, (type, types.ModuleType)) else getattr(value, "__dict__", None) or None


def _batch(value: Any) -> str:
    """Return Python for inputs like these."""
    if "torch" in sys.modules and isinstance(value, _torch().Tensor):
        return _tensor(value) + (".contiguous(memory_format=torch.channels_last)" if _is_channels_last(value) else "")
    text = _constant(value)
    if text is None:
        text = _container(dict(value) if type(value) is OrderedDict else value, _batch)
    if text is None:
        raise _CannotTellError
    return text


def _tensor(value: Any) -> str:
    """Return Python for a tensor of the same shape, dtype and range."""
    torch, dtype = _torch(), str(value.dtype)
    if type(value) not in (torch.Tensor, torch.nn.Parameter) or value.layout is not torch.strided or value.is_quantized:
        raise _CannotTellError
    shape = ", ".join(map(str, value.shape))
    if value.dim() == 0:
        return f"torch.tensor({_constant(value.item())}{'' if dtype in INFERRED else f', dtype={dtype}'})"
    if value.dtype is torch.bool:
        return _booleans(value, shape)
    if value.is_floating_point() or value.is_complex():
        return _typed(f"torch.randn({shape}", dtype)
    return _typed(_integers(value), dtype) if value.numel() else f"torch.zeros({shape}, dtype={dtype})"


def _typed(begun: str, dtype: str) -> str:
    """Return the rest of a call that makes a tensor, with the dtype where torch would make another."""
    if dtype in INFERRED:
        return f"{begun})"
    return f"{begun}, dtype={dtype})" if dtype in DRAWN else f"{begun}).to({dtype})"


def _booleans(value: Any, shape: str) -> str:
    if value.all():
        return f"torch.ones({shape}, dtype=torch.bool)"
    return f"torch.rand({shape}) < 0.5" if value.any() else f"torch.zeros({shape}, dtype=torch.bool)"


def _integers(value: Any) -> str:
    """Return the beginning of a call that makes integers in the same range: a number of a token has to stay one."""
    shape = tuple(value.shape)
    wide = value.to(_torch().int64)
    low, high = wide.min().item(), wide.max().item()
    return f"torch.full({shape}, {low}" if low == high else f"torch.randint({low}, {high + 1}, {shape}"


def _wrapped(text: str, before: str = "", after: str = "", indent: str = "") -> list[str]:
    """Return an expression as lines, broken over the elements of what it calls or holds where it is long."""
    if len(line := f"{indent}{before}{text}{after}") <= LINE_LENGTH or not (elements := _elements(text)):
        return [line]
    raw = text.encode()
    first, last = elements[0][0], elements[-1][1]
    lines = [f"{indent}{before}{raw[:first].decode()}"]
    for begin, end, name in elements:
        lines += _wrapped(raw[begin:end].decode().removeprefix(name), name, ",", f"{indent}    ")
    return [*lines, f"{indent}{raw[last:].decode().lstrip(',')}{after}"]


def _elements(text: str) -> list[tuple[int, int, str]]:
    """Return where the elements of an expression begin and end, in bytes, and the name or key before each value."""
    node: Any = ast.parse(text, mode="eval").body
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        node = node.func.value  # of what the method is called on
    pairs: list[tuple[Any, Any]] = [(one, one) for one in getattr(node, "elts", [])]
    if isinstance(node, ast.Dict):
        pairs = list(zip(node.keys, node.values, strict=True))
    elif isinstance(node, ast.Call):
        pairs = [(one, one) for one in node.args] + [(one, one.value) for one in node.keywords]
    raw = text.encode()
    return [
        (outer.col_offset, value.end_col_offset, raw[outer.col_offset : value.col_offset].decode())
        for outer, value in pairs
    ]
