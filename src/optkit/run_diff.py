"""What changed between two runs of the same workload: other versions, another machine, another day. Pure.

Rounds of two runs are not paired, so what slowed the machine in one of them does not cancel. On one machine eager is
the yardstick: how far it moved itself is what any other change has to exceed. Between two machines it is a result.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import stats, text
from optkit.environment import MACHINE
from optkit.errors import UsageError
from optkit.html_table import html_table
from optkit.timings import round_medians
from optkit.verdicts import PASSING, Verdict, decide

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from optkit.comparison import Comparison
    from optkit.measurement import Measurement

SAME_WORKLOAD = ("model", "source", "batch_size", "shape", "batches", "inputs", "call", "weights", "inputs_code")
"""What the records of two workloads must have in common for their times to be compared."""
BETWEEN_SESSIONS = 0.15
"""Two sessions cannot tell how far sessions differ, and they differ for each variant: where its memory lies, who its
neighbours are. A smaller change than this is never called one."""
LEAST_SHOWN = 0.1
HEAD = ("", "before", "after", "times faster", "95 %", "verdict", "speed-up before", "after")


@dataclass(frozen=True)
class Change:
    """How one variant changed.

    Attributes
    ----------
    before_s, after_s
        Median seconds per call in either run.
    ratio, interval
        How many times faster it is after (of eager, both its workers), and its 95 % interval; None where there are too
        few rounds for one.
    widest
        The 99 % interval that the verdict rests on.
    verdict
        ``faster``: it is faster after. See `optkit.verdicts.decide`.
    speedup_before, speedup_after
        Against eager of the same run.
    reason
        Why the verdict is what it is, where that is not plain; or why there is none.
    agrees_no_more
        Whether its outputs agreed with eager's before, and do not after.
    """

    variant: str
    before_s: float | None = None
    after_s: float | None = None
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    widest: tuple[float, float] | None = None
    verdict: Verdict = Verdict.INCONCLUSIVE
    speedup_before: float | None = None
    speedup_after: float | None = None
    reason: str | None = None
    agrees_no_more: bool = False


@dataclass(frozen=True)
class RunDiff:
    """Two runs of a workload beside each other.

    Attributes
    ----------
    before, after
        Ids of the runs.
    model
        What both measured.
    changes
        One `Change` for each variant that both have, in the order of the first run.
    noise
        How far a change can be nothing but the machine: the larger noise of both runs, and on one machine what eager
        moved added to it; None where that is not known, and no verdict is given.
    elsewhere
        What says that the runs were made on different machines or devices; empty for one machine.
    notes
        What else differs, and what has to be known to read it; a sentence each.
    """

    before: str
    after: str
    model: str
    changes: tuple[Change, ...]
    noise: float | None
    elsewhere: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default_factory=tuple)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each variant."""
        import pandas as pd

        return pd.DataFrame([self._row(change) for change in self.changes])

    @staticmethod
    def _row(change: Change) -> dict[str, Any]:
        low, high = change.interval or (None, None)
        told = {name: value for name, value in asdict(change).items() if name not in ("interval", "widest")}
        return told | {"verdict": str(change.verdict), "ratio_low": low, "ratio_high": high}

    def to_json(self) -> str:
        """Return it as one JSON document."""
        rows = [self._row(change) for change in self.changes]
        told = {name: getattr(self, name) for name in ("before", "after", "model", "noise", "notes")}
        return json.dumps({"schema": 1} | told | {"changes": rows}, indent=2, allow_nan=False)

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                one.variant, text.duration(one.before_s), text.duration(one.after_s), _times(one.ratio),
                "–" if one.interval is None else f"{one.interval[0]:.2f}–{one.interval[1]:.2f}", str(one.verdict),
                _times(one.speedup_before), _times(one.speedup_after),
            )
            for one in self.changes
        ]  # fmt: skip

    def __str__(self) -> str:
        rows = [HEAD, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip() for row in rows]
        reasons = [f"- {one.variant}: {one.reason}" for one in self.changes if one.reason]
        return "\n".join([self._head, "", *lines, "", *reasons, *(f"- {note}" for note in self.notes)]).rstrip()

    @property
    def _head(self) -> str:
        return f"{self.model}: {self.before} (before) and {self.after} (after)"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        reasons = [f"{one.variant}: {one.reason}" for one in self.changes if one.reason]
        notes = "".join(f"<li>{escape(one)}</li>" for one in (*reasons, *self.notes))
        html = f"<p><b>{escape(self._head)}</b></p>{html_table(HEAD, self._cells())}<ul>{notes}</ul>"
        return {"text/plain": str(self), "text/html": html}


