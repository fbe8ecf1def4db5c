"""A line of source as its reader knows it: a file and its line, or a cell of the notebook and its line. A leaf."""

from __future__ import annotations

import linecache
import sys


def words(path: str, line: int | str) -> str:
    """Return where a line is: ``path:line``, or the cell of this notebook with its line.

    Parameters
    ----------
    path
        As Python knows the file; of a cell it is a name in a temporary folder that nobody knows.
    line
        Counted from 1.
    """
    cell = _cell(path)
    return f"{path}:{line}" if cell is None else f"cell [{cell}], line {line}"


def read(place: str) -> str:
    """Return the same for a place that was told as ``path:line``; anything else as it is."""
    path, _, line = place.rpartition(":")
    return words(path, line) if path and line.isdecimal() else place


def _cell(path: str) -> int | None:
    """Return the number of the notebook's cell that a file name stands for; None where it is a file."""
    source = "".join(linecache.getlines(path)) if "ipykernel" in path or path.startswith("<") else ""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not source or shell is None:
        return None
    cells = shell.user_ns.get("In", [])
    same = [number for number, cell in enumerate(cells) if str(cell).strip() == source.strip()]
    return same[-1] if same else None
