"""Texts: settings in a form that reads back, what others have written made harmless, numbers for people. Pure."""

from __future__ import annotations

import contextlib
import re
from typing import Any

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What sets the colours of a terminal, which some messages have."""

LONGEST_NAME = 200
"""Characters of a name that are shown, where others could give it."""

_CONSTANTS = {"true": True, "false": False, "none": None, "auto": None}
_RESERVED = set(',+|="')
_UNFIT = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # what a terminal obeys, but for tabs and ends of lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of the text around it
    "\u2028\u2029\ufeff\ufffe\uffff"  # ends of lines that few expect, and what is no character
    "\ud800-\udfff"  # halves of characters, which nothing can be written with
)
_HARMFUL = re.compile(f"[{_UNFIT}]")
_HARMFUL_IN_LINE = re.compile(f"[{_UNFIT}\t\n]")
_ESCAPED = re.compile(r'\\(\\|"|x[0-9a-f]{2}|u[0-9a-f]{4})')


def plain(said: str, *, limit: int | None = None) -> str:
    r"""Return a text of somebody else's, such as a message or what a worker printed, fit for a terminal and for a page.

    What a terminal would obey, what turns the direction of a text, and what cannot be written are replaced by their
    escapes, such as ``\x1b``; lines and tabs stay.

    Parameters
    ----------
    said
        The text.
    limit
        Of a longer one so many characters are left, the last being an ellipsis.
    """
    if limit is not None and len(said) > limit:
        said = f"{said[: limit - 1]}…"
    return said if said.isprintable() else _HARMFUL.sub(_escape, said)


def one_line(said: str, *, limit: int | None = None) -> str:
    """Return a name of somebody else's as `plain` does, and in one line."""
    return _HARMFUL_IN_LINE.sub(_escape, plain(said, limit=limit))


def plain_json(value: Any) -> Any:
    """Return what was read as JSON, with every text in it `plain`."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(key): plain_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain_json(part) for part in value)
    return value


def code_span(said: str) -> str:
    """Return a text for one line of Markdown, in which it stands for nothing but itself."""
    said = one_line(said)
    if re.fullmatch(r"[\w .,:=+/-]*", said):
        return said
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", said)), default=0))
    return f"{fence} {said} {fence}" if "`" in (said[:1], said[-1:]) else f"{fence}{said}{fence}"


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number > 0xFF else f"\\x{number:02x}"  # noqa: PLR2004


def callable_name(value: Any) -> str:
    """Return a value that may be a callable as it prints: its text, or the callable's name."""
    if callable(value):
        return one_line(str(getattr(value, "__name__", type(value).__name__)), limit=LONGEST_NAME)
    return str(value)


def dump(value: Any) -> str:
    """Write a value: ``true``, ``1e-05``, ``max-autotune``, ``a|b``; strings that would read otherwise are quoted.

    What is not `plain` becomes an escape between the quotes, so that the text of a variant can be shown anywhere.
    """
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if callable(value):
        return f"{''.join('_' if one in _RESERVED else one for one in callable_name(value))}()"
    if isinstance(value, float):
        return repr(value).replace("e+", "e")  # a plus begins a modifier
    if isinstance(value, list | tuple):
        return "".join(f"{dump(item)}|" for item in value) if len(value) < 2 else "|".join(dump(item) for item in value)  # noqa: PLR2004
    string = str(value)
    if isinstance(value, str) and not _is_plain(string):
        return '"' + _HARMFUL_IN_LINE.sub(_escape, string.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    return string


def load(string: str) -> Any:
    """Read what `dump` wrote."""
    items = split(string, "|")
    if len(items) == 1:
        return _scalar(string)
    return tuple(_scalar(item) for item in (items if items[-1] else items[:-1]))


def split(string: str, separator: str, *, maximum: int = -1) -> list[str]:
    """Split at a one-character separator that stands outside double quotes, at most `maximum` times."""
    parts: list[str] = []
    begin, quoted, escaped = 0, False, False
    for place, character in enumerate(string):
        if character == separator and not quoted and maximum != len(parts):
            parts.append(string[begin:place])
            begin = place + 1
            continue
        quoted ^= character == '"' and not escaped
        escaped = quoted and character == "\\" and not escaped  # outside quotes it is a character like any other
    return [*parts, string[begin:]]


def _is_plain(string: str) -> bool:
    """Whether a string reads back as itself without quotes; ``()`` at the end stands for a callable."""
    return bool(string) and not (
        _RESERVED & set(string)
        or string != string.strip()
        or string.endswith("()")
        or _scalar(string) != string
        or _HARMFUL_IN_LINE.search(string)
    )


def _scalar(string: str) -> Any:
    if len(string) > 1 and string[0] == string[-1] == '"':
        return _ESCAPED.sub(_unescape, string[1:-1])
    if string.lower() in _CONSTANTS:
        return _CONSTANTS[string.lower()]
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(string)
    return string


def _unescape(found: re.Match[str]) -> str:
    return found[1] if len(found[1]) == 1 else chr(int(found[1][1:], 16))


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
