"""A sweep in a terminal: how far it is, what is measured now, and the leaderboard at its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from optkit import text
from optkit.sweeps import page
from optkit.sweeps.live import REFRESH_S, Clock
from optkit.sweeps.sweeping import collect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from optkit.sweeps.result import SweepResult
    from optkit.sweeps.sweeping import Sweep
    from optkit.sweeps.told import SweepEvent

PIPED_WIDTH = 180


def show(sweep: Sweep, *, to_stderr: bool = False) -> SweepResult:
    """Run a sweep and print what came of it; live in a terminal, elsewhere a line a study."""
    console = _console(to_stderr=to_stderr)
    if not console.is_terminal:
        console = _console(to_stderr=to_stderr, width=PIPED_WIDTH)
    clock = Clock()
    if console.is_terminal:
        result = _show_live(sweep, console, clock)
    else:
        said = _Lines(console, clock)
        result = collect(sweep, said.seen)
    print_result(result, console)
    console.print(_over(sweep, clock), style="dim")
    return result


def _console(*, to_stderr: bool, width: int | None = None) -> Console:
    """Return a console that prints what it is given, and takes no part of it for markup."""
    return Console(stderr=to_stderr, width=width, markup=False, emoji=False, highlight=False)


def _over(sweep: Sweep, clock: Clock) -> str:
    result = sweep.result
    said = f"{result.count('done')} of {len(result.items)} measured in {text.clock(clock.elapsed_s)}"
    if failed := len(result.unanswered()):
        said += f", {failed} failed"
    if result.known:
        said += f", {len(result.known)} of them before; --again measures these anew"
    lost = f" Nodes were lost {result.lost} time{'s' * (result.lost != 1)}." if result.lost else ""
    kept = f" These runs are not in the history. {sweep.not_kept}" if sweep.not_kept else ""
    return f"{said}.{lost}{kept}"


def _show_live(sweep: Sweep, console: Console, clock: Clock) -> SweepResult:
    last = 0.0
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def seen(_: SweepEvent, result: SweepResult) -> None:
            nonlocal last
            if time.monotonic() - last >= REFRESH_S:
                last = time.monotonic()
                live.update(_now(result, clock), refresh=True)

        return collect(sweep, seen)


def _now(result: SweepResult, clock: Clock) -> RenderableType:
    """Return what is measured now, with the leaderboard so far above it."""
    running = Table(box=None, pad_edge=False, show_header=False)
    for number, item in enumerate(result.items):
        if result.state(number) == "running":
            running.add_row(
                Text(item.name), Text(page.doing(result.comparisons[number])), Text(result.nodes.get(number, ""))
            )
    left = clock.left_s(result)
    told = f"{result.count('done')} of {len(result.items)} measured · {text.clock(clock.elapsed_s)}"
    told += "" if left is None else f" · about {text.clock(left)} left"
    return Group(*_tables(result), running, Text(result.waits_for or told, style="dim"))


class _Lines:
    """Without a terminal: one line as a study begins, and one as it ends."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self.console, self.clock = console, clock
        self.states: dict[int, str] = {}

    def seen(self, told: SweepEvent, result: SweepResult) -> None:
        if told.kind in ("waiting", "lost"):
            self._print(told.said if told.number is None else f"{result.items[told.number].name}: {told.said}")
        if told.number is None or (state := result.state(told.number)) == self.states.get(told.number):
            return
        self.states[told.number] = state
        begins = "" if told.kind == "known" else "begins"
        words = {"running": begins, "refused": told.said, "stopped": "stopped"}.get(state, "")
        if state in ("done", "failed"):
            words = result.comparisons[told.number].answer()
            words = f"measured before. {words}" if told.kind == "known" else words
        if words:
            self._print(f"{result.items[told.number].name}: {words}")

    def _print(self, words: str) -> None:
        self.console.print(f"[{self.clock.elapsed_s:5.0f} s] {words}")


def print_result(result: SweepResult, console: Console) -> None:
    """Print the leaderboard, what failed, and the answer."""
    for table in _tables(result):
        console.print(table)
    for name, meaning in page.doubted(result):
        console.print(f"{name}: {meaning}", style="dim")
    for name, reason in page.failed(result):
        console.print(f"{name} {reason}")
    console.print()
    console.print(result.answer(), style="bold")


def _tables(result: SweepResult) -> list[RenderableType]:
    """Return the leaderboard, a table for each machine."""
    rows = [row for row in result.leaders() if row["best"] is not None]
    drawn: list[RenderableType] = []
    for machine in dict.fromkeys(row["machine"] for row in rows):
        table = Table(box=None, pad_edge=False, header_style="bold", title=Text(machine), title_justify="left")
        for title in page.HEAD:
            numeric = title not in page.WORDS
            table.add_column(title, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
        for row in rows:
            if row["machine"] == machine:
                table.add_row(*map(Text, page.leader_cells(row)))
        drawn.append(table)
    return drawn
