"""Html: a piece of HTML from the kernel, with a running clock, copy buttons and folds that stay open."""

from __future__ import annotations

import anywidget
import traitlets

from optkit.widgets.static_files import module, stylesheet


class Html(anywidget.AnyWidget):
    """Shows `html`, which must be escaped already; an assignment of the same text sends nothing.

    Parameters
    ----------
    role
        ARIA role of the element that holds the HTML and outlives every change; ``"status"`` has changes announced.
    """

    _esm = module("dom.js", "html.js")
    _css = stylesheet("optkit.css")
    _html = traitlets.Unicode("").tag(sync=True)
    _role = traitlets.Unicode("").tag(sync=True)

    def __init__(self, *, role: str = "") -> None:
        super().__init__(_role=role)

    @property
    def html(self) -> str:
        """The HTML that is shown."""
        return str(self._html)

    @html.setter
    def html(self, value: str) -> None:
        self._html = value
