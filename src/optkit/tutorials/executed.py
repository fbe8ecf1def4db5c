"""What is read from an executed notebook: whether it passed, and whether it needs to be run again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import optkit
from optkit import text
from optkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbformat import NotebookNode

    from optkit.tutorials.finding import Tutorial

STAMP = "optkit"
"""Where in the metadata of an executed notebook its outcome is kept."""
CLAIMS = "claims"
LONGEST_REASON = 300

Status = Literal["passed", "failed", "stopped", "not run"]


@dataclass(frozen=True)
class Failure:
    """Why a notebook did not pass.

    Attributes
    ----------
    reason
        One sentence, or the last line of an error.
    cell
        The number that stands before the cell in JupyterLab; None where it was no cell.
    """

    reason: str
    cell: int | None = None

    def __str__(self) -> str:
        return self.reason if self.cell is None else f"Cell [{self.cell}]: {self.reason}"


@dataclass(frozen=True)
class Outcome:
    """How it went with one notebook.

    Attributes
    ----------
    status
        ``passed``, ``failed``, ``stopped`` or ``not run``.
    failure
        Why it did not pass.
    seconds
        How long it took, the start of its kernel included.
    peak_bytes
        The most memory that was seen of all its processes together, looked at twice a second.
    cpu_s
        The processor time of all of them.
    is_lower_bound
        Whether some of that time may be missing.
    left
        The names of processes that it left running, which were ended.
    is_kept
        Whether this was found out earlier, and it was not run again.
    """

    status: Status
    failure: Failure | None = None
    seconds: float | None = None
    peak_bytes: int | None = None
    cpu_s: float | None = None
    is_lower_bound: bool = False
    left: tuple[str, ...] = ()
    is_kept: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as it is kept and printed."""
        told = asdict(self)
        failure = told.pop("failure") or {"reason": None, "cell": None}
        return told | failure | {"left": list(self.left)}


@dataclass(frozen=True)
class Result:
    """A notebook, its outcome, and the file that it was executed into, where there is one."""

    tutorial: Tutorial
    outcome: Outcome
    output: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as a row of the document that `optkit notebooks --json` prints."""
        output = None if self.output is None else text.one_line(str(self.output))
        return self.tutorial.to_json() | self.outcome.to_json() | {"output": output}


def failure(notebook: NotebookNode, trouble: Failure | None = None) -> Failure | None:
    """Return why an executed notebook did not pass: an error, or claims that were not made; None if it did.

    A cell tagged ``claims`` checks what the notebook says and shows what it has checked. Without an output it may have
    checked nothing.

    Parameters
    ----------
    notebook
        As far as it got.
    trouble
        Why it got no further, where that was no error in a cell, such as the end of its kernel.
    """
    number = 0
    silent = None
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        number = cell.execution_count or number + bool(cell.source.strip())
        for output in cell.outputs:
            if output.output_type == "error":
                return Failure(_last_line(output), number)
        if CLAIMS in cell.metadata.get("tags", []) and not any(map(_says_something, cell.outputs)):
            silent = silent or Failure("It is tagged claims and shows nothing, so it may have checked nothing.", number)
    return trouble or silent


def digest(tutorial: Tutorial, settings: dict[str, Any]) -> str:
    """Return what is equal where a notebook would run alike: its cells, its parameters, and optkit's version."""
    told = json.dumps([tutorial.source, settings, optkit.__version__], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def keep(notebook: NotebookNode, path: Path, outcome: Outcome, of: str) -> None:
    """Write an executed notebook with its outcome, and the digest `of` what it is the outcome of.

    The state of its widgets is left out: a widget without a kernel shows nothing, and it can be megabytes.
    """
    import nbformat

    notebook.metadata.pop("widgets", None)
    notebook.metadata[STAMP] = {"digest": of, "version": optkit.__version__, **outcome.to_json()}
    written = path.with_name(f".{path.name}.new")
    # A half of a character, which an output may hold, becomes its escape in JSON.
    written.write_bytes(nbformat.writes(notebook).encode(errors="backslashreplace"))  # type: ignore[no-untyped-call]
    os.replace(written, path)  # noqa: PTH105 - so that a file under this name is whole at any moment


def kept(path: Path, of: str) -> Outcome | None:
    """Return the outcome that was kept for the same digest, if the notebook passed."""
    stamp = _stamp(path)
    if stamp is None or stamp.get("digest") != of or stamp.get("status") != "passed":
        return None
    seconds, peak_bytes, cpu_s = (stamp.get(name) for name in ("seconds", "peak_bytes", "cpu_s"))
    if any(number is not None and not isinstance(number, int | float) for number in (seconds, peak_bytes, cpu_s)):
        return None
    is_lower_bound = stamp.get("is_lower_bound") is True
    return Outcome("passed", None, seconds, peak_bytes, cpu_s, is_lower_bound=is_lower_bound, is_kept=True)


def check_folder(folder: Path, tutorials: Sequence[Tutorial]) -> None:
    """Refuse a folder for executed notebooks in which something else would be overwritten.

    Raises
    ------
    UsageError
        If it is no folder, or holds another notebook of the same name.
    """
    if any(one.exists() and not one.is_dir() for one in (folder, *folder.parents)):
        raise UsageError(f"{folder} is no folder; give --output another one.")
    for tutorial in tutorials:
        path = folder / tutorial.path.name
        if path.exists() and _stamp(path) is None:
            raise UsageError(
                f"{path} was not written by optkit notebooks and would be lost; give --output another one."
            )


def _stamp(path: Path) -> dict[str, Any] | None:
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))["metadata"][STAMP]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return stamp if isinstance(stamp, dict) and "digest" in stamp else None


def _says_something(output: Any) -> bool:
    return bool(str(output.text).strip()) if output.output_type == "stream" else bool(output.get("data"))


def _last_line(error: Any) -> str:
    lines = [line for line in text.COLOURS.sub("", str(error.evalue)).splitlines() if line.strip()]
    return text.one_line(f"{error.ename}: {lines[-1].strip()}" if lines else error.ename, limit=LONGEST_REASON)
