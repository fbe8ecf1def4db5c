"""A study in a terminal: a table that grows while it runs, and the answer below it."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from optkit import answers, cells, environment, text
from optkit.answers import ENDINGS
from optkit.comparison import Comparison
from optkit.engines import ENGINES
from optkit.events import PhaseBegan, StudyEnded, Waiting
from optkit.phases import PHASE_WORDS, TIMED_PHASES
from optkit.presets import PRESETS, resolve
from optkit.study import collect
from optkit.variant import MODIFIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from rich.console import RenderableType

    from optkit.events import Event
    from optkit.measurement import Measurement
    from optkit.study import Study

__all__ = ["print_comparison", "print_history", "print_variants", "progress", "show"]

REFRESH_S = 0.5
PIPED_WIDTH = 180


class _View:
    """What `rich` draws: the table as of the last event, and a status line whose clock is right whenever it asks."""

    def __init__(self, budget_s: float) -> None:
        self.comparison = Comparison()
        self.table = table(self.comparison)
        self.budget_s = budget_s
        self.began = self.phase_began = time.monotonic()

    def __rich__(self) -> RenderableType:
        return Group(self.table, Text(self.status(), style="dim"))

    def status(self) -> str:
        elapsed = time.monotonic() - self.began
        now = self.comparison.now
        if self.comparison.ended_because is not None:
            return ""
        if self.comparison.waits_for is not None:
            return f"waiting until the study of {self.comparison.waits_for} is over"
        if now is None:
            return "starting"
        said = f"{PHASE_WORDS[now.phase]} · {now.variant}"
        if now.phase == "rounds" and (now.round_number or 0) <= (now.round_limit or 0):
            said = f"round {now.round_number} of at most {now.round_limit} · {said}"
        elif now.phase not in TIMED_PHASES:
            said += f" · {time.monotonic() - self.phase_began:.0f} s"
        noise = self.comparison.noise
        known = "" if noise is None else f" · machine noise {noise:.1%}"
        return f"{said} · {elapsed:.0f} s of {self.budget_s:g} s{known}"


class _Ticker:
    """Redraws once a second while it is allowed to."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.running = threading.Event()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._tick, daemon=True)
        self.thread.start()

    def _tick(self) -> None:
        while not self.over.is_set():
            self.running.wait()  # sleeps without waking while something is timed
            if not self.over.wait(1.0):
                self.live.refresh()

    def end(self) -> None:
        """Stop ticking."""
        self.over.set()
        self.running.set()
        self.thread.join()


def show(study: Study, *, to_stderr: bool = False) -> Comparison:
    """Run a study with a live table and print the answer; plain lines where there is no terminal."""
    console = _console(to_stderr=to_stderr)
    if not console.is_terminal:
        console = _console(to_stderr=to_stderr, width=PIPED_WIDTH)
    view = _View(study.plan.budget_s)
    if console.is_terminal:
        comparison = _show_live(study, console, view)
    else:
        comparison = collect(study, lambda event, _: _print_progress(event, console, view))
    if not console.is_terminal:
        console.print(table(comparison))
    _print_answer(comparison, console)
    if comparison.not_kept is not None:
        console.print(f"This run is not in the history. {comparison.not_kept}")
    return comparison


def print_comparison(comparison: Comparison) -> None:
    """Print a comparison as `show` does at its end."""
    console = _console()
    if not console.is_terminal:
        console = _console(width=PIPED_WIDTH)
    console.print(table(comparison))
    _print_answer(comparison, console)


