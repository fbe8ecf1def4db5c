"""What is learnt once about a machine and kept between studies, in the user's own cache folder.

What is kept can hold compiled code, and a damaged piece of it would silently change what is measured. So the folder
must belong to this user and be writable by nobody else, every file is checked against its digest after it was copied,
and what fails a check is learnt anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from optkit import private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.environment import Environment

FORM = 1
"""Goes up when what is kept changes its form."""
RECORD, FILES = "record.json", "files"


DECISIVE = ("python", "torch", "numpy")
"""Of the versions those that what is kept can depend on."""


def machine_key(environment: Environment, *more: str) -> str:
    """Return a name for this machine with these versions: what is kept under another one is not used."""
    told = [
        str(FORM),
        environment.cpu,
        " ".join(environment.cpu_flags),
        environment.platform,
        json.dumps({name: environment.versions.get(name) for name in DECISIVE}),
        _identity(environment.cxx_compiler),
        *more,
    ]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:24]


def load(key: str, into: Path | None = None, *, at_most_s: float = float("inf")) -> dict[str, Any] | None:
    """Return the record that was kept under a key, and copy its files to the folder `into`, which must not exist.

    None, and no folder, where there is none, it is older than `at_most_s`, somebody else could have written it, or a
    file is not what it was.
    """
    folder = _folder() / key
    try:
        if not (_is_ours(folder.parent) and _is_ours(folder)):
            return None
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if not 0 <= time.time() - record["time_unix_s"] <= at_most_s:
            return None
        if into is not None:
            shutil.copytree(folder / FILES, into)
            if _digests(into) != record["digests"]:
                shutil.rmtree(into)
                return None
    except (OSError, ValueError, KeyError, TypeError, shutil.Error):
        if into is not None:
            shutil.rmtree(into, ignore_errors=True)
        return None
    return dict(record["known"])


def save(key: str, known: Mapping[str, Any], files: Path | None = None) -> None:
    """Keep a record under a key, with a copy of a folder of files; where that is not possible nothing is kept."""
    with contextlib.suppress(OSError, shutil.Error):
        home = private.folder(_folder())
        if not _is_ours(home):  # others could put something else in the place of what is kept
            return
        new = Path(tempfile.mkdtemp(dir=home))
        try:
            if files is None:
                private.folder(new / FILES)
            else:
                shutil.copytree(files, new / FILES)
            record = {"time_unix_s": time.time(), "digests": _digests(new / FILES), "known": dict(known)}
            private.write_text(new / RECORD, json.dumps(record))
            forget(key)
            new.rename(home / key)  # whoever reads at the same time sees the whole, or nothing
        finally:
            shutil.rmtree(new, ignore_errors=True)


def forget(key: str) -> None:
    """Remove what is kept under a key."""
    shutil.rmtree(_folder() / key, ignore_errors=True)


def _folder() -> Path:
    return Path(user_cache_path("optkit", appauthor=False)) / "machine"


def _is_ours(folder: Path) -> bool:
    """Whether this user owns the folder and nobody else may write in it."""
    told = folder.lstat()
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(told.st_mode) and told.st_uid == os.getuid() and not told.st_mode & others


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _identity(program: str) -> str:
    """Return what changes when a program is replaced: its place, size and time."""
    path = shutil.which(program) if program else None
    if path is None:
        return ""
    told = Path(path).resolve().stat()
    return f"{Path(path).resolve()} {told.st_size} {told.st_mtime_ns}"
