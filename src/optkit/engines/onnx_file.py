"""Which files an ONNX model keeps its weights in, and whether these lie in its own folder.

A model names them itself, so it could have any file of this machine read as weights. ONNX Runtime refuses that from
1.24 on, and the package onnx from 1.21; here it is refused with every version, before anything else reads the file.
Only the fields that lead to such names are read: a model can be larger than what fits in memory.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from optkit.engines.artifact import ArtifactError, damaged, is_inside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Buffer = mmap.mmap | bytes
Span = tuple[int, int]

LOCATION, MARKER = b"location", "*"
"""The key that has a file's name as its value; and how ONNX Runtime's names of places in memory begin."""
OTHER_FORM = ".ort"
"""By this name ONNX Runtime knows files of its own form, which name no others."""
DEEPEST = 100
"""How deep graphs may lie in each other."""
LENGTH, FIXED = 2, {1: 8, 5: 4}
"""How a field says where it ends: by its length, or by its kind."""
# fmt: off
FIELDS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
# fmt: on
"""Of each message of onnx.proto the fields that can lead to a tensor outside the file, with the message in each."""


class _BrokenError(Exception):
    """The bytes are no protocol buffer."""


def check(path: Path) -> None:
    """Raise an ArtifactError where a model's weights lie anywhere but in its folder, or it cannot be read.

    A model that is itself a link has two folders: the one that the link is in, and that of the file.
    """
    folders = {path.parent.resolve(), path.resolve().parent}
    for location in sorted(set(locations(path))):
        is_name = is_inside(location) and location.isprintable() and not location.startswith(MARKER)
        place = (path.parent / location).resolve() if is_name else None
        if place is None or not any(place.is_relative_to(folder) for folder in folders):
            raise ArtifactError(
                f"{path.name} wants to read its weights from {location!r}, which is not in its folder; put the file "
                "there, and save the model with that name of it."
            )


def locations(path: Path) -> Iterator[str]:
    """Yield the names of the files in which a model says that weights lie."""
    with path.open("rb") as file:
        if not path.stat().st_size or path.suffix == OTHER_FORM:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                yield from _locations(data, "model", (0, len(data)), 0)
            except _BrokenError:
                raise damaged(path, "an ONNX model", "its parts do not fit together") from None


def _locations(data: Buffer, message: str, span: Span, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise _BrokenError
    for number, inner in _fields(data, span):
        kind = FIELDS[message].get(number)
        if kind == "entry":
            key, value = _entry(data, inner)
            if key == LOCATION:
                yield value.decode(errors="surrogateescape")
        elif kind is not None:
            yield from _locations(data, kind, inner, depth + 1)


def _entry(data: Buffer, span: Span) -> tuple[bytes, bytes]:
    """Return the key and value of an entry of a tensor's description of its file."""
    found = {number: data[begin:end] for number, (begin, end) in _fields(data, span)}
    return found.get(1, b""), found.get(2, b"")


def _fields(data: Buffer, span: Span) -> Iterator[tuple[int, Span]]:
    """Yield number and place of the fields of a message that have a length; numbers are passed over."""
    at, end = span
    while at < end:
        tag, at = _varint(data, at, end)
        kind, begin = tag & 7, at
        if kind == LENGTH:
            size, begin = _varint(data, at, end)
        elif kind == 0:
            size = _varint(data, at, end)[1] - at
        elif kind in FIXED:
            size = FIXED[kind]
        else:
            raise _BrokenError
        at = begin + size
        if at > end:
            raise _BrokenError
        if kind == LENGTH:
            yield tag >> 3, (begin, at)


def _varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends."""
    value = 0
    for place in range(at, min(at + 10, end)):
        value |= (data[place] & 0x7F) << 7 * (place - at)
        if data[place] < 0x80:  # noqa: PLR2004 - the last byte
            return value, place + 1
    raise _BrokenError
