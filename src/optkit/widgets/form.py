"""A form of labelled controls whose values live in the kernel."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from optkit.widgets.static_files import module, stylesheet


def select(name: str, label: str, value: str, options: list[dict[str, str]]) -> dict[str, Any]:
    """Describe a drop-down; an option is ``{"value", "label"}``, and disabled where it has a ``"reason"``.

    Any field may also have a ``"group"``, which is the legend it stands under, and a ``"hint"``, its tooltip. One that
    is ``"rare"`` stands under "More", which opens when it is ``"set"``, to something else than its default.
    """
    return {"kind": "select", "name": name, "label": label, "value": value, "options": options, "disabled": False}


def words(name: str, label: str, value: str) -> dict[str, Any]:
    """Describe a text to type in."""
    return {"kind": "text", "name": name, "label": label, "value": value, "disabled": False}


def number(name: str, label: str, value: float | None, *, least: float, most: float, step: float = 1) -> dict[str, Any]:
    """Describe a number to type in; None is shown as an empty field."""
    limits = {"min": least, "max": most, "step": step}
    return {"kind": "number", "name": name, "label": label, "value": value, "disabled": False} | limits


class Form(anywidget.AnyWidget):
    """Base of the forms: subclasses say what the fields are, and what a choice does.

    Attributes
    ----------
    disabled
        Whether all controls are greyed out, as they are while a study runs.

    Notes
    -----
    Synced: ``_fields`` in their order, ``_warnings`` about what is chosen, ``_notes`` about what cannot be, and a
    ``_summary``.
    """

    _esm = module("dom.js", "form.js")
    _css = stylesheet("optkit.css")
    _fields: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _warnings: traitlets.List[str] = traitlets.List().tag(sync=True)
    _notes: traitlets.List[str] = traitlets.List().tag(sync=True)
    _summary = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self.on_msg(self._receive)

    def choose(self, name: str, value: Any) -> None:
        """Take a value that was chosen in the browser; raise ValueError to refuse it."""
        raise NotImplementedError

    def refuse(self, said: str) -> None:
        """Say why a value was not taken; a form that shows what stands against its own choice says nothing more."""

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        if content.get("op") != "set":
            return
        if self.disabled:
            self.send({"op": "redraw"})
        else:
            try:
                self.choose(content["name"], content["value"])
            except ValueError as error:  # what the browser sends is not trusted to be one of the options
                self.refuse(str(error))
                self.send({"op": "redraw"})
