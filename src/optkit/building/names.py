"""Names: what a script has to import or define before an expression means in it what it means to the user.

Classes and functions of a script or notebook can be imported from nowhere: their source is printed, with all that it
refers to. What a name stands for is what it stands for now; where that is another thing, nothing is printed.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import functools
import inspect
import itertools
import linecache
import operator
import symtable
import sys
import textwrap
import types
from typing import TYPE_CHECKING, Any

from optkit.building.lines import CannotTellError, constant, container, loaded_torch, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_CONSTANT = 5000
"""In characters; what is longer is data, and belongs in no script."""
PUBLIC = ("torch", "torch.nn", "torch.nn.functional")
"""Where things of torch are looked for first; they themselves name the file that they are in."""


class Script:
    """The head of a script: its imports and definitions.

    Parameters
    ----------
    **names
        What names of the script, besides ``torch`` and ``inputs``, stand for.
    """

    def __init__(self, **names: Any) -> None:
        self.names = {"torch": loaded_torch(), "inputs": None, **names}
        self._imports: list[str] = []
        self._definitions: list[str] = []

    @property
    def lines(self) -> list[str]:
        """Imports, and the definitions in an order in which they work."""
        return [*dict.fromkeys(self._imports), *self._definitions]

    def expression(self, value: Any) -> str:
        """Return Python for anything but a module or tensor."""
        if (text := constant(value) or container(value, self.expression)) is not None:
            return text
        if isinstance(value, functools.partial):
            return self.call(functools.partial, (value.func, *value.args), value.keywords)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [(field, getattr(value, field.name)) for field in dataclasses.fields(value) if field.init]
            given = {one.name: it for one, it in fields if type(it) is not type(one.default) or it != one.default}
            return self.call(type(value), (), given)
        return self.reference(value)

    def call(self, value: Any, args: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None) -> str:
        """Return a call of a class or function."""
        if not all(map(str.isidentifier, keywords or {})):
            raise CannotTellError
        by_name = [f"{name}={self.expression(one)}" for name, one in (keywords or {}).items()]
        return f"{self.reference(value)}({', '.join([*map(self.expression, args), *by_name])})"

    def reference(self, value: Any) -> str:
        """Return the name of a class or function, after seeing to it that the script has it."""
        module, name = _home(value)
        if not module:
            raise CannotTellError
        if module in PUBLIC:
            return f"{module}.{name}"
        root = name.partition(".")[0]
        if module != "builtins" or root in self.names:
            self._bind(root, getattr(sys.modules[module], root))
        return name

    def _bind(self, name: str, value: Any) -> None:
        """See to it that a name stands for the same in the script as where the user has it."""
        if name in self.names:
            if self.names[name] is not value:
                raise CannotTellError
            return
        self.names[name] = value
        module, known_as = _home(value)
        if isinstance(value, types.ModuleType):
            if sys.modules.get(value.__name__) is not value or not _is_importable(value.__name__):
                raise CannotTellError
            self._imports.append(f"import {value.__name__}{f' as {name}' if name != value.__name__ else ''}")
        elif not module or (module == "__main__" and name != known_as) or "." in known_as:
            if len(text := self.expression(value)) > LONGEST_CONSTANT:
                raise CannotTellError
            self._definitions += wrapped(text, before=f"{name} = ")
        elif module == "__main__":
            self._define(value)
        else:
            self._imports.append(f"from {module} import {known_as}{f' as {name}' if name != known_as else ''}")

    def _define(self, value: Any) -> None:
        source, known = _source(value), vars(sys.modules["__main__"])
        for name in _outer_names(source):
            if name in known:
                self._bind(name, known[name])
            elif not hasattr(builtins, name):
                raise CannotTellError
        self._imports += _submodules(source, known)
        self._definitions += ["", *source.split("\n"), ""]


def _home(value: Any) -> tuple[str, str]:
    """Return whence and as what a class or function can be had: ``("torch.nn", "Linear")``; empty texts if it cannot.

    A package that offers it is preferred to the module in which it is written.
    """
    names = [getattr(value, one, None) for one in ("__qualname__", "__name__")]
    module = getattr(value, "__module__", None)
    packages = list(itertools.accumulate(module.split("."), "{}.{}".format)) if isinstance(module, str) else []
    offered = PUBLIC if packages[:1] in ([], ["torch"]) else ()  # some functions written in C name no module
    for place, name in itertools.product(filter(sys.modules.get, [*offered, *packages]), names):
        is_name = isinstance(name, str) and all(map(str.isidentifier, name.split(".")))  # classes can be named anything
        if is_name and _is_there(value, place, name):
            return place, name
    return "", ""


def _is_there(value: Any, module: str, name: str) -> bool:
    try:
        found = operator.attrgetter(name)(sys.modules[module])
    except (AttributeError, ImportError):  # some packages import what they are asked for
        return False
    is_it = found is value or (inspect.ismethod(found) and found == value)
    return is_it and (module == "__main__" or _is_importable(module))


def _is_importable(module: str) -> bool:
    """Return whether another process finds the package that a module lies in where this one has it from."""
    root = module.partition(".")[0]
    loaded = getattr(sys.modules.get(root), "__spec__", None)
    found = (finder.find_spec(root, None) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    spec = next(filter(None, found), None)
    return loaded is not None and spec is not None and spec.origin == loaded.origin


def _source(value: Any) -> str:
    """Return the source of a class or function.

    `inspect.getsource` finds no class of a notebook before Python 3.13; its methods say in which cell they are.
    """
    value = inspect.unwrap(value)
    functions = map(inspect.unwrap, vars(value).values() if inspect.isclass(value) else [value])
    for code in [one.__code__ for one in functions if inspect.isfunction(one)]:
        for first, last, text in _definitions(code.co_filename, value.__name__):
            if first <= code.co_firstlineno <= last:
                return text
    main = getattr(sys.modules["__main__"], "__file__", None)
    files = [main] if main else [name for name, entry in linecache.cache.items() if entry[1:2] == (None,)]
    texts = {text for file in files for _, _, text in _definitions(file, value.__name__)}
    if inspect.isclass(value) and len(texts) == 1:  # it has no methods, and there is no other of its name
        return texts.pop()
    raise CannotTellError


def _outer_names(text: str) -> list[str]:
    """Return the names that a definition looks up outside itself, in the order in which they come."""
    tables = [symtable.symtable(text, "<source>", "exec")]
    found = [symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_referenced()]
    for table in tables:
        tables += table.get_children()
        found += [symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()]
    own = {symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_assigned()}
    return [name for name in dict.fromkeys(found) if name not in own and name != "__name__"]


def _submodules(text: str, known: Mapping[str, Any]) -> list[str]:
    """Return imports of modules that a source reaches through others: ``import xml`` alone has no ``xml.etree``."""
    reached = set()
    for node in ast.walk(ast.parse(text)):
        root, _, rest = ast.unparse(node).partition(".") if isinstance(node, ast.Attribute) else ("", "", "")
        if isinstance(module := known.get(root), types.ModuleType):
            reached.add(f"{module.__name__}.{rest}")
    names = sorted(name for name in reached if isinstance(sys.modules.get(name), types.ModuleType))
    deepest = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    return [f"import {name}" for name in deepest if not name.startswith("torch.nn")]


def _definitions(file: str, name: str) -> Iterator[tuple[int, int, str]]:
    """Yield the definitions of a name in a file: first line, last line and source."""
    lines = linecache.getlines(file)
    for node in ast.walk(ast.parse("".join(lines))):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            first = min(one.lineno for one in (node, *node.decorator_list))
            last = node.end_lineno or first
            yield first, last, textwrap.dedent("".join(lines[first - 1 : last])).rstrip()