class Yardstick(NamedTuple):
    """What a change has to exceed, see `RunDiff.noise`; and how far the two equal workers of the runs lie apart."""

    noise: float | None
    gap: float


def diff_of(before: Comparison, after: Comparison, *, steady: bool = False) -> RunDiff:
    """Compare two runs; see `optkit.diff`. On a `steady` machine what eager moved is a result, and no noise."""
    _check(before, after)
    elsewhere = _elsewhere(before, after)
    is_one_machine = not elsewhere and not steady
    eager = _change(before, after, str(before.baseline), Yardstick(_noise(before, after), _gap(before, after)))
    drift = abs(math.log(eager.ratio)) if is_one_machine and eager.ratio is not None else 0.0
    noise = _noise(before, after)
    # Added, not the larger of both: eager can have stood still because two changes of the machine cancelled.
    known = Yardstick(None if noise is None else noise + math.expm1(drift), _gap(before, after))
    names = [name for name in before.measurements if name in after.measurements]
    changes = [_change(before, after, name, known) for name in names if name != eager.variant]
    if is_one_machine and eager.verdict in (Verdict.FASTER, Verdict.SLOWER):
        eager = _undecided(eager)
    notes = (*_notes(before, after), *([] if steady else _drift_note(eager, elsewhere)))
    return RunDiff(
        str(before.run_id), str(after.run_id), _model(before), (eager, *changes), known.noise, elsewhere, notes,
    )  # fmt: skip


def _check(before: Comparison, after: Comparison) -> None:
    """Raise a UsageError that says why the runs cannot be compared."""
    if before.started is None or after.started is None:
        raise UsageError("One of the runs has no events, so there is nothing to compare.")
    one, other = before.started.workload, after.started.workload
    names = [name for name in SAME_WORKLOAD if name in one and name in other and one[name] != other[name]]
    differ = [f"{name} ({one.get(name)!r}, {other.get(name)!r})" for name in names]
    if differ:
        raise UsageError(f"The runs measured different things, so their times cannot be compared: {', '.join(differ)}.")
    for run in (before, after):
        if not run.has_answer:
            raise UsageError(f"In run {run.run_id} eager was not measured, so there is nothing to compare with.")


def _elsewhere(before: Comparison, after: Comparison) -> tuple[str, ...]:
    """Return what says that the runs were made on different machines, or devices."""
    assert before.started is not None
    assert after.started is not None
    one, other = before.started, after.started
    found = [said for name, said in MACHINE.items() if one.environment.get(name) != other.environment.get(name)]
    return (*found, *(["device"] if one.workload.get("device") != other.workload.get("device") else []))


