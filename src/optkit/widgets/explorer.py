"""Explorer: choose variants, run them, watch, and read the answer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from optkit.comparison import Comparison
from optkit.errors import OptkitError, UsageError
from optkit.events import CompileBegan, PhaseBegan, StudyEnded, Waiting
from optkit.marks import Marks
from optkit.phases import TIMED_PHASES
from optkit.script import comment
from optkit.study import Plan, Study, check_alone, check_workload, plan_from
from optkit.variant import BASELINE, Variant
from optkit.widgets import choice, files, past, view
from optkit.widgets.comparison_view import ComparisonView
from optkit.widgets.live import LatencyPlot
from optkit.widgets.picker import VariantPicker
from optkit.widgets.questions import Questions
from optkit.widgets.runner import Runner
from optkit.widgets.settings import SettingsForm
from optkit.widgets.variant_list import VariantList
from optkit.workload import Workload, workload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping

    from optkit.events import Event
    from optkit.presets import VariantLike

DEFAULT_MODEL = "resnet18"
FLUSH_S = 0.05
"""Seconds between two messages to the plot; the next event after a flush that came too soon brings the rest."""


class Explorer(ComparisonView):
    """The widget: choose variants on the left, watch on the right, read the answer above and the table below.

    Parameters
    ----------
    model, inputs, workload_arguments
        As in `Workload`; without a model the user picks one of the zoo. A `Workload` is taken as a model as well, and
        measured as it is.
    variants
        The variants in the list at first, in any form; an empty list leaves the baseline alone.
    calls
        How many calls a process makes in its life; see `ComparisonView`.
    plan, plan_fields
        As in `Study`.

    Attributes
    ----------
    comparison
        What is known so far: live while a study runs, whole when it is over.
    picker, variants, form, plot, questions
        The parts: `VariantPicker`, `VariantList`, `SettingsForm`, `LatencyPlot`, `Questions`.
    """

    _page_past = traitlets.Unicode("").tag(sync=True)

    TABS: ClassVar[dict[str, str]] = {
        "live": "Live", "compare": "Compare", "cost": "Cost", "why": "Why", "shapes": "Shapes", "startup": "Start-up",
        "operators": "Operators", "code": "Code", "past": "Past runs",
    }  # fmt: skip

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
        calls: float | None = None,
        plan: Plan | None = None,
        **plan_fields: Any,
    ) -> None:
        self.plan = plan_from(plan, plan_fields)
        if model is None and inputs is not None:
            raise UsageError("There are inputs without a model; give the model that they are for.")
        given = {"shape": shape, "device": device, "call": call, "weights": weights, "evaluate": evaluate}
        given = {name: value for name, value in given.items() if value is not None}
        own = None if model is None else workload_from(model, inputs, batch_size=batch_size, **given)
        self._own = own if own is not None and (own is model or not own.is_zoo or inputs is not None) else None
        self._given = {name: value for name, value in given.items() if name != "shape"}
        self._weighed = None if own is None else own.name
        name = None if self._own else DEFAULT_MODEL if own is None else own.name
        self._runner: Runner | None = None
        self._error: BaseException | None = None
        self._skipped = self._past = ""
        self._heard = self._phase_began = self._flushed = 0.0
        marks = Marks()
        self.variants = VariantList(variants, marks=marks)
        self.picker = VariantPicker()
        self.plot = LatencyPlot(marks=marks)
        self.form = SettingsForm(name, batch_size, self.plan, shape=shape, calls=calls)
        self.questions = Questions(self._asked_about, self._compiled, lambda: self.variants.variants, marks)
        chooser = {"form": self.form, "list": self.variants, "picker": self.picker, "live": self.plot}
        super().__init__(marks=marks, parts=chooser | self.questions.all)
        self.form.observe(lambda _: self._chosen(), "_fields")
        self.variants.observe(lambda _: self._chosen(), "_items")
        self.picker.observe(lambda _: self._draw_pages(), "variant")
        self.questions.observe(lambda _: self._draw_controls(), "busy")

    @property
    def running(self) -> bool:
        """Whether a study is going on."""
        return self._runner is not None and self._runner.study is not None

    @property
    def settings(self) -> dict[str, Any]:
        """What is chosen, as JSON: the arguments of `explore` that choose it again. Set it to choose.

        Without ``calls`` they are those of `optkit.compare`. A model of the user's own with its inputs, device and
        method, a function that evaluates, and a `Workload` are not among them: give those again.
        """
        chosen: dict[str, Any] = {}
        if self._own is None:
            given = {name: str(value) for name, value in self._given.items() if name != "evaluate"}
            chosen = self.form.workload | given
        chosen["variants"] = [str(variant) for variant in self.variants.variants]
        return chosen | choice.of_plan(self._plan()) | ({} if self.calls is None else {"calls": self.calls})

    @settings.setter
    def settings(self, value: Mapping[str, Any]) -> None:
        self._check_idle()
        chosen = choice.read(value, own=self._own)
        self.plan = chosen.plan
        self._given = chosen.given | {name: one for name, one in self._given.items() if name == "evaluate"}
        self._weighed = chosen.model
        # The form first: weights are forgotten as soon as something changes while the form has another model.
        self.form.take(chosen.model, chosen.batch_size, chosen.plan, shape=chosen.shape, calls=chosen.calls)
        self.variants.set(chosen.variants)

    @property
    def calls(self) -> float | None:
        """How many calls a process makes in its life; None where that does not count."""
        return self.form.calls

    @calls.setter
    def calls(self, value: float | None) -> None:
        self.form.choose("calls", value)

    @property
    def code(self) -> str:
        """Python that runs the model the best way found; before a study, the way that is chosen in the picker."""
        return self.comparison.code(self._best()) if self.comparison.started else self._chosen_code()[1]

    def run(self) -> None:
        """Start measuring and return at once; see `wait`.

        Raises
        ------
        UsageError
            If a study is running already, or what is chosen makes no sense.
        """
        self._check_idle()
        if self._runner is not None:
            self._runner.wait()  # the last one may still be drawing its end
        study = Study(self._workload(), self.variants.variants or ["eager"], self._plan())
        check_alone()  # before anything that is shown gives way
        self._error, self._skipped, self._past = None, "", ""
        self._comparison = Comparison(workload=study.workload, variants=study.variants)
        self._heard = self._phase_began = time.monotonic()
        self.questions.clear()
        self.plot.reset([])
        self._tab = "live"
        self._runner = Runner(study, self._follow, self._ended)
        self._draw()
        self._runner.start()

    def rerun(self, run_id: str) -> None:
        """Choose what a run that is kept measured, and measure it again; see `run`.

        Raises
        ------
        UsageError
            If there is no such run, or it measured a model that this Explorer does not have.
        """
        calls = {} if self.calls is None else {"calls": self.calls}
        self.settings = choice.of_run(past.load(run_id), self._own) | calls
        self.run()

    def show(self, run_id: str) -> None:
        """Show a run that is kept: its answer, charts, table and points.

        Raises
        ------
        UsageError
            If there is no such run, or a study is running.
        """
        events = past.events(run_id)
        self.comparison = Comparison(events)
        self._past = past.when(self.comparison)
        self._tab = "compare"
        self._draw()
        for event in events:
            self.plot.apply(event)
        self.plot.flush()

    def stop(self) -> None:
        """End the study; what was measured stays. Does nothing when none runs."""
        if self._runner is not None:
            self._runner.stop()
            self._draw_controls()

    def skip(self, variant: VariantLike | None = None) -> None:
        """End one variant and go on with the others; without a name, the one that is being brought up.

        Raises
        ------
        UsageError
            If the study has no such variant, or it is the baseline.
        """
        study = self._runner.study if self._runner is not None else None
        name = self._brought_up() if variant is None else str(variant)
        if study is not None and name is not None:
            study.skip(name)
            self._skipped = name
            self._draw_controls()

    def wait(self) -> Comparison:
        """Block until the study is over and return the comparison; at once when none runs.

        An interrupt (■) ends the study cleanly. An error of the study is raised here.
        """
        if self._runner is not None:
            self._runner.wait()
        if self._error is not None:
            raise self._error
        return self.comparison

    def __await__(self) -> Generator[Any, None, Comparison]:
        return asyncio.to_thread(self.wait).__await__()

    def _check_idle(self) -> None:
        if self.running or self.questions.busy:
            what = "A study is running" if self.running else "A question is being answered"
            raise UsageError(f"{what}; press Stop, or wait for its end, before the next.")

    def _replace(self, comparison: Comparison) -> None:
        self._check_idle()
        self._error, self._past = None, ""
        self.questions.clear()
        self.plot.reset([])
        super()._replace(comparison)

    def _workload(self) -> Workload:
        return self._own or workload_from(**self.form.workload, **self._given)

    def _asked_about(self) -> Workload:
        """Return what questions are about, unless what is shown is a run of something else."""
        workload, started = self._workload(), self.comparison.started
        if started is not None and started.workload.get("model") != workload.name:
            raise UsageError(
                f"The run that is shown is of {started.workload.get('model')}, and this Explorer has {workload.name}; "
                "press Run, or give that model to optkit.explore, to ask about it."
            )
        return workload

    def _plan(self) -> Plan:
        return plan_from(None, {**vars(self.plan), **self.form.plan_fields})

    def _best(self) -> str:
        return str(self.comparison.best(calls=self.calls))

    def _compiled(self) -> Variant:
        """Return the variant of torch.compile to ask about: of those listed the fastest, or the first if none ran."""
        listed = {str(one): one for one in self.variants.variants if one.engine.compiles}
        measured = [str(one) for one in self.comparison.ranked() if one.median_s is not None]
        known = [*(listed[name] for name in measured if name in listed), *listed.values(), self.picker.variant]
        return next((one for one in known if one.engine.compiles), Variant.parse("compile"))

    def _brought_up(self) -> str | None:
        """Return the variant that is being brought up; the baseline is nobody's to skip."""
        now = self.comparison.now
        if not self.running or now is None or now.phase in TIMED_PHASES:
            return None
        if now.variant in (str(BASELINE), self._skipped):
            return None
        return now.variant

    def _follow(self, event: Event) -> None:
        """Take in an event, in the runner's thread."""
        self._comparison.fold(event)
        self.plot.apply(event)
        now = self._heard = time.monotonic()
        if isinstance(event, PhaseBegan):
            self._phase_began = now
        is_long = isinstance(event, CompileBegan | Waiting) or (
            isinstance(event, PhaseBegan) and event.phase not in TIMED_PHASES
        )
        if is_long or now - self._flushed >= FLUSH_S:
            self._flushed = now
            self.plot.flush()
        self._redraw_after(event, at_once=is_long)

    def _ended(self) -> None:
        runner = self._runner
        self._error = None if runner is None else runner.error
        self.plot.flush()
        self.plot.over = True
        try:
            if self._error is None:
                check_workload(self._comparison)
        except OptkitError as error:
            self._error = error
        finally:
            if self._comparison.started is not None and self._comparison.ended_because is None:
                self._comparison.fold(StudyEnded(at_s=self._comparison.elapsed_s, because="stopped"))
            self._draw()

    def _chosen(self) -> None:
        """Something else was chosen: other calls rank anew, and an estimate is made again."""
        if self._given.get("weights") is not None and self.form.model != self._weighed:
            del self._given["weights"]  # they are another model's
        self._draw()

    def _draw(self) -> None:
        super()._draw()
        self._draw_controls()
        self.plot.caption = self.comparison.summary()

    def _draw_controls(self) -> None:
        """Send the line of progress, and which controls can be used."""
        running, busy = self.running, self.questions.busy
        stopping = self._runner is not None and self._runner.is_stopping
        with self._lock, self.hold_sync():
            self._progress = self._progress_html(running=running)
            for part in (self.variants, self.picker, self.form):
                part.disabled = running
            self.questions.disabled = running or busy
            self._buttons = [
                _button(
                    "skip", "End the variant that is being brought up, go on with others", self._brought_up() is None
                ),
                _button("stop", "End the study, keep what is known", not running or stopping),
                _button("run", "Measure these variants", running or busy) | {"primary": True},
                _button("add", "Add this variant to the list", running),
            ]

    def _progress_html(self, *, running: bool) -> str:
        now = time.monotonic()
        elapsed_s = self.comparison.elapsed_s + (now - self._heard if running else 0.0)
        study = self._runner.study if self._runner is not None else None
        return view.progress(
            self.comparison,
            phase_s=now - self._phase_began,
            elapsed_s=elapsed_s,
            left_s=None if study is None else study.left_s(self.comparison, elapsed_s),
            running=running,
            stopping=self._runner is not None and self._runner.is_stopping,
            ready="" if running else self._estimate(),
        )

    def _pages(self) -> dict[str, Callable[[], str]]:
        comparison = self._comparison
        return super()._pages() | {
            "live": lambda: view.timeline(comparison, self._marks),
            "past": lambda: past.page(self._own) if self._tab == "past" else self._page_past,
        }

    def _title(self) -> str:
        if self.comparison.started is not None:
            return super()._title()
        return self._own.name if self._own else str(self.form.model)

    def _facts(self) -> list[str]:
        if self.comparison.started is None:
            return view.machine()
        return [*([f"past run of {self._past}"] if self._past else []), *super()._facts()]

    def _chosen_code(self) -> tuple[str, str]:
        variant = self.picker.variant
        try:
            return str(variant), self._workload().snippet(variant)
        except OptkitError as error:
            return str(variant), comment(str(error))

    def _answer_html(self) -> str:
        if self._error is not None:
            is_ours = isinstance(self._error, OptkitError)
            said = str(self._error) if is_ours else f"optkit failed with {type(self._error).__name__}: {self._error}"
            return view.answer(said, "bad")
        if self.comparison.started is None:
            return view.answer(
                "Choose variants and press Run: each is measured in a process of its own, side by side with eager."
            )
        return super()._answer_html()

    def _estimate(self) -> str:
        """Say how long it will take; nothing where what is chosen makes no sense, which Run will tell."""
        try:
            study = Study(self._workload(), self.variants.variants or ["eager"], self._plan())
            return study.estimate().said
        except OptkitError:
            return ""

    def _file(self, kind: str) -> files.File:
        origin = self.comparison.origin
        if origin is not None:
            return files.make(kind, self.comparison, choice.recorded(self.comparison), origin.workload)
        here = self._own if self._own is not None and self._own.name == super()._title() else None
        return files.make(kind, self.comparison, choice.recorded(self.comparison), here)

    def _do(self, content: dict[str, Any]) -> None:
        doing: dict[str, Callable[[], None]] = {
            "press run": self.run,
            "press stop": self.stop,
            "press skip": self.skip,
            "press add": self._add,
            "past show": lambda: self.show(str(content.get("run"))),
            "past rerun": lambda: self.rerun(str(content.get("run"))),
        }
        doing.get(f"{content.get('op')} {content.get('name')}", lambda: super(Explorer, self)._do(content))()

    def _add(self) -> None:
        if self.running:
            return
        variant = self.picker.variant
        if variant == BASELINE:
            raise UsageError(f"{BASELINE} is always measured, as the baseline.")
        self.variants.add(variant)


def _button(name: str, title: str, disabled: bool) -> dict[str, Any]:
    return {"name": name, "label": name.capitalize(), "title": title, "disabled": disabled}
