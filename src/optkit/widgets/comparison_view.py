"""ComparisonView: the answer, charts, costs, code and table of a comparison, and files to take away."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets
from ipywidgets import Widget, widget_serialization

from optkit import text
from optkit.comparison import Comparison
from optkit.errors import OptkitError
from optkit.events import Samples, StudyEnded
from optkit.marks import Marks
from optkit.widgets import choice, files, table, view
from optkit.widgets.static_files import module, stylesheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.events import Event

REDRAW_S = 1.0
"""Seconds between two redraws of text, table and charts while a study runs; points of a live plot come more often."""


class ComparisonView(anywidget.AnyWidget):
    """Shows a comparison: one that is over, one that was kept, or one that grows while you fold a study's events.

    Parameters
    ----------
    comparison
        What to show; more can follow through `apply`.
    marks
        Which mark each variant has, where other parts show the same variants; its own otherwise.
    calls
        How many calls a process makes in its life: the answer, the ranking and the code are then those of the variant
        that is done first, start-up included. None: those of the variant that is fastest.

    Attributes
    ----------
    comparison
        What is shown; set another to show that.

    Examples
    --------
    >>> ComparisonView(optkit.load("last"))

    While a study runs:

    >>> view = ComparisonView()
    >>> display(view)
    >>> for event in study:
    ...     view.apply(event)
    """

    _esm = module("dom.js", "page.js", "tabs.js", "comparison_view.js")
    _css = stylesheet("optkit.css")
    _head = traitlets.Unicode("").tag(sync=True)
    _answer = traitlets.Unicode("").tag(sync=True)
    _notice = traitlets.Unicode("").tag(sync=True)
    _progress = traitlets.Unicode("").tag(sync=True)
    _table = traitlets.Unicode("").tag(sync=True)
    _files = traitlets.Unicode("").tag(sync=True)
    _page_live = traitlets.Unicode("").tag(sync=True)
    _page_compare = traitlets.Unicode("").tag(sync=True)
    _page_cost = traitlets.Unicode("").tag(sync=True)
    _page_code = traitlets.Unicode("").tag(sync=True)
    _tabs: traitlets.List[dict[str, str]] = traitlets.List().tag(sync=True)
    _tab = traitlets.Unicode("").tag(sync=True)
    _buttons: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _parts: traitlets.Dict[str, Widget] = traitlets.Dict().tag(sync=True, **widget_serialization)

    TABS: ClassVar[dict[str, str]] = {"compare": "Compare", "cost": "Cost", "code": "Code"}

    def __init__(
        self,
        comparison: Comparison | None = None,
        *,
        marks: Marks | None = None,
        calls: float | None = None,
        parts: dict[str, Widget] | None = None,
    ) -> None:
        self._marks = marks or Marks()
        self._calls = choice.checked_calls(calls)
        self._comparison = Comparison() if comparison is None else comparison
        self._drawn = 0.0
        self._lock = threading.RLock()  # a study's thread and clicks draw alike
        tabs = [{"name": name, "label": label} for name, label in self.TABS.items()]
        super().__init__(_tabs=tabs, _tab=tabs[0]["name"], _parts=parts or {})
        self.on_msg(self._receive)
        self.observe(lambda _: self._draw_pages(), "_tab")
        self._draw()

    @property
    def comparison(self) -> Comparison:
        """What is shown."""
        return self._comparison

    @comparison.setter
    def comparison(self, value: Comparison) -> None:
        self._replace(value)

    def _replace(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._draw()

    @property
    def calls(self) -> float | None:
        """How many calls a process makes in its life; None where that does not count."""
        return self._calls

    @calls.setter
    def calls(self, value: float | None) -> None:
        self._calls = choice.checked_calls(value)
        self._draw()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget, and beside it what is known at this moment, for pages on which no widget runs."""
        shown = super()._repr_mimebundle_()
        if shown is None or not self._comparison.measurements:
            return shown
        data, metadata = shown
        return data | {"text/html": self._comparison._repr_mimebundle_()["text/html"]}, metadata

    def apply(self, event: Event) -> None:
        """Take in one more event of a study; text and charts are redrawn at most once a second, between two turns."""
        self._comparison.fold(event)
        self._redraw_after(event)

    def _redraw_after(self, event: Event, *, at_once: bool = False) -> None:
        is_due = isinstance(event, Samples) and time.monotonic() - self._drawn >= REDRAW_S
        if at_once or is_due or isinstance(event, StudyEnded):
            self._drawn = time.monotonic()
            self._draw()

    def _draw(self) -> None:
        """Send what is new; an assignment of the same text sends nothing."""
        comparison = self._comparison
        with self._lock, self.hold_sync():
            self._head = view.head(self._title(), self._facts(), comparison)
            self._answer = self._answer_html()
            drawn = table.render(comparison, self._marks, self.calls) if comparison.measurements else ""
            self._table = drawn or table.placeholder()
            self._files = view.files(files.KINDS, self.calls) if comparison.has_answer else ""
            self._draw_pages()

    def _draw_pages(self) -> None:
        """Draw the page that is open, and when a study is over all of them, so that a busy kernel keeps none back."""
        is_live = self._comparison.started is not None and self._comparison.ended_because is None
        with self._lock:
            for name, page in self._pages().items():
                drawn = page() if not is_live or name == self._tab else ""  # an old page would be of another study
                setattr(self, f"_page_{name}", drawn)

    def _pages(self) -> dict[str, Callable[[], str]]:
        comparison = self._comparison
        return {
            "compare": lambda: view.compare_page(comparison, self._marks),
            "cost": lambda: view.cost_page(comparison, self._marks),
            "code": lambda: view.code_page(comparison, self._chosen_code(), self.calls),
        }

    def _title(self) -> str:
        started = self._comparison.started
        return str(started.workload.get("model")) if started else "optkit"

    def _facts(self) -> list[str]:
        return view.facts(self._comparison)

    def _chosen_code(self) -> tuple[str, str] | None:
        """Return name and code of a variant, to be shown before anything is measured."""
        return None

    def _answer_html(self) -> str:
        comparison = self._comparison
        if comparison.started is None:
            return view.answer("Nothing was measured yet.")
        over = comparison.ended_because is not None
        has_won = over and comparison.has_answer and comparison.best(calls=self.calls) is not comparison.baseline
        tone = "good" if has_won else "bad" if over and not comparison.has_answer else ""
        best = str(comparison.best(calls=self.calls)) if has_won else None
        code = "" if best is None else view.code(comparison, best)
        return view.answer(comparison.answer(calls=self.calls), tone, code=code)

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        try:
            self._do(content)
        except OptkitError as error:
            self._notice = view.notice(str(error))
        else:
            self._notice = ""

    def _do(self, content: dict[str, Any]) -> None:
        """Do what the browser asks for; what cannot be done is an OptkitError."""
        if content.get("op") == "save" and content.get("name") in files.KINDS:
            made = self._file(content["name"])
            sent = {"op": "file", "view": text.plain(str(content.get("view"))), "name": made.name, "mime": made.mime}
            self.send(sent, [made.content])

    def _file(self, kind: str) -> files.File:
        origin = self._comparison.origin
        workload = None if origin is None else origin.workload
        return files.make(kind, self._comparison, choice.recorded(self._comparison), workload)