def _change(before: Comparison, after: Comparison, name: str, known: Yardstick) -> Change:
    one, other = before.measurements[name], after.measurements[name]
    for run, measured in (("first", one), ("second", other)):
        if measured.median_s is None:
            return Change(name, reason=f"It was not measured in the {run} run: {measured.reason or measured.status}")
    earlier, later = _medians(one), _medians(other)
    ratio = stats.median(earlier) / stats.median(later)
    found = [stats.interval_between(earlier, later, confidence, one.seed) for confidence in (0.95, 0.99)]
    inner, outer = (None if it is None else stats.stretched(it, known.gap) for it in found)
    verdict = Verdict.INCONCLUSIVE
    if outer is not None and known.noise is not None:
        verdict = decide(outer, min(len(earlier), len(later)), known.noise + BETWEEN_SESSIONS)
    no_more = one.agreement in PASSING and other.agreement is not None and other.agreement not in PASSING
    reason = None
    if no_more:
        reason = f"Its outputs agreed with eager's, and do not any more ({other.agreement})."
    elif outer is None:
        reason = "There were too few rounds to tell."
    elif verdict == Verdict.SAME:
        reason = f"In these two sessions: how sessions differ, up to {BETWEEN_SESSIONS:.0%}, can hide a change as well."
    return Change(
        name, one.median_s, other.median_s, ratio, inner, outer, verdict, one.speedup, other.speedup, reason, no_more,
    )  # fmt: skip


def _medians(measured: Measurement) -> list[float]:
    """Return one time a round: of eager the mean of its two workers, as everywhere."""
    if measured.baseline is measured:
        return list(measured.reference_s.values())
    return list(round_medians(measured.round_samples_s).values())


def _noise(before: Comparison, after: Comparison) -> float | None:
    """Return the larger noise; None where one is not known."""
    return None if before.noise is None or after.noise is None else max(before.noise, after.noise)


def _gap(before: Comparison, after: Comparison) -> float:
    assert before.baseline is not None
    assert after.baseline is not None
    return before.baseline.twin_gap + after.baseline.twin_gap


def _undecided(eager: Change) -> Change:
    why = "It moved: that can be the machine, or other versions; these two runs cannot tell which."
    return dataclasses.replace(eager, verdict=Verdict.INCONCLUSIVE, reason=why)


def _drift_note(eager: Change, elsewhere: tuple[str, ...]) -> list[str]:
    if elsewhere:
        differ = ", ".join(elsewhere)
        return [f"These are different machines or devices ({differ} differ), so that eager changed is a result too."]
    if eager.ratio is None:
        return []
    far = math.expm1(abs(math.log(eager.ratio)))
    return [f"Between these runs eager itself moved by {far:.1%}; a smaller change of another row is called nothing."]


def _notes(before: Comparison, after: Comparison) -> list[str]:
    """Say what differs in the surroundings, and which variants only one of the runs has."""
    assert before.started is not None
    assert after.started is not None
    one, other = before.started.environment.get("versions", {}), after.started.environment.get("versions", {})
    names = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    moved = [f"{name} {one.get(name, 'none')} → {other.get(name, 'none')}" for name in names]
    notes = [f"Versions differ: {', '.join(moved)}."] if moved else []
    threads = (before.baseline.threads, after.baseline.threads) if before.baseline and after.baseline else (None, None)
    if threads[0] != threads[1]:
        notes.append(f"Threads differ: {threads[0]} → {threads[1]}.")
    for here, there, said in ((before, after, "first"), (after, before, "second")):
        alone = [name for name in here.measurements if name not in there.measurements]
        if alone:
            notes.append(f"Only in the {said} run: {', '.join(alone)}.")
    notes.append(f"A change below {BETWEEN_SESSIONS:.0%} is not called one: sessions can differ by that for no reason.")
    if before.started.environment.get("platform") != after.started.environment.get("platform"):
        systems = [str(one.environment.get("platform")) for one in (before.started, after.started)]
        notes.append(f"The system differs: {' → '.join(systems)}.")
    if before.started.workload.get("source") != "zoo":
        one, other = (run.started.workload.get("digest") for run in (before, after) if run.started)
        differs = None not in (one, other) and one != other
        told = "has another source now" if differs else "may have changed in what its own source does not show"
        notes.append(f"It is a model of yours, which {told}.")
    return notes


def _model(comparison: Comparison) -> str:
    workload: Mapping[str, Any] = comparison.started.workload if comparison.started else {}
    return str(workload.get("model"))


def _times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}×" if ratio >= LEAST_SHOWN else f"{ratio:.1e}×"
