"""Why: a button that has torch.compile explained for the model at hand, and the page that it fills."""

from __future__ import annotations

import contextvars
import threading
from html import escape
from typing import TYPE_CHECKING

import ipywidgets

from optkit import diagnosis, diagnosis_page
from optkit.errors import OptkitError
from optkit.widgets.html import Html
from optkit.widgets.parts import button

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.diagnosis import Diagnosis
    from optkit.variant import Variant
    from optkit.workload import Workload

TITLE = "Find graph breaks and recompiles of {}, each with the line of your code; this compiles it once more"


class Why(ipywidgets.VBox):  # type: ignore[misc]
    """The button, and below it what was found.

    Parameters
    ----------
    choose
        Returns what to look at when the button is pressed: the workload, and a variant of torch.compile.

    Attributes
    ----------
    diagnosis
        The latest one; None before.
    """

    def __init__(self, choose: Callable[[], tuple[Workload, Variant]]) -> None:
        self._choose = choose
        self.diagnosis: Diagnosis | None = None
        self._page = Html(role="status")
        self._button = button("Why?", TITLE.format("a variant"))
        self._thread: threading.Thread | None = None
        super().__init__([self._button, self._page])
        self._button.on_click(lambda _: self.look())

    @property
    def disabled(self) -> bool:
        """Whether the button cannot be pressed."""
        return bool(self._button.disabled)

    @disabled.setter
    def disabled(self, value: bool) -> None:
        self._button.disabled = value or (self._thread is not None and self._thread.is_alive())

    def clear(self) -> None:
        """Forget what was found: something else is looked at now."""
        self.diagnosis, self._page.html = None, ""

    def look(self) -> None:
        """Begin to look, in a thread of its own, and return at once; see `wait`."""
        context = contextvars.copy_context()  # widgets find their kernel's session through it
        self._button.disabled = True
        self._thread = threading.Thread(target=context.run, args=(self._look,), name="optkit-why", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Block until it has been found out; at once where nothing is going on."""
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        try:
            workload, variant = self._choose()
            self._page.html = f"<p>Calling <code>{escape(str(variant))}</code> in a process of its own …</p>"
            self.diagnosis = diagnosis.diagnose(workload, variant=variant)
            self._page.html = diagnosis_page.html(self.diagnosis)
        except OptkitError as error:
            self._page.html = f"<p>{escape(str(error))}</p>"
        finally:
            self._button.disabled = False
