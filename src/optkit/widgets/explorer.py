"""Explorer: choose variants, run them, watch, and read the answer."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any

import ipywidgets

from optkit.comparison import Comparison
from optkit.errors import OptkitError, UsageError
from optkit.events import CompileBegan, PhaseBegan, PhaseEnded, Samples, StudyEnded, Waiting
from optkit.marks import Marks
from optkit.phases import TIMED_PHASES
from optkit.study import Plan, Study, check_workload, plan_from
from optkit.variant import BASELINE, Variant
from optkit.widgets import view
from optkit.widgets.html import Html
from optkit.widgets.live import LatencyPlot
from optkit.widgets.parts import box, button, machine
from optkit.widgets.picker import VariantPicker
from optkit.widgets.questions import Questions
from optkit.widgets.settings import SettingsForm
from optkit.widgets.variant_list import VariantList
from optkit.workload import Workload, workload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from optkit.events import Event
    from optkit.presets import VariantLike

DEFAULT_MODEL = "resnet18"
REDRAW_S = 1.0
"""Seconds between two redraws of text and table; points of the plot are sent more often."""
FLUSH_S = 0.25
INTERRUPT_S = 0.5


class Explorer(ipywidgets.VBox):  # type: ignore[misc]
    """The widget: choose variants on the left, watch on the right, read the answer above and the table below.

    Parameters
    ----------
    model, inputs, workload_arguments
        As in `Workload`; without a model the user picks one of the zoo. A `Workload` is taken as a model as well, and
        measured as it is.
    variants
        The variants in the list at first, in any form; an empty list leaves the baseline alone.
    plan, plan_fields
        As in `Study`.

    Attributes
    ----------
    comparison
        What is known so far: live while a study runs, whole when it is over.
    picker, variants, plot, questions
        The parts: `VariantPicker`, `VariantList`, `LatencyPlot`, `Questions`.
    """

    def __init__(
        self,
        model: Any = None,
        inputs: Any = None,
        variants: VariantLike | Iterable[VariantLike] = "recommended",
        *,
        batch_size: int = 1,
        shape: tuple[int, ...] | None = None,
        device: Any = None,
        call: str | None = None,
        weights: str | None = None,
        evaluate: Callable[[Any], float] | None = None,
        plan: Plan | None = None,
        **plan_fields: Any,
    ) -> None:
        self.plan = plan_from(plan, plan_fields)
        self._given = {"shape": shape, "device": device, "call": call, "weights": weights, "evaluate": evaluate}
        self._given = {name: value for name, value in self._given.items() if value is not None}
        if model is None and inputs is not None:
            raise UsageError("There are inputs without a model; give the model that they are for.")
        own = None if model is None else workload_from(model, inputs, batch_size=batch_size, **self._given)
        self._own = own if own is not None and (own is model or not own.is_zoo or inputs is not None) else None
        name = None if self._own else DEFAULT_MODEL if own is None else own.name
        self.comparison = Comparison()
        self._marks = Marks()
        self.variants = VariantList(variants, marks=self._marks)
        self.picker = VariantPicker()
        self.plot = LatencyPlot(marks=self._marks)
        self.form = SettingsForm(name, own.batch_size if own else batch_size, self.plan.budget_s)
        self._title, self._answer, self._progress = Html(), Html(role="status"), Html()
        self._table, self._costs = Html(), Html()
        self.questions = Questions(self._workload, self._compiled, lambda: self.variants.variants)
        self._run_button = button("Run", "Measure these variants", style="primary")
        self._stop_button = button("Stop", "End the study, keep what is known", disabled=True)
        self._skip_button = button("Skip", "End the variant that is being brought up, go on with others", disabled=True)
        self._add_button = button("Add", "Add this variant to the list")
        self._running = False
        self._over = threading.Event()  # not Thread.join: an interrupt of that marks a living thread as ended
        self._over.set()
        self._study: Study | None = None
        self._error: BaseException | None = None
        self._facts: list[str] = []
        self._began = self._phase_began = self._drawn = self._flushed = 0.0
        super().__init__(self._layout())
        self.add_class("optkit-explorer")
        self._run_button.on_click(lambda _: self._run_clicked())
        self._stop_button.on_click(lambda _: self.stop())
        self._skip_button.on_click(lambda _: self.skip())
        self._add_button.on_click(lambda _: self._add_clicked())
        self.questions.observe(lambda change: setattr(self._run_button, "disabled", change["new"]), "busy")
        self._draw()

    def _layout(self) -> list[ipywidgets.Widget]:
        heading = Html()
        heading.html = "<h4>Add one</h4>"
        parts = (self.form, self.variants, heading, self.picker, self._add_button)
        chooser = box(ipywidgets.VBox, "optkit-card", *parts)
        controls = box(
            ipywidgets.HBox, "optkit-controls", self._progress, self._skip_button, self._stop_button, self._run_button
        )
        watcher = box(ipywidgets.VBox, "optkit-card", controls, self.plot)
        reader = box(ipywidgets.VBox, "optkit-card", self._table, self._costs)
        right = box(ipywidgets.VBox, "optkit-column", watcher, reader, self.questions)
        return [self._title, self._answer, box(ipywidgets.Box, "optkit-columns", chooser, right)]

    @property
    def running(self) -> bool:
        """Whether a study is going on."""
        return self._running

    @property
    def settings(self) -> dict[str, Any]:
        """What is chosen, as the arguments of `explore` and `compare` that choose it again.

        A model of the user's own, its inputs, and a `Workload` are not among them: give those again.
        """
        chosen: dict[str, Any] = {}
        if self._own is None:
            chosen = {"model": self.form.model, "batch_size": self.form.batch_size}
        chosen |= {name: str(value) if name == "device" else value for name, value in self._given.items()}
        chosen["variants"] = [str(variant) for variant in self.variants.variants]
        usual = vars(Plan())
        chosen |= {name: value for name, value in vars(self.plan).items() if value != usual[name]}
        return chosen | {"budget_s": self.form.budget_s}

    @property
    def code(self) -> str:
        """Python that runs the model the best way found; before a study, the way that is chosen in the picker."""
        return self.comparison.code() if self.comparison.started else self._workload().snippet(self.picker.variant)

    def run(self) -> None:
        """Start measuring and return at once; see `wait`.

        Raises
        ------
        UsageError
            If a study is running already, or what is chosen makes no sense.
        """
        if self.running:
            raise UsageError("A study is running; press Stop, or wait for its end, before the next.")
        self._over.wait()  # the last one may still be drawing its end
        study = Study(self._workload(), self.variants.variants or ["eager"], self._chosen_plan())
        self._study, self._error, self._facts = study, None, []
        self.comparison = Comparison(workload=study.workload, variants=study.variants)
        self._began = self._phase_began = time.monotonic()
        # Widgets find their kernel's session through context variables, which a plain thread would not have.
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._follow, study), name="optkit-study", daemon=True)
        self._set_running(running=True)
        self._over.clear()
        thread.start()

    def stop(self) -> None:
        """End the study; what was measured stays. Does nothing when none runs."""
        study = self._study  # the study's thread lets go of it when it ends
        if study is not None:
            self._stop_button.disabled = True
            study.stop()

    def skip(self, variant: VariantLike | None = None) -> None:
        """End one variant and go on with the others; without a name, the one that is being brought up.

        Raises
        ------
        UsageError
            If the study has no such variant, or it is the baseline.
        """
        study, name = self._study, self._brought_up() if variant is None else str(variant)
        if study is not None and name is not None:
            self._skip_button.disabled = True
            study.skip(name)

    def _brought_up(self) -> str | None:
        """Return the variant that is being brought up; the baseline is nobody's to skip."""
        now = self.comparison.now
        if not self.running or now is None or now.phase in TIMED_PHASES or now.variant == str(BASELINE):
            return None
        return now.variant

    def wait(self) -> Comparison:
        """Block until the study is over and return the comparison; at once when none runs.

        An interrupt (■) ends the study cleanly. An error of the study is raised here.
        """
        try:
            self._await_over()
        except KeyboardInterrupt:
            self.stop()
            self._await_over()
        if self._error is not None:
            raise self._error
        return self.comparison

    def _await_over(self) -> None:
        while not self._over.wait(INTERRUPT_S):  # a signal that another thread received is seen between two waits
            pass

    def __await__(self) -> Generator[Any, None, Comparison]:
        return asyncio.to_thread(self.wait).__await__()

    def _workload(self) -> Workload:
        return self._own or workload_from(self.form.model, batch_size=self.form.batch_size, **self._given)

    def _compiled(self) -> Variant:
        """Return the fastest variant of torch.compile that was measured, else the first that is listed."""
        ranked = [Variant.read(str(one)) for one in self.comparison.ranked() if "()" not in str(one)]
        known = [one for one in (*ranked, *self.variants.variants, self.picker.variant) if one.engine.compiles]
        return known[0] if known else Variant.parse("compile")

    def _chosen_plan(self) -> Plan:
        return plan_from(None, {**vars(self.plan), "budget_s": self.form.budget_s})

    def _run_clicked(self) -> None:
        try:
            self.run()
        except UsageError as error:
            self._answer.html = view.answer(str(error), "bad")
        else:
            self._stop_button.focus()

    def _add_clicked(self) -> None:
        variant = self.picker.variant
        if variant == BASELINE:
            self._answer.html = view.answer(f"{BASELINE} is always measured, as the baseline.")
            return
        try:
            self.variants.add(variant)
        except OptkitError as error:
            self._answer.html = view.answer(str(error), "bad")
        else:
            self._draw()

    def _follow(self, study: Study) -> None:
        """Read the study's events in a thread of its own; nothing else touches the widgets while it runs."""
        try:
            for event in study:
                self.comparison.fold(event)
                self.plot.apply(event)
                self._note(event)
                self._refresh(event)
            check_workload(self.comparison)
        except BaseException as error:  # noqa: BLE001 - it is shown, and raised again by `wait`
            self._error = error
        finally:
            try:
                self.plot.flush()
                self.plot.over = True
                self._set_running(running=False)
            finally:
                self._over.set()

    def _note(self, event: Event) -> None:
        if isinstance(event, PhaseBegan):
            self._phase_began = time.monotonic()
        elif isinstance(event, PhaseEnded) and event.phase == "build" and not self._facts:
            place = event.details["device"].upper() if event.details["device"] == "cpu" else event.details["device"]
            self._facts = [event.details["inputs"], f"{place}, {event.details['threads']} threads"]

    def _refresh(self, event: Event) -> None:
        """Send what is new, seldom: between turns only, and at once when a long phase begins."""
        now = time.monotonic()
        waiting = isinstance(event, CompileBegan | Waiting) or (
            isinstance(event, PhaseBegan) and event.phase not in TIMED_PHASES
        )
        if waiting or isinstance(event, StudyEnded) or now - self._flushed >= FLUSH_S:
            self._flushed = now
            self.plot.flush()
        if waiting or (isinstance(event, Samples) and now - self._drawn >= REDRAW_S):
            self._drawn = now
            self._draw()

    def _set_running(self, *, running: bool) -> None:
        self._running = running
        if not running:
            self._study = None
        if running:
            self.questions.clear()
        for part in (self.variants, self.picker, self.form, self._run_button, self._add_button, self.questions):
            part.disabled = running
        self._stop_button.disabled = not running
        self._draw()

    def _draw(self) -> None:
        running = self.running
        comparison = self.comparison
        over = comparison.ended_because is not None
        lost = [] if comparison.not_kept is None else [f"Not in the history: {comparison.not_kept}"]
        self._title.html = view.head(self._name(), [*self._facts, *machine(), *lost], comparison)
        self._answer.html = self._answer_html(over=over)
        elapsed_s = time.monotonic() - self._began if running else comparison.elapsed_s
        self._progress.html = view.progress(
            comparison,
            phase_s=time.monotonic() - self._phase_began,
            elapsed_s=elapsed_s,
            budget_s=self.form.budget_s,
            running=running,
        )
        shown = view.table(comparison, self._marks) if comparison.measurements else view.placeholder()
        best = view.code(f"Code of {comparison.best()}", comparison.code()) if over and comparison.has_answer else ""
        self._table.html = shown + best
        self._skip_button.disabled = self._brought_up() is None
        if not running:  # drawing them takes some milliseconds, which are not to be had between two turns
            self._costs.html = view.charts(comparison, self._marks) if comparison.has_answer else ""
        self.plot.caption = comparison.summary()

    def _answer_html(self, *, over: bool) -> str:
        if self._error is not None:
            return view.answer(str(self._error), "bad")
        comparison = self.comparison
        if comparison.started is None:
            said = "Choose variants and press Run: each is measured in a process of its own, against eager."
            return view.answer(f"{said} {self._estimate()}".strip())
        won = over and comparison.best() is not comparison.baseline
        tone = "good" if won else "bad" if over and not comparison.has_answer else ""
        return view.answer(comparison.answer(), tone, code=comparison.code() if won else "")

    def _estimate(self) -> str:
        """Say how long it will take; nothing where what is chosen makes no sense, which Run will tell."""
        try:
            study = Study(self._workload(), self.variants.variants or ["eager"], self._chosen_plan())
            return f"It will take {study.estimate().said}."
        except OptkitError:
            return ""

    def _name(self) -> str:
        started = self.comparison.started
        if started is not None:
            return str(started.workload["model"])
        return self._own.name if self._own else "optkit Explorer"
