"""SettingsForm: which model, in which sizes, how long it may take, and how often a process calls it."""

from __future__ import annotations

from typing import Any

from optkit import zoo
from optkit.errors import OptkitError
from optkit.study import Plan
from optkit.widgets.choice import MOST_CALLS, checked_calls
from optkit.widgets.form import Form, number, select, words
from optkit.workload import Workload

MOST_BATCH = 4096
MOST_BUDGET_S = 86_400
_BOOLEAN = {"no": False, "yes": True}
_GOALS = {"every variant": "all", "the fastest": "best"}


class SettingsForm(Form):
    """Choose a model of the zoo, its sizes, the time budget and more; of a model of the user's own only the latter.

    Attributes
    ----------
    model
        Name of the model, or None where the user gave one.
    batch_size, shape
        As in `Workload`; `shape` is None for the model's own.
    plan
        What is chosen of it here: budget, batch sizes for throughput, warm starts, goal.
    calls
        How many calls a process makes in its life, or None.
    """

    def __init__(
        self,
        model: str | None,
        batch_size: int,
        plan: Plan,
        *,
        shape: tuple[int, ...] | None = None,
        calls: float | None = None,
    ) -> None:
        super().__init__()
        self.take(model, batch_size, plan, shape=shape, calls=calls)

    def take(
        self,
        model: str | None,
        batch_size: int,
        plan: Plan,
        *,
        shape: tuple[int, ...] | None = None,
        calls: float | None = None,
    ) -> None:
        """Show other settings."""
        self.model, self.batch_size, self.plan = model, batch_size, plan
        self.shape = None if shape is None else tuple(shape)
        self.calls = checked_calls(calls)
        self._draw()

    @property
    def workload(self) -> dict[str, Any]:
        """What is chosen of a workload, as JSON."""
        chosen = {"model": self.model, "batch_size": self.batch_size}
        return chosen | ({} if self.shape is None else {"shape": list(self.shape)})

    @property
    def plan_fields(self) -> dict[str, Any]:
        """What is chosen of a plan."""
        return {name: getattr(self.plan, name) for name in ("budget_s", "batch_sizes", "warm", "goal")}

    def choose(self, name: str, value: Any) -> None:
        """Take a value from the browser; raise ValueError where it makes no sense."""
        if name == "model":
            zoo.check_name(value)
            self.model, self.shape = value, None
        elif name == "batch_size" and isinstance(value, int) and 1 <= value <= MOST_BATCH:
            self.batch_size = value
        elif name == "shape" and isinstance(value, str):
            self.shape = self._checked_shape(value)
        elif name == "calls":
            self.calls = checked_calls(value)
        else:
            self.plan = self._changed(name, value)
        self._draw()

    def refuse(self, said: str) -> None:
        """Say why a value was not taken, until another one is."""
        self._warnings = [said]

    def _changed(self, name: str, value: Any) -> Plan:
        now = vars(self.plan)
        if name == "budget_s" and isinstance(value, int | float) and 0 < value <= MOST_BUDGET_S:
            return Plan(**now | {"budget_s": value})
        if name == "batch_sizes" and isinstance(value, str):
            return Plan(**now | {"batch_sizes": _numbers(value, ",")})
        if name == "warm" and value in _BOOLEAN:
            return Plan(**now | {"warm": _BOOLEAN[value]})
        if name == "goal" and value in _GOALS:
            return Plan(**now | {"goal": _GOALS[value]})
        raise ValueError(f"{name} cannot be {value!r}; it stays as it was.")

    def _checked_shape(self, value: str) -> tuple[int, ...] | None:
        shape = _numbers(value, "x") or None
        try:
            Workload(self.model, batch_size=self.batch_size, shape=shape)
        except OptkitError as error:
            raise ValueError(str(error)) from error
        return None if shape == zoo.default_shape(str(self.model)) else shape

    def _draw(self) -> None:
        fields = []
        if self.model is not None:
            usual = zoo.default_shape(self.model)
            shape = "x".join(map(str, self.shape or usual or ()))
            options = [{"value": name, "label": name} for name in zoo.names()]
            fields = [
                select("model", "Model", self.model, options),
                number("batch_size", "Batch size", self.batch_size, least=1, most=MOST_BATCH),
                words("shape", "Shape", shape) | {"hint": "Of one input, without the batch: 3x224x224"},
            ]
        calls = number("calls", "Calls per process", self.calls, least=1, most=MOST_CALLS)
        sizes = words("batch_sizes", "Throughput at", ", ".join(map(str, self.plan.batch_sizes)))
        rare = [
            _of_plan("goal", "Measure well", self.plan.goal, _GOALS)
            | {"hint": "The fastest: whatever is surely not it is finished early"},
            _of_plan("warm", "Warm starts", self.plan.warm, _BOOLEAN)
            | {"hint": "Start every variant once more, with the cache that the first one filled"},
            sizes
            | {"hint": "Batch sizes at which inputs per second are counted: 1, 8, 32", "set": bool(sizes["value"])},
        ]
        self._warnings = []
        self._fields = [
            *fields,
            number("budget_s", "Budget (s)", self.plan.budget_s, least=1, most=MOST_BUDGET_S)
            | {"hint": "Seconds of measuring; compiling can take longer, and everything gets three rounds"},
            calls | {"hint": "Start-up then counts: the answer is what is done first. Empty: only speed counts"},
            *(one | {"rare": True} for one in rare),
        ]


def _of_plan(name: str, label: str, value: Any, choices: dict[str, Any]) -> dict[str, Any]:
    shown = next(said for said, one in choices.items() if one == value)
    options = [{"value": said, "label": said} for said in choices]
    return select(name, label, shown, options) | {"set": shown != next(iter(choices))}


def _numbers(said: str, separator: str) -> tuple[int, ...]:
    """Read whole numbers; ValueError where something else is among them."""
    found = tuple(int(one) for one in said.lower().replace("×", "x").split(separator) if one.strip())
    if any(one < 1 for one in found):
        raise ValueError(f"{said!r} has a number below 1")
    return found
