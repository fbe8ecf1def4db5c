"""Notebooks in a terminal: a table that grows while they run, plain lines where there is no terminal, and a list."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from optkit import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.tutorials.batch import Batch
    from optkit.tutorials.executed import Outcome, Result
    from optkit.tutorials.finding import Tutorial
    from optkit.tutorials.process import Progress

DRAWN_EVERY_S = 1.0
"""More often would take processor time from what is measured in the notebook."""
PIPED_WIDTH = 180
MEMORY_NOTE = (
    "Peak memory is that of all processes of a notebook together, looked at twice a second: a shorter peak is missed."
)
BOUND_NOTE = "≥: processes ended that nobody had counted yet, so there was at least so much."


def run(batch: Batch, *, to_stderr: bool) -> None:
    """Run notebooks, show how far they are, and print the summary."""
    console = _console(to_stderr=to_stderr)
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            batch.run(_Drawn(batch, live))
    else:
        batch.run(_Printed(batch, console))
    console.print(summary(batch.results))
    for note in notes(batch.results):
        console.print(note, style="dim")
    console.print(f"Executed notebooks: {text.one_line(str(batch.folder))}")


class _Drawn:
    """Draws the table anew, at most once a second."""

    def __init__(self, batch: Batch, live: Live) -> None:
        self.batch, self.live = batch, live
        self.last = 0.0

    def __call__(self, tutorial: Tutorial, progress: Progress | None) -> None:
        if progress is not None and time.monotonic() - self.last < DRAWN_EVERY_S:
            return
        self.last = time.monotonic()
        now = f"{tutorial.name} · {self.batch.place(tutorial)} · {_far(progress)}"
        parts = [summary(self.batch.results)] if self.batch.results else []
        self.live.update(Group(*parts, Text(now, style="dim")), refresh=True)


class _Printed:
    """Prints a line when a notebook begins, and before it how it went with the last one."""

    def __init__(self, batch: Batch, console: Console) -> None:
        self.batch, self.console = batch, console
        self.told = 0

    def __call__(self, tutorial: Tutorial, progress: Progress | None) -> None:
        if progress is None:
            for result in self.batch.results[self.told :]:
                self.console.print("    ".join(filter(None, cells(result))))
            self.told = len(self.batch.results)
            self.console.print(f"[{self.batch.place(tutorial)}] {tutorial.name}: {tutorial.title}")


def _far(progress: Progress | None) -> str:
    if progress is None or not progress.of:
        return "the kernel starts"
    return f"cell {progress.cell} of {progress.of} · {progress.seconds:.0f} s"


def summary(results: Sequence[Result]) -> Table:
    """Return the table of what has been run."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("notebook", no_wrap=True)
    drawn.add_column("result", no_wrap=True)
    for name in ("time", "peak memory", "CPU time"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("what happened", overflow="fold")
    for result in results:
        # As Text: rich would read a string as markup, and show "[bold]" in a name as something else.
        drawn.add_row(*map(Text, cells(result)))
    return drawn


def cells(result: Result) -> tuple[str, str, str, str, str, str]:
    """Return the row of one notebook."""
    outcome = result.outcome
    return (
        result.tutorial.name,
        word(outcome),
        text.duration(outcome.seconds),
        "–" if outcome.peak_bytes is None else text.size(outcome.peak_bytes),
        cpu_time(outcome),
        happened(outcome),
    )


def word(outcome: Outcome) -> str:
    """Return how it went in a word or two."""
    return "passed earlier" if outcome.is_kept else outcome.status


def cpu_time(outcome: Outcome) -> str:
    """Return the processor time, marked where some of it may be missing."""
    return f"{'≥ ' * outcome.is_lower_bound}{text.duration(outcome.cpu_s)}" if outcome.cpu_s else "–"


def happened(outcome: Outcome) -> str:
    """Return what else there is to say."""
    if outcome.failure is not None:
        return str(outcome.failure)
    return f"It left {', '.join(outcome.left)} running, which was ended." if outcome.left else ""


def notes(results: Sequence[Result]) -> list[str]:
    """Return what has to be known to read the table."""
    return [
        *([MEMORY_NOTE] if any(result.outcome.peak_bytes for result in results) else []),
        *([BOUND_NOTE] if any(result.outcome.is_lower_bound for result in results) else []),
    ]


def print_list(tutorials: Sequence[Tutorial]) -> None:
    """Print notebooks with their titles and parameters."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("notebook", no_wrap=True)
    for name in ("title", "parameters"):
        drawn.add_column(name, overflow="fold")
    for tutorial in tutorials:
        parameters = tutorial.parameters or {}
        told = ", ".join(f"{name}={default}" for name, default in parameters.items()) or "none"
        drawn.add_row(*map(Text, (tutorial.name, tutorial.title, told)))
    _console(to_stderr=False).print(drawn)


def _console(*, to_stderr: bool) -> Console:
    """Return a console that prints what it is given, and takes no part of it for markup."""
    console = Console(stderr=to_stderr, markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        return console
    return Console(stderr=to_stderr, width=PIPED_WIDTH, markup=False, emoji=False, highlight=False)
