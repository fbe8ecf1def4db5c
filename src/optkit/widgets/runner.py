"""Runner: a study in a thread of its own, because a click has to return at once."""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.events import Event
    from optkit.study import Study

INTERRUPT_S = 0.5


class Runner:
    """Runs a study once it is started.

    Parameters
    ----------
    study
        What to run.
    told
        Is given each event, in the runner's thread: nothing else should touch the widgets meanwhile.
    ended
        Is called there when it is over, before `wait` returns.

    Attributes
    ----------
    study
        The study; None when it is over.
    error
        What it raised, if anything; `ended` and `told` can raise as well.
    is_stopping
        Whether it was asked to stop.
    """

    def __init__(self, study: Study, told: Callable[[Event], None], ended: Callable[[], None]) -> None:
        self.study: Study | None = study
        self.error: BaseException | None = None
        self.is_stopping = False
        self._told, self._ended = told, ended
        self._over = threading.Event()  # not Thread.join: an interrupt of that marks a living thread as ended

    def start(self) -> None:
        """Start measuring, and return at once."""
        # Widgets find their kernel's session through context variables, which a plain thread would not have.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._run, self.study), name="optkit-study", daemon=True).start()

    def stop(self) -> None:
        """End the study; what was measured stays."""
        study = self.study  # its thread lets go of it when it ends
        if study is not None:
            self.is_stopping = True
            study.stop()

    def wait(self) -> None:
        """Block until it is over. An interrupt (■) ends the study cleanly."""
        try:
            self._await()
        except KeyboardInterrupt:
            self.stop()
            self._await()

    def _await(self) -> None:
        while not self._over.wait(INTERRUPT_S):  # a signal that another thread received is seen between two waits
            pass

    def _run(self, study: Study) -> None:
        try:
            for event in study:
                self._told(event)
        except BaseException as error:  # noqa: BLE001 - it is shown, and raised again by whoever waits
            self.error = error
        finally:
            self.study = None
            try:
                self._ended()
            except BaseException as error:  # noqa: BLE001
                self.error = self.error or error
            finally:
                self._over.set()
