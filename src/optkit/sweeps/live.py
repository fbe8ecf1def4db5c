"""A sweep in a notebook while it runs: an output that is replaced as it grows, so that it needs no widgets."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from optkit.sweeps import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from optkit.sweeps.result import SweepResult
    from optkit.sweeps.sweeping import Sweep
    from optkit.sweeps.told import SweepEvent

REFRESH_S = 1.0


class Clock:
    """How long a sweep has taken, and about how long it will: as what is done took, on as many nodes as are busy."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the sweep began."""
        return time.monotonic() - self.began

    def left_s(self, result: SweepResult) -> float | None:
        """Return about how many seconds are left; None before a first study is done."""
        fresh = result.count("done") - len(result.known)
        left = result.count("waiting") + 0.5 * result.count("running")
        return self.elapsed_s / fresh * left if fresh > 0 else None


@contextlib.contextmanager
def shown(sweep: Sweep) -> Iterator[Callable[[SweepEvent, SweepResult], None] | None]:
    """Yield what shows the sweep in the output of a cell while it runs; None where there is no notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        yield None
        return
    handle = _Output(page.live(sweep.result, 0.0, None))
    clock, last = Clock(), 0.0

    def seen(told: SweepEvent, result: SweepResult) -> None:
        nonlocal last
        ended = told.event is not None and result.state(told.number or 0) != "running" and told.kind == "event"
        if time.monotonic() - last >= REFRESH_S or ended:
            last = time.monotonic()
            handle.update(page.live(result, clock.elapsed_s, clock.left_s(result)))

    try:
        yield seen
    finally:
        handle.update(page.over(sweep.result, clock.elapsed_s, sweep.not_kept))


class _Output:
    """A piece of HTML in the output of a cell that can be replaced."""

    def __init__(self, html: str) -> None:
        from IPython import display

        self._display: Any = display
        self._handle = self._display.display(self._display.HTML(html), display_id=True)

    def update(self, html: str) -> None:
        """Show this in its place."""
        self._handle.update(self._display.HTML(html))
