"""The user's own source files that a pickle needs: it names classes and functions by module, and holds none of them.

What is copied is found without importing anything: modules that are loaded are asked where they came from, others are
looked for as an import would, and what a module imports is read from its source.
"""

from __future__ import annotations

import ast
import dis
import importlib.util
import os
import shutil
import sys
import sysconfig
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from optkit import by_value
from optkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec

INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed packages have one of these names, wherever they lie."""
LIBRARY = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
"""Where the standard library lies."""
NOT_OWN = {"__main__", "optkit"}
"""`__main__` is sent by value; optkit is installed where a recipe runs."""
IMPORTERS = {"import_module", "__import__"}
COMPILED = (*EXTENSION_SUFFIXES, *BYTECODE_SUFFIXES)


def modules_of(value: Any) -> set[str]:
    """Return the names of the user's own modules that pickling `value` refers to by name.

    Own are those whose file lies neither in the standard library, nor among installed packages, nor in optkit. Among
    them are the modules that functions which are sent by value import when they are called.
    """
    pickler = _Namer()
    pickler.dump(value)
    return {name for name in pickler.named if _own(name) is not None}


def packages_of(value: Any) -> set[str]:
    """Return the installed packages that pickling `value` refers to by name, or that the user's own modules import."""
    pickler = _Namer()
    pickler.dump(value)
    reached = _reached(pickler.named)
    imported = {one for name, place in reached.items() for one in _imported_by(name, place)}
    tops = {name.partition(".")[0] for name in pickler.named | imported}
    tops -= NOT_OWN | set(sys.stdlib_module_names) | {name.partition(".")[0] for name in reached}
    known = _distributions()
    return {package for top in tops for package in known.get(top, ())}


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    """Return the installed packages by what they let import: half a second, once."""
    return metadata.packages_distributions()


def closure(names: Iterable[str]) -> dict[str, Path]:
    """Return the files of the user's own among these modules, and of everything of the user's own that they import.

    Imports inside functions count, and so do the packages that a module lies in. The value of a namespace package,
    which has no file, is its folder.

    Raises
    ------
    UsageError
        One of them is compiled, or its source is gone.
    """
    return dict(sorted((name, _source(name, place)) for name, place in _reached(names).items()))


def copy(names: Iterable[str], folder: Path) -> list[Path]:
    """Copy the source files of `closure` under `folder`, so that the same imports work with `folder` on `sys.path`.

    Returns
    -------
    list[Path]
        The files that were written, relative to `folder`, sorted.
    """
    written = []
    for name, place in sorted(_reached(names).items()):
        source, target = _source(name, place), _target(name, place)
        if place.file is None:
            (folder / target).mkdir(parents=True, exist_ok=True)
            continue
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / target)
        written.append(target)
    return sorted(written)


class _Namer(by_value.Pickler):
    """Notes the modules that are named while it pickles, and keeps nothing of the pickle itself."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), buffer_callback=lambda _: False)  # arrays go to the callback, uncopied
        self.named: set[str] = set()
        self._by_name: dict[type, bool] = {}
        torch = sys.modules.get("torch")
        self._storages: tuple[type, ...] = () if torch is None else (torch.UntypedStorage, torch.TypedStorage)

    def persistent_id(self, obj: Any) -> Any:
        """Leave out what tensors hold, but not the tensors: a user's own kind of tensor is named, and can hold more."""
        return "storage" if issubclass(type(obj), self._storages) else None

    def reducer_override(self, obj: Any) -> Any:
        """Pickle as ever, and note what is named."""
        reduced = super().reducer_override(obj)
        if isinstance(obj, ModuleType):
            self._note(getattr(obj, "__name__", None))
        elif isinstance(obj, type | FunctionType):
            if reduced is NotImplemented:
                self._note(obj.__module__)
            elif isinstance(obj, FunctionType):
                self.named.update(_imported_by_code(obj.__code__, obj.__globals__.get("__package__") or ""))
        else:
            self._note_other(obj)
        return reduced

    def _note(self, name: Any) -> None:
        if isinstance(name, str):
            self.named.add(name)

    def _note_other(self, obj: Any) -> None:
        """Note the class, for objects that are pickled as a name beside it, and what is itself had by name."""
        kind = type(obj)
        if kind not in self._by_name:
            self._by_name[kind] = super().reducer_override(kind) is NotImplemented
        if self._by_name[kind]:
            self._note(kind.__module__)
        if _has_a_name(obj):  # a built-in function, or what functools.lru_cache makes
            self._note(obj.__module__)


class _Nowhere:
    """A file that forgets."""

    def write(self, data: Any) -> int:
        return memoryview(data).nbytes


def _has_a_name(obj: Any) -> bool:
    """Whether an object is what its module has under its name."""
    found: Any = sys.modules.get(str(getattr(obj, "__module__", None)))
    for part in str(getattr(obj, "__qualname__", "")).split("."):
        found = getattr(found, part, None)
    return found is obj


@dataclass(frozen=True)
class _Place:
    """Where a module is: its file (a namespace package has none), and where a package looks for its modules."""

    file: Path | None
    folders: tuple[str, ...] | None

    @property
    def is_own(self) -> bool:
        paths = self.folders or () if self.file is None else (self.file,)
        return any(is_own_path(Path(path)) for path in paths)


