"""Records that were read from somewhere become dataclasses: every field is checked against its annotation. Pure.

A record can come from a file that somebody else has written, or that was damaged. What a dataclass takes is decided
when it is first met, and then kept: a run has thousands of events.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
import types
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from optkit import text
from optkit.errors import OptkitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
LARGEST = 2**63 - 1
"""The largest whole number that is taken: larger ones are no measurement, and no database holds them."""
DEEPEST = 50
"""How deep lists and objects may lie in each other where their form is free."""
AT_LEAST_ONE = {"calls_per_sample", "durations_ns", "duration_ns"}
"""Fields by which is divided; every other number is at least 0."""
SHOWN = 60


class _WrongError(Exception):
    """A value is not what was expected; the argument says what was."""


def decode(kind: type[T], values: Mapping[str, Any]) -> T:
    """Return a dataclass of these values, which are as JSON has them: lists for tuples, whole numbers for floats.

    Raises
    ------
    OptkitError
        If a field is missing or unknown, or is not of its type: a number that is negative or not finite, a word that
        is none of those allowed, something else in place of a text.
    """
    readers, required = _fields(cast("Any", kind))
    if not required <= values.keys() or not values.keys() <= readers.keys():
        raise OptkitError(f"A {kind.__name__} event with other fields than this version of optkit knows.")
    fields = {}
    for name, value in values.items():
        try:
            fields[name] = readers[name](value)
        except (_WrongError, OverflowError) as error:
            shown = text.one_line(reprlib.repr(value), limit=SHOWN)
            raise OptkitError(
                f"A {kind.__name__} event says {name}={shown}, which is not {error}; its record is damaged, or of "
                "another version."
            ) from None
    return kind(**fields)


def check(name: str, hints: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Raise an OptkitError unless the values that have hints are of these types; there may be fewer, and others.

    Parameters
    ----------
    name
        What to call them in a message.
    hints
        Types by the name of the value.
    values
        An object as JSON has it.
    """
    for key, hint in hints.items():
        if key not in values:
            continue
        try:
            _reader(hint, 0)(values[key])
        except (_WrongError, OverflowError) as error:
            shown = text.one_line(reprlib.repr(values[key]), limit=SHOWN)
            raise OptkitError(
                f"The record of the {name} says {key}={shown}, which is not {error}; it is damaged, or of another "
                "version."
            ) from None


@cache
def _fields(kind: type) -> tuple[dict[str, Callable[[Any], Any]], frozenset[str]]:
    """Return what reads each field, and which of them must be there."""
    hints = get_type_hints(kind)
    fields = dataclasses.fields(kind)
    missing = dataclasses.MISSING
    required = {one.name for one in fields if one.default is missing and one.default_factory is missing}
    return {one.name: _reader(hints[one.name], int(one.name in AT_LEAST_ONE)) for one in fields}, frozenset(required)


def _reader(hint: Any, least: int) -> Callable[[Any], Any]:
    """Return what reads a value of a type, or raises; numbers are at least `least`."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional(_reader(next(one for one in inner if one is not type(None)), least))
    if origin is Literal:
        return _word(inner)
    if origin is tuple:
        is_long = len(inner) == 2 and inner[1] is ...  # noqa: PLR2004
        return _many(inner[0], least) if is_long else _few([_reader(one, least) for one in inner])
    if origin is dict:
        return _mapping(_reader(inner[1], least))
    if hint is Any:
        return _free
    return {str: _text, bool: _truth, int: _whole(least), float: _number(least)}[hint]


def _optional(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _word(allowed: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise _WrongError(f"one of {', '.join(allowed)}")

    return read


def _text(value: Any) -> str:
    if type(value) is str:
        return text.plain(value)
    raise _WrongError("a text")


def _truth(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise _WrongError("true or false")


def _whole(least: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is int and least <= value <= LARGEST:
            return value
        raise _WrongError(f"a whole number of at least {least}")

    return read


def _number(least: int) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if type(value) in (float, int) and least <= value < math.inf:
            return float(value)
        raise _WrongError(f"a finite number of at least {least}")

    return read


def _many(hint: Any, least: int) -> Callable[[Any], tuple[Any, ...]]:
    one = _reader(hint, least)

    def read(value: Any) -> tuple[Any, ...]:
        if isinstance(value, list | tuple) and len(value) >= least:
            return tuple(map(one, value))
        raise _WrongError("a list" if least == 0 else "a list with something in it")

    return read


def _few(readers: list[Callable[[Any], Any]]) -> Callable[[Any], tuple[Any, ...]]:
    def read(value: Any) -> tuple[Any, ...]:
        if isinstance(value, list | tuple) and len(value) == len(readers):
            return tuple(one(part) for one, part in zip(readers, value, strict=True))
        raise _WrongError(f"a list of {len(readers)}")

    return read


def _mapping(one: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _WrongError("an object")
        return {_text(name): one(part) for name, part in value.items()}

    return read


def _free(value: Any, depth: int = 0) -> Any:
    """Return what JSON can hold, whatever it is: with texts plain, and None for a number that is not finite."""
    if isinstance(value, str):
        return text.plain(value)
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) <= LARGEST):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth < DEEPEST and isinstance(value, list | tuple):
        return type(value)(_free(part, depth + 1) for part in value)
    if depth < DEEPEST and isinstance(value, dict):
        return {_text(name): _free(part, depth + 1) for name, part in value.items()}
    raise _WrongError("what JSON can hold: numbers, texts, lists and objects, so deep in each other")
