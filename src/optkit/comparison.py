"""Comparison: the fold of a study's events, and the answer read from it.

Because it is a fold, a comparison of a running study, of a stopped one and of one read from a file are the same.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.events import Event, PhaseBegan, StudyEnded, StudyStarted, VariantEvent
from optkit.measurement import COLUMNS, Measurement, ranked
from optkit.variant import Variant
from optkit.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from optkit.events import EndReason

SCHEMA = 1
ENDINGS: dict[EndReason, str] = {
    "rounds": "all rounds are done",
    "target": "every interval is narrow enough",
    "budget": "the time budget is used up",
    "stopped": "it was stopped",
    "nothing_left": "no variant is left that runs",
    "baseline_failed": "the baseline failed, so there is nothing to compare with",
}


class Comparison:
    """All measurements of a study.

    Parameters
    ----------
    events
        The events so far; more can follow through `apply`.

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
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.measurements: dict[str, Measurement] = {}
        self.started: StudyStarted | None = None
        self.ended_because: EndReason | None = None
        self.now: PhaseBegan | None = None
        self.elapsed_s = 0.0
        self._twin = Measurement("twin")
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take in one more event."""
        self.elapsed_s = event.at_s
        if isinstance(event, StudyStarted):
            self._begin(event)
        elif isinstance(event, StudyEnded):
            self._end(event)
        elif isinstance(event, VariantEvent):
            if isinstance(event, PhaseBegan):
                self.now = event
            target = self._twin if event.twin else self.measurements.get(event.variant)
            if target is not None:
                target.apply(event)

    def _begin(self, event: StudyStarted) -> None:
        self.started = event
        seed = int(event.plan.get("seed", 0))
        self.measurements = {text: Measurement(text, seed) for text in event.variants}
        baseline = self.measurements[event.baseline]
        for measurement in self.measurements.values():
            measurement.baseline = baseline
        self._twin = Measurement(event.baseline, seed, baseline=baseline)
        baseline.twin = self._twin

    def _end(self, event: StudyEnded) -> None:
        self.ended_because = event.because
        for measurement in self.measurements.values():
            measurement.final = True
            if measurement.status in ("waiting", "running"):
                measurement.status = "stopped"

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

    def ranked(self) -> list[Measurement]:
        """Return the measurements, lowest median first; those without one last."""
        return ranked(self.measurements.values())

    def best(self) -> Measurement:
        """Return the fastest variant that is called faster than the baseline; the baseline if there is none.

        Raises
        ------
        ValueError
            If no study has begun.
        """
        if self.baseline is None:
            raise ValueError("There is no best variant yet: no study has begun.")
        faster = [
            m for m in self.measurements.values() if m.verdict == Verdict.FASTER and m.status in ("ok", "stopped")
        ]
        compiled = [m for m in faster if m.graphs != 0]  # eager's times under another name are not an answer
        return max(compiled, key=lambda m: m.speedup or 0.0, default=self.baseline)

    @property
    def has_answer(self) -> bool:
        """Whether the baseline was measured, so that there is something to compare with."""
        return self.baseline is not None and self.baseline.median_s is not None

    def summary(self) -> str:
        """Return the medians in one line, for those who cannot see a chart."""
        known = [f"{m} {text.duration(m.median_s)}" for m in self.ranked() if m.median_s is not None]
        return f"Median per call: {', '.join(known)}." if known else ""

    def answer(self) -> str:
        """Return the answer in one or two sentences."""
        baseline = self.baseline
        if baseline is None or baseline.median_s is None:
            return self._no_answer()
        best = self.best()
        if best is not baseline:
            low, high = best.interval() or (float("nan"), float("nan"))
            said = f"{best} is {best.speedup:.2f}× faster than {baseline} ({low:.2f}–{high:.2f})."
            pays = text.duration(best.first_call_s) if best.first_call_s else "unknown"
            said = f"{said} Its first call takes {pays}. Outputs were not compared."
            return " ".join([said, *self._footnotes()])
        others = [m for m in self.measurements.values() if m is not baseline]
        undecided = [m for m in others if m.median_s is not None and _may_be_faster(m)]
        if self.ended_because is None:
            return f"Nothing is known to beat {baseline} yet ({text.duration(baseline.median_s)} a call)."
        if undecided:
            names = " and ".join(map(str, undecided)) if len(undecided) < 3 else f"{len(undecided)} variants"  # noqa: PLR2004
            said = f"Inconclusive: {names} may or may not beat {baseline}; a larger budget would tell."
        elif all(m.median_s is None for m in others):
            return f"Only {baseline} could be measured: {text.duration(baseline.median_s)} a call."
        else:
            said = f"Nothing beats {baseline}: {text.duration(baseline.median_s)} a call."
        return " ".join([said, *self._footnotes()])

    def _footnotes(self) -> list[str]:
        """Return what must be said beside an answer."""
        everyone = list(self.measurements.values())
        missing = [str(m) for m in everyone if m.median_s is None]
        uncompiled = [str(m) for m in everyone if m.graphs == 0]
        found = [f"Not measured: {', '.join(missing)}."] if missing else []
        if uncompiled:
            found.append(f"torch.compile compiled nothing of this model: {', '.join(uncompiled)}.")
        if self.baseline is not None and self.baseline.status == "failed":
            found.append(f"The baseline failed on the way: {self.baseline.reason}")
        return found

    def _no_answer(self) -> str:
        if self.ended_because is None:
            return "Measuring …" if self.started else "Nothing was measured yet."
        reason = self.baseline.reason if self.baseline else None
        return f"There is no answer: {reason}" if reason else f"There is no answer: {ENDINGS[self.ended_because]}."

    def code(self) -> str:
        """Return Python that runs the user's model the best way found."""
        best = str(self.best())
        try:
            variant = Variant.parse(best)
        except ValueError:  # a custom backend: its callable cannot be written down
            return f"# {best} uses a Python callable of yours; see its Variant for the settings."
        workload = self.started.workload if self.started else {}
        return variant.code(setup=workload["code"], method=workload["call"], inputs=workload["inputs_code"])

    def rows(self) -> list[dict[str, Any]]:
        """Return one dict a variant with the columns of `to_frame`, in the order of the study."""
        return [measurement.row() for measurement in self.measurements.values()]

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame, one row a variant in the order of the study; SI units, missing where not measured."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(COLUMNS))

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the whole result as one JSON document, and write it to `path` where one is given."""
        started = self.started
        document = {
            "schema": SCHEMA,
            "run_id": self.run_id,
            "workload": started.workload if started else None,
            "environment": started.environment if started else None,
            "plan": started.plan if started else None,
            "rows": self.rows(),
            "best": str(self.best()) if self.has_answer else None,
            "noise": self.noise,
            "ended_because": self.ended_because,
        }
        return _write(json.dumps(document, indent=2, allow_nan=False), path)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Return the table as CSV, and write it to `path` where one is given; several doubts are joined with ``|``."""
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"doubts": "|".join(row["doubts"])} for row in self.rows())
        return _write(out.getvalue(), path)

    def __repr__(self) -> str:
        return f"<Comparison of {len(self.measurements)} variants: {self.answer()}>"


def _may_be_faster(measurement: Measurement) -> bool:
    if measurement.verdict not in (None, Verdict.INCONCLUSIVE) or measurement.graphs == 0:
        return False
    interval = measurement.interval()
    return interval is None or interval[1] > 1


def _write(content: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(content, encoding="utf-8")
    return content
