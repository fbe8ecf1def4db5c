"""What is chosen in an Explorer as JSON, and read back from it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import environment, zoo
from optkit.errors import UsageError
from optkit.presets import resolve
from optkit.resuming import workload_again
from optkit.study import Plan, plan_from
from optkit.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.comparison import Comparison

MOST_CALLS = 10**12
GIVEN = ("device", "call", "weights")
"""What says how a model of the zoo is measured, and is given in code."""


class Choice(NamedTuple):
    """What an Explorer has chosen; the model is None where it is the user's own."""

    model: str | None
    batch_size: int
    shape: tuple[int, ...] | None
    given: dict[str, Any]
    variants: list[str] | str
    plan: Plan
    calls: float | None


def of_plan(plan: Plan) -> dict[str, Any]:
    """Return what a plan has besides the usual, and its budget."""
    usual = Plan().to_json()
    return {name: value for name, value in plan.to_json().items() if value != usual[name] or name == "budget_s"}


def checked_calls(calls: float | None) -> float | None:
    """Return how many calls a process makes, or None for no number; a UsageError for anything else."""
    is_number = isinstance(calls, int | float) and not isinstance(calls, bool)
    if calls is None or (is_number and 1 <= calls <= MOST_CALLS):
        return calls
    raise UsageError(f"calls must be a number of calls from 1 on, or None, not {calls!r}.")


def read(settings: Mapping[str, Any], *, own: Workload | None) -> Choice:
    """Read `Explorer.settings`, in any form that `optkit.explore` takes.

    Raises
    ------
    UsageError
        If a model is named where the user's own is measured, or something makes no sense; TypeError for an unknown
        setting.
    """
    rest = dict(settings)
    model, batch_size, shape = rest.pop("model", None), rest.pop("batch_size", 1), rest.pop("shape", None)
    given = {name: value for name in GIVEN if (value := rest.pop(name, None)) is not None}
    variants, calls = rest.pop("variants", "recommended"), checked_calls(rest.pop("calls", None))
    plan = plan_from(None, rest)
    if own is not None and (model is not None or given):
        raise UsageError("This Explorer has a model of yours; leave model, device, call and weights out.")
    if own is None:
        if model is None:
            raise UsageError("The settings name no model; give one of the zoo, or the model to optkit.explore.")
        workload = Workload(model, batch_size=batch_size, shape=shape, **given)  # says what is wrong with it
        shape = workload.shape if shape is not None else None
    if variants not in ([], ()):
        resolve(variants, environment.detect())  # an unknown variant is told before anything has changed
    return Choice(model, batch_size, shape, given, variants, plan, calls)


def recorded(run: Comparison) -> dict[str, Any]:
    """Return the settings of a run, as far as its record has them: a model of the user's own is not among them."""
    if run.started is None:
        return {}
    record, chosen = run.started.workload, dict[str, Any]()
    if record.get("source") == "zoo" and record.get("batch_size") is not None:
        chosen = {"model": record["model"], "batch_size": record["batch_size"]}
        shape = record.get("shape")
        if shape and tuple(shape) != zoo.default_shape(record["model"]):
            chosen["shape"] = list(shape)
    usual = {"device": environment.detect().device, "call": "forward"}
    chosen |= {name: record[name] for name in GIVEN if record.get(name) not in (None, usual.get(name))}
    variants = [name for name in run.started.variants if name != run.started.baseline]
    return chosen | {"variants": variants} | of_plan(Plan(**run.started.plan))


def of_run(run: Comparison, own: Workload | None) -> dict[str, Any]:
    """Return the settings that measure again what a run measured.

    Parameters
    ----------
    run
        One that is kept.
    own
        The user's own model, where the Explorer has one.

    Raises
    ------
    UsageError
        If the run measured something that is not here.
    """
    workload = workload_again(run, own)
    if own is None and workload.batches is not None:
        raise UsageError(f"Run {run.run_id} measured inputs of yours; give them, with the model, to optkit.explore.")
    settings = recorded(run)
    return settings if own is None else {name: one for name, one in settings.items() if name not in GIVEN}
