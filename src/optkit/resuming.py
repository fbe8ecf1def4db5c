"""Resuming a study that ended early: the same run goes on, with new workers, where its rounds ended.

Ratios are taken within a round, against the baselines of the same workers, so rounds of both parts can stand beside
each other. Two sessions are two draws of what differs between sessions: the interval says little of a third.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from optkit import environment, takeaway
from optkit.comparison import Comparison
from optkit.environment import MACHINE
from optkit.errors import UsageError
from optkit.run_diff import SAME_WORKLOAD
from optkit.store import LAST, Store
from optkit.study import Plan, Study, collect
from optkit.variant import BASELINE, Variant
from optkit.workload import workload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from optkit.events import Event
    from optkit.workload import Workload


def resume(
    run_id: str = LAST,
    model: Any = None,
    inputs: Any = None,
    *,
    budget_s: float | None = None,
    variants: Iterable[Variant] = (),
    seen: Callable[[Event, Comparison], None] | None = None,
) -> Comparison:
    """Go on with a study that was stopped, ran out of budget, or whose process was killed.

    Parameters
    ----------
    run_id
        Its id, the beginning of one, or ``"last"``.
    model, inputs
        What was measured, where it is no model by name: events hold no models. A `Workload` is taken as well.
    budget_s
        Seconds from now on; None: what is left of the study's own budget.
    variants
        Those whose text cannot be read back, because a callable is part of it.
    seen
        Is told each new event, with the comparison so far.

    Returns
    -------
    Comparison
        Of both parts. Other rows stay as they were: what failed or was skipped is not tried again.

    Raises
    ------
    UsageError
        If the run is still measured, is done, or was measured with something else than is here now.
    """
    return collect(study_of(run_id, model, inputs, budget_s=budget_s, variants=variants), seen)


def study_of(
    run_id: str,
    model: Any = None,
    inputs: Any = None,
    *,
    budget_s: float | None = None,
    variants: Iterable[Variant] = (),
) -> Study:
    """Return the study that goes on with a run; see `resume`."""
    with Store() as store:
        run_id = store.find(run_id)
        if store.run(run_id).is_running:
            raise UsageError(f"Run {run_id} is still being measured, by another process; wait for its end.")
        events = store.events(run_id)
    known = Comparison(events)
    if known.started is None or known.ended_because not in (None, "stopped", "budget", "interrupted"):
        raise UsageError(f"Run {run_id} is done, so there is nothing to resume; start a new study.")
    workload = workload_again(known, model, inputs, whole=True)
    given = {str(variant): variant for variant in variants}
    chosen = [_variant(text, given) for text in known.started.variants if text != str(BASELINE)]
    _check_here(known.started.environment)
    return Study(workload, chosen or [BASELINE], _plan(known, budget_s), known=events)


def workload_again(known: Comparison, model: Any = None, inputs: Any = None, *, whole: bool = False) -> Workload:
    """Return what a run measured, to be measured again.

    Parameters
    ----------
    known
        The run.
    model, inputs
        As in `resume`.
    whole
        Whether the model's source must be the same, too.

    Raises
    ------
    UsageError
        If that is not here, or is something else.
    """
    assert known.started is not None
    record = known.started.workload
    if model is None or (inputs is None and model == record["model"]):
        workload = takeaway.workload_of(None, record)
        if workload is None:
            raise UsageError(
                f"Run {known.run_id} measured a model of yours, {record['model']}; give it, and its inputs, in Python: "
                f"optkit.resume({known.run_id!r}, model, inputs)."
            )
        return workload
    given = {} if inputs is None else {name: record.get(name) for name in ("device", "call")}
    workload = workload_from(model, inputs, **given)
    here = workload.describe(environment.detect())
    names = (*SAME_WORKLOAD, "digest") if whole else SAME_WORKLOAD
    differ = [name for name in names if name in record and here[name] != record[name]]
    if differ:
        other = ", ".join(f"{name} {here[name]!r} and not {record.get(name)!r}" for name in differ)
        raise UsageError(f"Run {known.run_id} measured something else: this has {other}.")
    return workload


def _variant(text: str, given: Mapping[str, Variant]) -> Variant:
    if text in given:
        return given[text]
    if "()" in text:
        raise UsageError(f"{text} uses a Python callable of yours; give its Variant in variants=.")
    return Variant.parse(text)


def _check_here(there: Mapping[str, Any]) -> None:
    """Raise unless this machine and its versions are those of the run."""
    here = environment.detect().to_json()
    pairs = {said: (here.get(name), there.get(name)) for name, said in MACHINE.items()}
    versions = here["versions"], there.get("versions", {})
    pairs |= {name: (versions[0].get(name), versions[1].get(name)) for name in sorted({*versions[0], *versions[1]})}
    for said, (now, then) in pairs.items():
        if now != then:
            raise UsageError(
                f"The run was measured with another {said} ({then}, here {now}), so its rounds cannot go on; start a "
                "new study, and compare both with optkit diff."
            )


def _plan(known: Comparison, budget_s: float | None) -> Plan:
    assert known.started is not None
    plan = Plan(**known.started.plan)
    if budget_s is not None:
        dataclasses.replace(plan, budget_s=budget_s)  # says what is wrong with it
    left_s = plan.budget_s - known.elapsed_s if budget_s is None else budget_s
    if left_s <= 0:
        raise UsageError("Its budget is used up; say with budget_s= for how many seconds more it is to go on.")
    return dataclasses.replace(plan, budget_s=known.elapsed_s + left_s)
