"""Question: something that is asked about the model at hand, with a button, and the page that answers it."""

from __future__ import annotations

import contextvars
import threading
import time
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from optkit import text
from optkit.errors import OptkitError
from optkit.investigation import Investigation, StoppedError
from optkit.widgets.html import Html
from optkit.widgets.parts import box, button

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.workload import Workload


class Question(ipywidgets.VBox):  # type: ignore[misc]
    """What it is about, a button that asks, one that stops, and below them the answer.

    Parameters
    ----------
    name
        What stands on the button.
    said
        What is asked, and what that takes; a sentence.
    workload
        Returns what to ask about, when the button is pressed.
    ask
        Answers with the workers of an investigation; the answer shows itself as HTML, as in a notebook's cell.
    controls
        What stands before the button, for what else is to be chosen.

    Attributes
    ----------
    answer
        The latest one; None before.
    busy
        Whether it is being answered; a trait.
    """

    busy = traitlets.Bool(default_value=False)

    def __init__(
        self,
        name: str,
        said: str,
        workload: Callable[[], Workload],
        ask: Callable[[Investigation], Any],
        *controls: ipywidgets.Widget,
    ) -> None:
        self.answer: Any = None
        self._said, self._workload, self._ask, self._controls = said, workload, ask, controls
        self._page, self._status = Html(), Html(role="status")
        self._button = button(name, said)
        self._stop_button = button("Stop", "End this, and keep what is known where that is an answer", disabled=True)
        self._looking: Investigation | None = None
        self._over = threading.Event()
        self._over.set()
        row = box(ipywidgets.HBox, "optkit-asking", self._status, *self._controls, self._stop_button, self._button)
        super().__init__([row, self._page])
        self._button.on_click(lambda _: self.look())
        self._stop_button.on_click(lambda _: self.stop())
        self._say(said)

    @property
    def disabled(self) -> bool:
        """Whether nothing can be asked now."""
        return bool(self._button.disabled)

    @disabled.setter
    def disabled(self, value: bool) -> None:
        for part in (self._button, *self._controls):
            part.disabled = value or self.busy

    def clear(self) -> None:
        """Forget the answer: something else is looked at now."""
        self.answer, self._page.html = None, ""
        self._say(self._said)

    def look(self) -> None:
        """Begin to look, in a thread of its own, and return at once; see `wait`. Does nothing while it is at it."""
        if self.busy:
            return
        try:
            looking = self._looking = Investigation(self._workload(), tell=self._tell)
        except OptkitError as error:
            self._say(str(error))
            return
        self._over.clear()
        self.busy = True
        self.disabled, self._stop_button.disabled = True, False
        context = contextvars.copy_context()  # widgets find their kernel's session through it
        threading.Thread(target=context.run, args=(self._look, looking), name="optkit-question", daemon=True).start()

    def stop(self) -> None:
        """End it; what is known by then stays, where that is an answer."""
        self._stop_button.disabled = True
        if self._looking is not None:
            self._looking.stop()

    def wait(self) -> Any:
        """Block until there is an answer, and return it; at once where nothing is going on."""
        self._over.wait()
        return self.answer

    def _look(self, looking: Investigation) -> None:
        began = time.monotonic()
        try:
            self.answer = self._ask(looking)
            self._page.html = self.answer._repr_mimebundle_()["text/html"]
            self._say(f"Answered in {text.duration(time.monotonic() - began)}.")
        except StoppedError:
            self._say("Stopped before there was an answer.")
        except OptkitError as error:
            self._say(str(error))
        except BaseException as error:
            self._say(f"optkit failed with {type(error).__name__}: {error}")
            raise
        finally:
            self._looking = None
            self._stop_button.disabled = True
            self.busy = False
            self.disabled = False
            self._over.set()

    def _tell(self, doing: str) -> None:
        clock = '<small data-elapsed-s="0" data-running="1" aria-hidden="true"></small>'  # not read out every second
        self._status.html = f'<p class="optkit-asked">{escape(doing)} … {clock}</p>'

    def _say(self, said: str) -> None:
        self._status.html = f'<p class="optkit-asked">{escape(said)}</p>'
