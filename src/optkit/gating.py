"""A gate for CI: is anything slower than in an earlier run, by more than is allowed? Says so only where it is known."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import resuming, runs, stats
from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.run_diff import RunDiff, diff_of
from optkit.store import LAST
from optkit.study import Study, collect, plan_from
from optkit.variant import BASELINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.measurement import Measurement
    from optkit.run_diff import Change

SLOWDOWN = 0.05


@dataclass(frozen=True)
class Judged:
    """What the gate says of one variant.

    Attributes
    ----------
    holds
        True: it is not slower by more than is allowed. False: it is, or it fails, or gives other outputs now. None:
        that cannot be told.
    slowdown, low, high
        How much longer a call takes, as a fraction of before, with its 99 % interval, which includes the noise; None
        where unknown.
    reason
        Why, in a sentence.
    """

    variant: str
    holds: bool | None
    slowdown: float | None
    low: float | None
    high: float | None
    reason: str


@dataclass(frozen=True)
class Gate:
    """What the gate says.

    Attributes
    ----------
    rows
        A `Judged` for each variant. On one machine eager is the yardstick, and what slows all variants alike cannot
        be told from a slower machine: that is never False.
    max_slowdown
        What is allowed, as a fraction.
    diff
        The two runs beside each other; the second one is kept in the history as well.
    """

    rows: tuple[Judged, ...]
    max_slowdown: float
    diff: RunDiff

    @property
    def holds(self) -> bool | None:
        """Whether everything holds; None where something cannot be told, and nothing is known not to hold."""
        found = [row.holds for row in self.rows]
        return False if False in found else None if None in found else True

    def to_json(self) -> str:
        """Return it as one JSON document."""
        told = {"schema": 1, "holds": self.holds, "max_slowdown": self.max_slowdown, "noise": self.diff.noise}
        runs_told = {"before": self.diff.before, "after": self.diff.after, "notes": self.diff.notes}
        return json.dumps(told | runs_told | {"rows": [asdict(row) for row in self.rows]}, indent=2, allow_nan=False)

    def __str__(self) -> str:
        said = {True: "yes", False: "no", None: "cannot be told"}
        head = f"At most {self.max_slowdown:.1%} slower than run {self.diff.before}: {said[self.holds]}."
        rows = [f"- {row.variant}: {said[row.holds]}. {row.reason}" for row in self.rows]
        return "\n".join([head, *rows, *(f"- {note}" for note in self.diff.notes)])


def gate(
    model: Any,
    baseline: str | Path | Comparison = LAST,
    inputs: Any = None,
    *,
    max_slowdown: float | str = SLOWDOWN,
    steady: bool = False,
    measure: Callable[[Study], Comparison] = collect,
    **plan_fields: Any,
) -> Gate:
    """Measure a model as an earlier run did, and say whether anything is slower than is allowed.

    Parameters
    ----------
    model, inputs
        As in `optkit.compare`; a `Workload` is taken as well. What was measured then is measured again.
    baseline
        A run that is kept (as in `optkit.load`), the path of a file that `optkit export` wrote, which holds one run, or
        a comparison.
    max_slowdown
        How much longer a call may take: 0.05 or ``"5%"``.
    steady
        You know that the machine is as fast as it was then. What eager lost too is then the model's; else it is taken
        for the machine's, and a model that became slower as a whole cannot be told from a slower machine.
    measure
        Runs the study.
    plan_fields
        Fields of `Plan`; what is left out is as it was then.

    Raises
    ------
    UsageError
        If the earlier run measured something else, or cannot be found.
    """
    most = fraction(max_slowdown)
    before = baseline if isinstance(baseline, Comparison) else _read(str(baseline))
    if before.started is None:
        raise UsageError("The earlier run has no events, so there is nothing to compare with.")
    workload = resuming.workload_again(before, model, inputs)
    chosen = [name for name in before.measurements if name != str(BASELINE)]
    after = measure(Study(workload, chosen or [BASELINE], plan_from(None, dict(before.started.plan) | plan_fields)))
    found = diff_of(before, after, steady=steady)
    # Where eager is the yardstick it is judged itself only if there is nothing else.
    judged = [one for one in found.changes if steady or len(found.changes) == 1 or one.variant != str(BASELINE)]
    rows = tuple(
        _judge(one, found, before.measurements[one.variant], after.measurements[one.variant], most) for one in judged
    )
    return Gate(rows, most, found)


def fraction(said: float | str) -> float:
    """Read ``"5%"``, ``"0.05"`` or 0.05; as a text, a bare number from 1 on could be meant either way."""
    is_percent = isinstance(said, str) and said.strip().endswith("%")
    try:
        number = float(said.strip().removesuffix("%") if isinstance(said, str) else said)
    except (TypeError, ValueError):
        number = float("nan")
    is_unclear = isinstance(said, bool) or (isinstance(said, str) and not is_percent and number >= 1)
    if not 0 <= number < float("inf") or is_unclear:
        raise UsageError(f"How much slower is allowed must be a share such as 5% or 0.05, not {said!r}.")
    return number / 100 if is_percent else number


def _read(name: str) -> Comparison:
    """Return the run of this name, or the one in a file of this name."""
    return runs.read(name) if Path(name).is_file() or "/" in name or Path(name).suffix else runs.load(name)


def _judge(change: Change, found: RunDiff, before: Measurement, after: Measurement, most: float) -> Judged:
    """Say whether a variant holds. What cannot be compared any more, or agrees no more, does not."""
    if after.status == "failed" and before.status == "failed":
        return Judged(change.variant, None, None, None, None, f"It failed in the earlier run as well: {after.reason}")
    if after.status == "failed":
        return Judged(change.variant, False, None, None, None, f"It fails now: {after.reason}")
    slowdown, low, high = _slowdown(change, found.noise)
    said = "" if low is None or high is None else f"({1 + low:.2f}–{1 + high:.2f}, noise included)"
    takes = "" if slowdown is None else f"A call takes {1 + slowdown:.2f} times what it took {said}".strip() + "."
    holds: bool | None = None
    if change.agrees_no_more:
        holds, reason = False, str(change.reason)
    elif low is None or high is None:
        reason = change.reason or f"{takes} How far this machine strays by itself is not known."
    elif found.elsewhere:
        reason = f"The earlier run was made elsewhere ({', '.join(found.elsewhere)} differ)."
    else:
        holds = False if low > most else True if high <= most else None
        reason = takes if holds is not None else f"{takes} {_what_would_tell(found, most)}"
    if holds and after.agreement is None:
        holds, reason = None, f"{takes} Its outputs were not compared, so it is not known whether they still agree."
    return Judged(change.variant, holds, slowdown, low, high, reason)


def _what_would_tell(found: RunDiff, most: float) -> str:
    eager = found.changes[0]
    if found.noise is not None and eager.ratio is not None and abs(math.log(eager.ratio)) > math.log1p(most):
        return "Eager moved as well: where you know that the machine is as fast as it was, steady (--steady) says so."
    return "A larger budget, or a quieter machine, would tell."


def _slowdown(change: Change, noise: float | None) -> tuple[float | None, float | None, float | None]:
    """Return how much longer a call takes, with its 99 % interval stretched by what can be nothing but the machine."""
    if change.ratio is None:
        return None, None, None
    if change.widest is None or noise is None:
        return 1 / change.ratio - 1, None, None
    low, high = stats.stretched(change.widest, math.log1p(noise))
    return 1 / change.ratio - 1, 1 / high - 1, 1 / low - 1
