"""What is chosen in an Explorer as JSON, and read back from it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from optkit import environment, zoo
from optkit.errors import UsageError
from optkit.resuming import workload_again
from optkit.study import Plan, plan_from
from optkit.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.comparison import Comparison

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
    variants, calls = rest.pop("variants", "recommended"), rest.pop("calls", None)
    plan = plan_from(None, rest)
    if own is not None and (model is not None or given):
        raise UsageError("This Explorer has a model of yours; leave model, device, call and weights out.")
    if own is None:
        if model is None:
            raise UsageError("The settings name no model; give one of the zoo, or the model to optkit.explore.")
        workload = Workload(model, batch_size=batch_size, shape=shape, **given)  # says what is wrong with it
        shape = workload.shape if shape is not None else None
    return Choice(model, batch_size, shape, given, variants, plan, calls)


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
    assert run.started is not None
    workload = workload_again(run, own)
    if own is None and workload.batches is not None:
        raise UsageError(f"Run {run.run_id} measured inputs of yours; give them, with the model, to optkit.explore.")
    chosen: dict[str, Any] = {}
    if own is None:
        chosen = {"model": workload.name, "batch_size": workload.batch_size}
        if workload.shape is not None and workload.shape != zoo.default_shape(workload.name):
            chosen["shape"] = list(workload.shape)
        usual = {"device": Workload(workload.name).place(environment.detect()), "call": "forward", "weights": None}
        record = run.started.workload
        chosen |= {name: record[name] for name in GIVEN if record.get(name) not in (None, usual[name])}
    variants = [name for name in run.started.variants if name != run.started.baseline]
    return chosen | {"variants": variants} | of_plan(Plan(**run.started.plan))
