"""Comparison: the fold of a study's events, and the answer read from it.

Because it is a fold, a comparison of a running study, of a stopped one and of one read from a file are the same.
"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import answers, downloads, page, script, stats, svg, takeaway, text
from optkit.doubts import Surroundings
from optkit.events import (
    Event,
    MachineRead,
    NotKept,
    PhaseBegan,
    PhaseEnded,
    RatesMeasured,
    StudyEnded,
    StudyResumed,
    StudyStarted,
    VariantEvent,
    Waiting,
    WorkCounted,
)
from optkit.measurement import Measurement
from optkit.rows import COLUMNS, ranked, row
from optkit.takeaway import Origin
from optkit.timings import bootstrap_interval, round_medians
from optkit.variant import Variant
from optkit.verdicts import Verdict, decide

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    from plotly.graph_objects import Figure

    from optkit.events import EndReason
    from optkit.workload import Workload


class Difference(NamedTuple):
    """How two variants compare: speed-up of the first over the second, its 99 % interval, and the verdict."""

    speedup: float | None
    interval: tuple[float, float] | None
    verdict: Verdict


class Comparison:
    """All measurements of a study.

    Parameters
    ----------
    events
        The events so far; more can follow through `apply`.
    workload, variants
        What was measured, where this process has it: `apply` and `save_recipe` need the model's inputs, and callables
        that a variant's text only names.

    Attributes
    ----------
    measurements
        By the text of the variant, in the order of the study; the baseline first.
    started, ended_because
        The study's first event, and why it ended (None while it goes on).
    now
        The phase that began last.
    elapsed_s
        Seconds from the beginning of the study to its latest event.
    not_kept
        Why its events are not in the history; None where they are, as far as is known.
    waits_for
        Whose study has to be over before this one begins, in words; None where it does not wait.
    surroundings, readings
        What is known of the machine, and how busy it was each time that was looked at.
    """

    def __init__(
        self, events: Iterable[Event] = (), *, workload: Workload | None = None, variants: Iterable[Variant] = ()
    ) -> None:
        self.measurements: dict[str, Measurement] = {}
        self.started: StudyStarted | None = None
        self.ended_because: EndReason | None = None
        self.now: PhaseBegan | None = None
        self.elapsed_s = 0.0
        self.not_kept: str | None = None
        self.waits_for: str | None = None
        self.surroundings = Surroundings()
        self.readings: list[MachineRead] = []
        self.origin = None if workload is None else Origin(workload, {str(one): one for one in variants})
        self._twin = Measurement("twin")
        for event in events:
            self.fold(event)

    def apply(self, model: Any, inputs: Any = None) -> Any:
        """Return the fast callable: `model` as the best variant calls it, in this process.

        An event in place of a model is taken in: a comparison is a fold, and `fold` is another name for that.

        Parameters
        ----------
        model, inputs
            See `Measurement.apply`.
        """
        if isinstance(model, Event):
            return self.fold(model)
        return self.best().apply(model, inputs)

    def save_recipe(
        self, folder: str | Path, variant: Variant | str | None = None, *, workload: Workload | None = None
    ) -> Path:
        """Write all that running a variant elsewhere needs to a new folder, which proves itself: `optkit verify`.

        The folder holds a script that loads, checks and times, a skeleton of a server, a notebook, a lock of the
        versions, the file that was exported or the compile cache, and the model with its inputs. It can be moved.

        Parameters
        ----------
        folder
            Where to write; it must not exist, or be empty.
        variant
            Which of those that were measured, or the name of a pattern (`optkit.patterns.PATTERNS`); None: the best.
        workload
            What was measured, where this process does not have it any more: a comparison that was read from a file.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UsageError
            If the variant was not measured, failed, or gave other outputs than eager; or the folder is not empty.
        """
        from optkit import recipes

        return recipes.save(self, Path(folder), variant, workload)

    def fold(self, event: Event) -> None:
        """Take in one more event."""
        self.elapsed_s = event.at_s
        match event:
            case VariantEvent():
                self._fold_variant(event)
            case StudyStarted():
                self._begin(event)
            case StudyEnded():
                self._end(event)
            case StudyResumed():
                self._go_on(event)
            case MachineRead():
                self.readings, self.waits_for = [*self.readings, event], None
                self.surroundings.fold(event)
            case WorkCounted():
                self.surroundings.work = event
            case RatesMeasured():
                self.surroundings.rates = self.surroundings.rates | {event.threads: event}
            case NotKept():
                self.not_kept = event.reason
            case Waiting():
                self.waits_for = event.holder

    def _fold_variant(self, event: VariantEvent) -> None:
        if isinstance(event, PhaseBegan):
            self.now = event
        elif isinstance(event, PhaseEnded):
            self.surroundings.learn(event)
        target = self._twin if event.twin else self.measurements.get(event.variant)
        if target is not None:
            target.fold(event)

    def _begin(self, event: StudyStarted) -> None:
        self.started = event
        seed = int(event.plan.get("seed", 0))
        around = self.surroundings = Surroundings.of(event)
        self.measurements = {text: Measurement(text, seed, surroundings=around) for text in event.variants}
        around.measurements = self.measurements
        baseline = self.measurements[event.baseline]
        for measurement in self.measurements.values():
            measurement.baseline = baseline
            measurement.origin, measurement.workload = self.origin, event.workload
        self._twin = Measurement(event.baseline, seed, baseline=baseline, surroundings=around)
        baseline.twin = self._twin

    def _end(self, event: StudyEnded) -> None:
        self.ended_because = event.because
        for measurement in self.measurements.values():
            measurement.final = True
            if measurement.status in ("waiting", "running"):
                measurement.status = "stopped"

    def _go_on(self, event: StudyResumed) -> None:
        self.ended_because = None
        if self.started is not None:
            self.started = dataclasses.replace(self.started, plan=event.plan)
        for measurement in (*self.measurements.values(), self._twin):
            measurement.go_on()

    @property
    def baseline(self) -> Measurement | None:
        """The measurement that the others are compared with."""
        return self.measurements[self.started.baseline] if self.started else None

    @property
    def run_id(self) -> str | None:
        """Name of this run."""
        return self.started.run_id if self.started else None

    @property
    def noise(self) -> float | None:
        """How far the ratio of two equal workers strayed from 1; see `Measurement.noise`."""
        return self.baseline.noise if self.baseline else None

    def load(self) -> dict[str, Any]:
        """Return how busy the machine was before, during and after; None where that could not be read."""
        first, last = (self.readings[0], self.readings[-1]) if self.readings else (None, None)
        return {
            "load_1min_before": first.load_1min if first else None,
            "load_1min_after": last.load_1min if last else None,
            "others_cpus": self.surroundings.others_cpus,
            "visible_cpus": self.surroundings.visible_cpus,
            "throttled_s": last.throttled_s if last else None,
            "memory_available_bytes_before": first.memory_available_bytes if first else None,
        }

    def ranked(self, *, calls: float | None = None) -> list[Measurement]:
        """Return the measurements, lowest median first; those without one last.

        Parameters
        ----------
        calls
            How many calls a process makes in its life: the one that is done first then comes first, start-up included.
        """
        return ranked(self.measurements.values(), calls)

    def best(self, *, max_error: float | None = None, calls: float | None = None, warm: bool = False) -> Measurement:
        """Return the fastest variant that is called faster than the baseline; the baseline if there is none.

        A variant that failed, was not compiled, or whose outputs do not agree with eager's is never best.

        Parameters
        ----------
        max_error
            Largest absolute difference from eager's outputs that is allowed. A variant whose outputs were not compared,
            because the study was stopped before, is then not allowed either.
        calls
            How many calls a process makes in its life. Start-up then counts: of the variants that have surely caught up
            with the baseline by then, the one that is done first.
        warm
            Whether such a process finds a warm cache; needs a study with ``warm=True``.

        Raises
        ------
        ValueError
            If no study has begun.
        """
        if self.baseline is None:
            raise ValueError("There is no best variant yet: no study has begun.")
        allowed = [
            m
            for m in self.measurements.values()
            if m.verdict == Verdict.FASTER and m.merit > 0 and (max_error is None or m.is_near(max_error))
        ]
        if calls is None:
            return max(allowed, key=lambda m: m.merit, default=self.baseline)
        return self._done_first(allowed, calls, warm=warm)

    def _done_first(self, allowed: list[Measurement], calls: float, *, warm: bool) -> Measurement:
        """Return the variant whose process is the first to be done with so many calls."""
        assert self.baseline is not None
        done_s = {self.baseline.variant: self.baseline.cumulative_s(calls, warm=warm)}
        for m in allowed:
            latest = m.break_even(warm=warm).high
            if latest is not None and latest <= calls:
                done_s[m.variant] = m.cumulative_s(calls, warm=warm)
        first = min(done_s, key=lambda name: math.inf if done_s[name] is None else done_s[name])  # type: ignore[arg-type, return-value]
        return self.measurements[first]

    def between(self, variant: str, other: str) -> Difference:
        """Compare two variants directly, round by round, as each is compared with the baseline.

        Raises
        ------
        KeyError
            If one of them is not in this comparison.
        """
        one, two = self.measurements[variant], self.measurements[other]
        ratios = stats.paired_ratios(round_medians(two.round_samples_s), round_medians(one.round_samples_s))
        interval = stats.order_interval(ratios, 0.99)
        if interval is None or self.noise is None:
            return Difference(stats.median(ratios) if ratios else None, interval, Verdict.INCONCLUSIVE)
        if self.ended_because is not None:
            interval = bootstrap_interval(tuple(ratios), 0.99, one.seed)
        interval = stats.stretched(interval, self.baseline.twin_gap if self.baseline else 0.0)
        return Difference(stats.median(ratios), interval, decide(interval, len(ratios), self.noise))

    @property
    def has_answer(self) -> bool:
        """Whether the baseline was measured, so that there is something to compare with."""
        return self.baseline is not None and self.baseline.median_s is not None

    def summary(self) -> str:
        """Return the medians in one line, for those who cannot see a chart."""
        known = [f"{m} {text.duration(m.median_s)}" for m in self.ranked() if m.median_s is not None]
        return f"Median per call: {', '.join(known)}." if known else ""

    def answer(self, *, calls: float | None = None) -> str:
        """Return the answer in a few sentences: what is fastest, or done first where a process makes so many calls."""
        return answers.answer(self, calls)

    def code(self, variant: Variant | str | None = None) -> str:
        """Return Python that runs the user's model the best way found, or as a variant does, or a pattern by name."""
        chosen = str(self.best() if variant is None else takeaway.named(variant))
        try:
            known = Variant.parse(chosen)
        except ValueError:
            if "()" not in chosen:
                raise
            return script.comment(f"{chosen} uses a Python callable of yours; see its Variant for the settings.")
        workload = self.started.workload if self.started else {}
        return known.snippet(setup=workload["code"], method=workload["call"], inputs=workload["inputs_code"])

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict a variant with the columns of `to_frame`, in the order of the study."""
        return [row(measurement) for measurement in self.measurements.values()]

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame, one row a variant in the order of the study; SI units, missing where not measured."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(COLUMNS))

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the whole result as one JSON document, and write it to `path` where one is given."""
        return downloads.saved(json.dumps(downloads.document(self), indent=2, allow_nan=False), path)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the table as CSV, and write it to `path` where one is given; several doubts are joined with ``|``.

        A text that a spreadsheet would take for a formula begins with an apostrophe.
        """
        return downloads.saved(downloads.table(COLUMNS, self.rows()), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the whole result as one HTML file under a megabyte, and write it to `path` where one is given.

        It opens offline, in light and dark, and carries charts, code and, as far as they fit, all raw samples.
        """
        from optkit import report  # a tenth of a second that nobody should wait for who only measures

        content = report.render(self)
        if path is not None:
            report.write(content, Path(path))
        return content

    def svg(self, name: str, *, warm: bool = False) -> str:
        """Return one of the charts (`optkit.charts.CHARTS`) as a small SVG file."""
        return svg.render(self, name, warm=warm, standalone=True)

    def figure(self, name: str, *, warm: bool = False, dark: bool = False) -> Figure:
        """Return one of the charts (`optkit.charts.CHARTS`) as an interactive plotly figure.

        Parameters
        ----------
        name
            ``"latency"``, ``"speedup"``, ``"break_even"``, ``"startup"``, ``"spread"`` or ``"compiling"``.
        warm
            Of ``"break_even"``: with a warm cache; needs a study with ``warm=True``.
        dark
            For a dark page.

        Raises
        ------
        UsageError
            If there is no such chart.
        """
        from optkit import figures

        return figures.figure(self, name, warm=warm, dark=dark)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return page.comparison(self)

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.measurements)} variants: {self.answer()}>"
