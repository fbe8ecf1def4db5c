"""Folders and files that only this user can read, whatever the umask is: those that optkit makes for itself.

They hold the user's model, and programs that workers load: whoever could write there could run anything as this user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

UMASK = 0o077
"""Of the processes that work in such folders, so that what they and their libraries write is as private."""
FOLDER, FILE = 0o700, 0o600


def folder(path: Path) -> Path:
    """Make a folder, and those above it that are missing; one that is there stays as it is."""
    for one in reversed([path, *path.parents]):
        if not one.is_dir():
            one.mkdir(mode=FOLDER, exist_ok=True)
    return path


def file(path: Path) -> Path:
    """Make an empty file, which keeps its rights when it is written to, by whatever."""
    path.touch(mode=FILE)
    return path


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file."""
    file(path).write_bytes(data)


def write_text(path: Path, words: str) -> None:
    """Write a file of text."""
    file(path).write_text(words, encoding="utf-8")
