"""The text form of settings: values, lists, quotes and splitting; shared by variants, tables and messages. Pure."""

from __future__ import annotations

import contextlib
from typing import Any

_CONSTANTS = {"true": True, "false": False, "none": None, "auto": None}
_RESERVED = set(',+|="')


def callable_name(value: Any) -> str:
    """Return a value that may be a callable as it prints: its text, or the callable's name."""
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    return str(value)


def dump(value: Any) -> str:
    """Write a value: ``true``, ``1e-05``, ``max-autotune``, ``a|b``; strings that would read otherwise are quoted."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if callable(value):
        return f"{callable_name(value)}()"
    if isinstance(value, float):
        return repr(value).replace("e+", "e")  # a plus begins a modifier
    if isinstance(value, list | tuple):
        return "".join(f"{dump(item)}|" for item in value) if len(value) < 2 else "|".join(dump(item) for item in value)  # noqa: PLR2004
    string = str(value)
    if isinstance(value, str) and not _is_plain(string):
        return '"' + string.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return string


def load(string: str) -> Any:
    """Read what `dump` wrote."""
    items = split(string, "|")
    if len(items) == 1:
        return _scalar(string)
    return tuple(_scalar(item) for item in (items if items[-1] else items[:-1]))


def split(string: str, separator: str, *, maximum: int = -1) -> list[str]:
    """Split at a one-character separator that stands outside double quotes, at most `maximum` times."""
    parts, quoted, escaped = [""], False, False
    for character in string:
        if character == separator and not quoted and maximum != len(parts) - 1:
            parts.append("")
            continue
        quoted ^= character == '"' and not escaped
        escaped = quoted and character == "\\" and not escaped  # outside quotes it is a character like any other
        parts[-1] += character
    return parts


def _is_plain(string: str) -> bool:
    """Whether a string reads back as itself without quotes; ``()`` at the end stands for a callable."""
    return bool(string) and not (
        _RESERVED & set(string) or string != string.strip() or string.endswith("()") or _scalar(string) != string
    )


def _scalar(string: str) -> Any:
    if len(string) > 1 and string[0] == string[-1] == '"':
        return string[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if string.lower() in _CONSTANTS:
        return _CONSTANTS[string.lower()]
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(string)
    return string


def duration(seconds: float | None) -> str:
    """Write a time with three digits and its unit, for people: ``63.1 ms``; an en dash where there is none."""
    if seconds is None:
        return "–"
    if seconds >= 100:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale * 0.9995:
            value = seconds / scale
            digits = 2 if value < 10 else 1 if value < 100 else 0  # noqa: PLR2004
            return f"{value:.{digits}f} {unit}"
    return f"{seconds / 1e-9:.0f} ns"


def size(amount: float) -> str:
    """Write a number of bytes for people: ``37 MB``, ``1.2 GB`` (powers of ten)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if amount >= scale:
            value = amount / scale
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"  # noqa: PLR2004
    return f"{amount:.0f} B"


def clock(seconds: float) -> str:
    """Write whole seconds as minutes and seconds: ``2:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
