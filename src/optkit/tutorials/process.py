"""Runs one notebook in a process of its own, watches all that it starts, and ends all of it.

The notebook's temporary files, connection files and, for a tutorial, its working folder lie in a private folder that is
gone afterwards: nothing is written beside the original. A notebook of the user's own works in its own folder, as in
JupyterLab, because its data may lie there.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import text
from optkit.errors import UsageError
from optkit.tutorials import finding
from optkit.tutorials.executed import Failure, Outcome, Status, failure
from optkit.tutorials.process_tree import Watch
from optkit.tutorials.program import NEWS, OUT, TASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbformat import NotebookNode

    from optkit.tutorials.finding import Tutorial

LOOKS_S = 0.5
PATIENCE_S = 10.0
"""The process has so long to end what it runs, before all of it is killed."""
TEMPORARY, WORK, SAID, RUNTIME = "tmp", "work", "said", "runtime"


class Progress(NamedTuple):
    """How far the notebook is that runs now."""

    seconds: float
    cell: int
    of: int
    peak_bytes: int | None


class _Ending(NamedTuple):
    """How the process ended: by itself, because its time was up, or because the user said so."""

    is_over_time: bool = False
    is_stopped: bool = False


def execute(
    tutorial: Tutorial, settings: dict[str, Any], limit_s: float, tell: Callable[[Progress], None]
) -> tuple[Outcome, NotebookNode | None]:
    """Run a notebook; an interrupt ends it, and is told as the outcome.

    Returns
    -------
    tuple
        How it went, and the executed notebook as far as it got.
    """
    with tempfile.TemporaryDirectory(prefix="optkit-notebook-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for inner in (TEMPORARY, WORK, RUNTIME):
            (folder / inner).mkdir(mode=0o700)
        cwd = tutorial.path.parent.absolute() if tutorial.is_own else folder / WORK
        task = {"notebook": str(tutorial.path.absolute()), "settings": settings, "cwd": str(cwd)}
        (folder / TASK).write_text(json.dumps(task), encoding="utf-8")
        began = time.monotonic()
        with _started(folder) as process:
            watch = Watch(process.pid)
            ending = _wait(process, watch, folder / NEWS, limit_s, tell)
        seconds = time.monotonic() - began
        try:
            notebook = finding.load(folder / OUT)
        except UsageError:  # it was ended before anything was saved
            notebook = None
        told = _news(folder / NEWS)
        status, why = _judged(ending, told, notebook, limit_s, folder / SAID)
        outcome = Outcome(
            status,
            why,
            seconds=seconds,
            peak_bytes=watch.peak_bytes,
            cpu_s=max(watch.cpu_s, told.get("cpu_s", 0.0)),
            is_lower_bound="cpu_s" not in told,
            left=tuple(text.one_line(name) for name in told.get("left", ()) if status == "passed"),
        )
        return outcome, notebook


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = os.environ | {"TMPDIR": str(folder / TEMPORARY), "JUPYTER_RUNTIME_DIR": str(folder / RUNTIME)}
    with (folder / SAID).open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "optkit.tutorials.program", str(folder)],
            stdin=subprocess.PIPE,  # closes when this process ends, however it does
            stdout=said,
            stderr=said,
            env=environ,
            start_new_session=True,  # Ctrl-C is for this process, which ends the other one
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _wait(
    process: subprocess.Popen[bytes], watch: Watch, news: Path, limit_s: float, tell: Callable[[Progress], None]
) -> _Ending:
    """Wait for the end, or for a reason to bring it about; nothing that was started is left afterwards."""
    began = time.monotonic()
    try:
        while process.poll() is None:
            watch.look()
            told = _news(news)
            seconds = time.monotonic() - began
            tell(Progress(seconds, told.get("cell", 0), told.get("of", 0), watch.peak_bytes))
            if seconds > limit_s:
                return _Ending(is_over_time=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(min(LOOKS_S, max(limit_s - seconds, 0.01)))
    except KeyboardInterrupt:
        return _Ending(is_stopped=True)
    else:
        return _Ending()
    finally:
        try:
            if process.stdin is not None:
                process.stdin.close()  # which it takes for the wish that it end
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)
        finally:
            watch.kill()


def _news(path: Path) -> dict[str, Any]:
    """Return the last value of everything that was told; half a line is still being written."""
    told: dict[str, Any] = {}
    with contextlib.suppress(OSError):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                told |= json.loads(line)
    return told


def _judged(
    ending: _Ending, told: dict[str, Any], notebook: NotebookNode | None, limit_s: float, said: Path
) -> tuple[Status, Failure | None]:
    cell = told.get("cell")
    if ending.is_stopped:
        return "stopped", Failure("It was interrupted.", cell)
    if ending.is_over_time:
        return "failed", Failure(f"It was ended after its limit of {limit_s:g} s; --limit gives it more.", cell)
    trouble = Failure(told["trouble"], cell) if told.get("trouble") else None
    if not told.get("over"):
        lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
        trouble = Failure(f"The process that ran it died: {text.one_line(lines[-1], limit=text.LONGEST_NAME)}", cell)
    if notebook is None:
        return "failed", trouble or Failure("Papermill wrote no notebook.")
    why = failure(notebook, trouble)
    return ("passed", None) if why is None else ("failed", why)
