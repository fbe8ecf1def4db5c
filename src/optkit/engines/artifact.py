"""Files that hold an exported model: which may be loaded, and what is said where one cannot be."""

from __future__ import annotations

import contextlib
import lzma
import stat
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.errors import UsageError, VariantError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_CHARACTERS = 300
MOST_PACKED, MOST_UNPACKED_BYTES = 200, 256 * 1024 * 1024
"""No model, and no compile cache, is packed to so small a part of its size, once it is larger than this."""


class ArtifactError(UsageError):
    """A file that is missing, damaged, or of another kind than was expected."""


def check_path(engine: str, path: Any, *, trust: bool, is_program: bool) -> None:
    """Raise a VariantError unless `path` may be loaded.

    Parameters
    ----------
    engine, path
        Whose setting it is, and its value; None where the engine exports the model itself.
    trust
        Whether the user says that they trust the file.
    is_program
        Whether loading the file can run whatever it contains.
    """
    if path is None:
        if trust:
            raise VariantError(
                f"{engine}: trust says that a file may be loaded; give its path too, or leave trust out."
            )
        return
    if not isinstance(path, str) or not path:
        raise VariantError(f"{engine}: path must be the name of a file, not {path!r}.")
    if is_program and not trust:
        raise VariantError(
            f"{engine}: {path} is a program, and loading it can run anything; add trust=true if you trust who made it."
        )


def found(path: Path, kind: str) -> Path:
    """Return `path`, or raise an ArtifactError unless it is a file; `kind` has its article: ``"an ONNX model"``."""
    if not path.is_file():
        raise ArtifactError(f"There is no file {str(path)!r} that could be loaded as {kind}; give the path of one.")
    return path


def damaged(path: Path, kind: str, why: str) -> ArtifactError:
    """Return the error that says that a file is not of its kind, or not whole."""
    return ArtifactError(f"{path.name} is no {kind.partition(' ')[2]}, or it is damaged ({why}); export it again.")


def check_zip(path: Path, kind: str, member: str) -> None:
    """Raise an ArtifactError unless `path` is an undamaged archive in which some file's name ends with `member`.

    torch loads an archive without looking at its checksums: a flipped bit would give other numbers, or crash. And it
    unpacks what is in one wherever the names of the files say.
    """
    try:
        with zipfile.ZipFile(found(path, kind)) as archive:
            check_members(archive, path)
            names, flipped = archive.namelist(), archive.testzip()
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise damaged(path, kind, said(error)) from error
    if flipped is not None:
        raise ArtifactError(f"{path.name} is damaged: the checksum of {flipped} is wrong; export it again.")
    if not any(name.endswith(member) for name in names):
        raise ArtifactError(f"{path.name} is no {kind.partition(' ')[2]}; give a file that was exported as one.")


def check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise an ArtifactError where unpacking the archive at `path` would write anywhere but in one folder, or no end.

    Refused are absolute names, names with ``..`` or a backslash, links, and files that claim to be far larger than what
    is in the archive.
    """
    packed = path.stat().st_size
    for one in archive.infolist():
        if not is_inside(one.filename):
            raise ArtifactError(f"{path.name} would be unpacked outside its folder ({one.filename!r}); do not use it.")
        if stat.S_ISLNK(one.external_attr >> 16):
            raise ArtifactError(f"{path.name} holds a link ({one.filename!r}), and may hold files only; do not use it.")
    unpacked = sum(one.file_size for one in archive.infolist())
    if unpacked > MOST_UNPACKED_BYTES and unpacked > MOST_PACKED * packed:
        raise ArtifactError(
            f"{path.name} has {text.size(packed)} and claims to hold {text.size(unpacked)}; do not use it."
        )


def is_inside(name: Any) -> bool:
    """Whether a name is that of a file in a folder, or in one below it, whatever the folder is."""
    place = PurePosixPath(name) if isinstance(name, str) else PurePosixPath("..")
    return bool(place.parts) and not place.is_absolute() and ".." not in place.parts and not {"\0", "\\"} & set(name)


def check_no_archive(path: Path, kind: str) -> None:
    """Raise an ArtifactError if `path` is an archive, as torch's own files are."""
    if zipfile.is_zipfile(path):
        raise ArtifactError(f"{path.name} is no {kind.partition(' ')[2]}; give a file that was exported as one.")


@contextlib.contextmanager
def reading(path: Path, kind: str, *, is_own: bool) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into one sentence; `is_own`: optkit exported it a moment ago."""
    try:
        yield
    except ArtifactError:
        raise
    except Exception as error:
        told = f"{kind[0].upper()}{kind[1:]} was exported and cannot be loaded: {said(error)}."
        if not is_own:
            told = (
                f"{path.name} cannot be loaded as {kind} ({said(error)}); it is damaged, or was made by another "
                "version: export it again."
            )
        raise ArtifactError(told) from error


def said(error: BaseException) -> str:
    """Return the first line of an error's message, which is what is said of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return text.COLOURS.sub("", lines[0] if lines else type(error).__name__)[:MOST_CHARACTERS].rstrip(".")