def is_own_path(path: Path) -> bool:
    """Whether a path lies outside the standard library and the installed packages.

    Installers can link single files of a package to a store of theirs, so the path counts as it is written.
    """
    if not path.is_absolute() or INSTALLED & set(path.parts):
        return False
    zipped = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    return not any(
        spelt.is_relative_to(place) or spelt.is_relative_to(place.parent / zipped)
        for library in LIBRARY
        for spelt, place in ((path, library), (path.resolve(), library.resolve()))
    )


def _own(name: str) -> _Place | None:
    """Return where a module is, None where it is not the user's own or not there."""
    if name.partition(".")[0] in NOT_OWN:
        return None
    place = _loaded(name) if name in sys.modules else _found(name)
    return place if place is not None and place.is_own else None


def _loaded(name: str) -> _Place | None:
    """Return where a module came from; what stands in its dictionary, as asking some modules makes them load others."""
    known = getattr(sys.modules[name], "__dict__", {})
    file, folders = known.get("__file__"), known.get("__path__")
    return _Place(Path(file) if file else None, None if folders is None else tuple(map(str, folders)))


def _found(name: str) -> _Place | None:
    """Look for a module as an import would, but not for one in a package that is not the user's own.

    `importlib.util.find_spec` would import the packages that the module lies in.
    """
    if not all(name.split(".")):  # no import can ask for such a name, and finders do not expect it
        return None
    parent, _, last = name.rpartition(".")
    folders: tuple[str, ...] | None = None
    if parent:
        above = _own(parent)
        if above is None or above.folders is None:
            return None
        folders = above.folders
    try:
        spec = _spec(name, folders)
    except KeyError:  # a namespace package asks its parent for folders, and the parent is not loaded
        inner = [Path(folder) / last for folder in folders or ()]
        return _Place(None, tuple(str(path) for path in inner if path.is_dir()))
    if spec is None:
        return None
    inside = spec.submodule_search_locations
    return _Place(
        Path(spec.origin) if spec.has_location and spec.origin else None, None if inside is None else tuple(inside)
    )


def _spec(name: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, folders) if hasattr(finder, "find_spec") else None
        if spec is not None:
            return spec
    return None


def _reached(names: Iterable[str]) -> dict[str, _Place]:
    """Return the user's own modules that importing these would import."""
    reached: dict[str, _Place] = {}
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        place = _own(name)
        if place is not None:
            reached[name] = place
            waiting += _imported_by(name, place)
    return reached


def _source(name: str, place: _Place) -> Path:
    """Return the file to copy, or the folder of a namespace package."""
    if place.file is None:
        return next(path for path in map(Path, place.folders or ()) if is_own_path(path))
    if place.file.name.endswith(COMPILED):
        raise UsageError(
            f"{name} is compiled ({place.file.name}) and cannot be copied into a recipe; install it as a package."
        )
    if not place.file.is_file():
        raise UsageError(
            f"The source of {name} is not at {place.file}, so it cannot be copied into a recipe; "
            "install it as a package."
        )
    return place.file


def _target(name: str, place: _Place) -> Path:
    """Return where a module goes: under its own name, which need not be that of its file."""
    parts = name.split(".")
    if any(not part or os.sep in part for part in parts):
        raise UsageError(f"The module name {name!r} cannot be the name of a file in a recipe; rename the module.")
    if place.file is None:
        return Path(*parts)
    if place.folders is not None:
        return Path(*parts, "__init__.py")
    return Path(*parts[:-1], f"{parts[-1]}.py")


def _imported_by(name: str, place: _Place) -> Iterator[str]:
    """Read what a module imports, anywhere in it, from its source."""
    package = name if place.folders is not None else name.rpartition(".")[0]
    for node in ast.walk(_tree(place)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _targets(node.module or "", node.level, [alias.name for alias in node.names], package)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in IMPORTERS:
            told = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            if isinstance(told, str):
                bare = told.lstrip(".")
                yield from _targets(bare, len(told) - len(bare), (), package)


def _tree(place: _Place) -> ast.AST:
    """Return the parsed source; an empty one where there is none, or a file that is looked at only is no Python."""
    if place.file is None or not place.file.is_file() or place.file.name.endswith(COMPILED):
        return ast.Module([], [])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the user saw them when it was imported
            return ast.parse(importlib.util.decode_source(place.file.read_bytes()))
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def _imported_by_code(code: CodeType, package: str) -> Iterator[str]:
    """Read what a function imports when it is called; its source may be in a notebook, or nowhere."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    for at, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level, inner = steps[at - 2].argval, steps[at - 1].argval
            yield from _targets(step.argval, level, inner or (), package)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imported_by_code(constant, package)


def _targets(module: str, level: int, inner: Iterable[str], package: str) -> Iterator[str]:
    """Return the modules that one import can mean; `from a import b` means a.b where that is a module."""
    try:
        base = importlib.util.resolve_name("." * level + module, package)
    except ImportError:  # above the topmost package: that import fails as well
        return
    yield base
    for name in inner:
        names = getattr(sys.modules.get(base), "__all__", ()) if name == "*" else (name,)
        yield from (f"{base}.{each}" for each in names)