def print_history(frame: pd.DataFrame) -> None:
    """Print the runs that are kept, one a line."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "started", "model", "torch"):
        drawn.add_column(name, no_wrap=True)
    for name in ("ended because", "answer"):
        drawn.add_column(name, overflow="fold")
    for row in frame.to_dict("records"):
        ended = dict[Any, str](ENDINGS).get(row["ended_because"], "it goes on")
        started = str(row["started"])[: len("2026-01-01 00:00")]
        told = (row["run_id"], started, row["model"], row["torch"], ended, row["answer"])
        drawn.add_row(*(Text(str(one) if isinstance(one, str) else "–") for one in told))
    console = _console()
    if not console.is_terminal:
        console = _console(width=PIPED_WIDTH)
    console.print(drawn if len(frame) else "No run is kept yet.")


def _console(*, to_stderr: bool = False, width: int | None = None) -> Console:
    """Return a console that prints what it is given, and takes no part of it for markup."""
    return Console(stderr=to_stderr, width=width, markup=False, emoji=False, highlight=False)


def _show_live(study: Study, console: Console, view: _View) -> Comparison:
    # The table is drawn between turns only. While something compiles nothing is timed, so the clock may tick then.
    with Live(view, console=console, auto_refresh=False, transient=False) as live:
        ticker = _Ticker(live)
        last = 0.0

        def seen(event: Event, comparison: Comparison) -> None:
            nonlocal last
            view.comparison = comparison
            waiting = isinstance(event, Waiting) or (isinstance(event, PhaseBegan) and event.phase not in TIMED_PHASES)
            if isinstance(event, PhaseBegan | Waiting):
                view.phase_began = time.monotonic()
                ticker.running.set() if waiting else ticker.running.clear()
            if waiting or isinstance(event, StudyEnded) or time.monotonic() - last >= REFRESH_S:
                last = time.monotonic()
                view.table = table(comparison)
                live.refresh()

        try:
            return collect(study, seen)
        finally:
            ticker.end()
            live.refresh()


def _print_progress(event: Event, console: Console, view: _View) -> None:
    """Without a terminal: one line a phase, none a turn."""
    if isinstance(event, Waiting):
        console.print(f"Waiting until the study of {event.holder} is over.")
    if isinstance(event, PhaseBegan) and not event.twin and event.phase in ("import", "probe", "first_call"):
        elapsed = time.monotonic() - view.began
        console.print(f"[{elapsed:5.0f} s] {PHASE_WORDS[event.phase]} · {event.variant}")


def table(comparison: Comparison) -> Table:
    """Return the table: in the order of the study while it runs, the fastest first when it is over."""
    over = comparison.ended_because is not None
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("variant", overflow="fold")
    drawn.add_column("verdict", no_wrap=True)
    for name in ("speed-up", "95 %", "median", "first call", "start-up", "pays off after", "memory", "rounds"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("outputs", no_wrap=True)
    measured = any(m.check is not None and "metric" in m.check.details for m in comparison.measurements.values())
    if measured:
        drawn.add_column("evaluate", justify="right", no_wrap=True)
    drawn.add_column("doubts", overflow="fold")
    for measurement in comparison.ranked() if over else comparison.measurements.values():
        # As Text: rich would read a string as markup, and show "[bold]" or ":bug:" in a name as something else.
        drawn.add_row(*map(Text, _cells(measurement, measured=measured)))
    return drawn


def _cells(m: Measurement, *, measured: bool) -> list[str]:
    return [
        m.variant,
        cells.verdict(m),
        cells.speedup(m),
        cells.interval(m) or "–",
        text.duration(m.median_s),
        text.duration(m.first_call_s),
        cells.startup(m),
        cells.break_even(m),
        cells.memory(m),
        str(m.rounds or "–"),
        m.agreement or "–",
        *(["–" if m.metric is None else f"{m.metric:.4g}"] if measured else []),
        "\n".join(doubt.name for doubt in m.doubts),
    ]


def _print_answer(comparison: Comparison, console: Console) -> None:
    console.print()
    console.print(comparison.answer(), style="bold")
    if known := answers.machine(comparison):
        console.print(f"{known[0].upper()}{known[1:]}.")
    for m in comparison.measurements.values():
        if m.reason:
            place = f" ({PHASE_WORDS[m.failed_phase]})" if m.failed_phase else ""
            console.print(f"{m} {m.status}{place}: {m.reason}")
    _print_doubts(comparison, console)
    if comparison.ended_because is not None:
        console.print(f"The study ended because {ENDINGS[comparison.ended_because]}.", style="dim")


def _print_doubts(comparison: Comparison, console: Console) -> None:
    """Print each remedy once, with the variants that it is for."""
    whose: dict[tuple[str, str], list[str]] = {}
    for m in comparison.measurements.values():
        for doubt, remedy in m.remedies.items():
            whose.setdefault((doubt.name, remedy), []).append(str(m))
    for (name, remedy), variants in whose.items():
        names = "all" if len(variants) == len(comparison.measurements) > 1 else ", ".join(variants)
        console.print(f"{name} ({names}): {remedy}")


def print_variants() -> None:
    """Print engines, modifiers and presets, with what stands against each on this machine."""
    console = _console()
    here = environment.detect()
    console.print("Engines and their settings", style="bold")
    for name, engine in ENGINES.items():
        console.print(f"  {name:<13}{', '.join(engine.keys()) or 'no settings'}")
    console.print("\nModifiers", style="bold")
    console.print(f"  +{MODIFIERS.replace(', ', ', +')}")
    console.print("\nPresets", style="bold")
    for name, (meaning, _) in PRESETS.items():
        console.print(f"  {name:<14}{meaning}")
        for variant in resolve(name, here):
            console.print(f"      {variant}")
            for problem in variant.problems(here):
                console.print(f"          {problem}", style="dim")


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows what is being done, on stderr; in a terminal as one line, which is gone at the end.

    It draws only when it is told something: a clock of its own would disturb what is timed.
    """
    console = _console(to_stderr=True)
    if not console.is_terminal:
        yield lambda said: console.print(Text(said))
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda said: live.update(Text(f"{said} …", style="dim"), refresh=True)
