"""Question: something that is asked about the model at hand, with a button, and the page that answers it."""

from __future__ import annotations

import contextvars
import threading
import time
from html import escape
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from optkit import text
from optkit.errors import OptkitError
from optkit.investigation import Investigation, StoppedError
from optkit.widgets.static_files import module, stylesheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.workload import Workload


class Question(anywidget.AnyWidget):
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
    field
        Label, tooltip and value of a text that can be typed in, if any.

    Attributes
    ----------
    answer
        The latest one; None before.
    value
        What is in the field.
    busy, disabled
        Whether it is being answered, and whether it cannot be asked now; traits.
    """

    _esm = module("dom.js", "page.js", "question.js")
    _css = stylesheet("optkit.css")
    _name = traitlets.Unicode("").tag(sync=True)
    _field: traitlets.Dict[str, str] = traitlets.Dict().tag(sync=True)
    _status = traitlets.Unicode("").tag(sync=True)
    _answer = traitlets.Unicode("").tag(sync=True)
    value = traitlets.Unicode("").tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(
        self,
        name: str,
        said: str,
        workload: Callable[[], Workload],
        ask: Callable[[Investigation], Any],
        *,
        field: tuple[str, str, str] | None = None,
    ) -> None:
        self.answer: Any = None
        self._said, self._workload, self._ask = said, workload, ask
        self._looking: Investigation | None = None
        self._over = threading.Event()
        self._over.set()
        label, title, value = field or ("", "", "")
        super().__init__(_name=name, _field={"label": label, "title": title} if field else {}, value=value)
        self._say(said)
        self.on_msg(self._receive)

    def clear(self) -> None:
        """Forget the answer: something else is looked at now."""
        self.answer, self._answer = None, ""
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
        context = contextvars.copy_context()  # widgets find their kernel's session through it
        threading.Thread(target=context.run, args=(self._look, looking), name="optkit-question", daemon=True).start()

    def stop(self) -> None:
        """End it; what is known by then stays, where that is an answer."""
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
            self._answer = self.answer._repr_mimebundle_()["text/html"]
            self._say(f"{looking.workload.name}: answered in {text.duration(time.monotonic() - began)}.")
        except StoppedError:
            self._say("Stopped before there was an answer.")
        except OptkitError as error:
            self._say(str(error))
        except BaseException as error:
            self._say(f"optkit failed with {type(error).__name__}: {error}")
            raise
        finally:
            self._looking = None
            self.busy = False
            self._over.set()

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("op") == "ask" and not self.disabled:
            self.look()
        elif content.get("op") == "stop":
            self.stop()

    def _tell(self, doing: str) -> None:
        clock = '<small data-elapsed-s="0" data-running="true" aria-hidden="true"></small>'  # not read out every second
        self._status = f"<p>{escape(doing)} … {clock}</p>"

    def _say(self, said: str) -> None:
        self._status = f"<p>{escape(said)}</p>"
