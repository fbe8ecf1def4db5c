"""SettingsForm: which model, in which batch size, and how long it may take."""

from __future__ import annotations

from typing import Any

from optkit import zoo
from optkit.study import Plan
from optkit.widgets.form import Form, number, select

MOST_BATCH = 4096
MOST_BUDGET_S = 86_400


class SettingsForm(Form):
    """Choose a model of the zoo, its batch size and the time budget; a model of the user's own leaves only the budget.

    Attributes
    ----------
    model
        Name of the model, or None where the user gave one.
    batch_size, budget_s
        As in `Workload` and `Plan`.
    """

    def __init__(self, model: str | None, batch_size: int, budget_s: float) -> None:
        super().__init__()
        self.model = model
        self.batch_size = batch_size
        self.budget_s = budget_s
        self._draw()

    def choose(self, name: str, value: Any) -> None:
        """Take a value from the browser; raise ValueError where it makes no sense."""
        if name == "model":
            zoo.check_name(value)
            self.model = value
        elif name == "batch_size" and isinstance(value, int) and 1 <= value <= MOST_BATCH:
            self.batch_size = value
        elif name == "budget_s" and isinstance(value, int | float) and 0 < value <= MOST_BUDGET_S:
            self.budget_s = Plan(budget_s=value).budget_s
        else:
            raise ValueError(f"{name} cannot be {value!r}")
        self._draw()

    def _draw(self) -> None:
        fields = []
        if self.model is not None:
            options = [{"value": name, "label": name} for name in zoo.names()]
            fields = [
                select("model", "Model", self.model, options),
                number("batch_size", "Batch size", self.batch_size, least=1, most=MOST_BATCH),
            ]
        self._fields = [*fields, number("budget_s", "Budget (s)", self.budget_s, least=1, most=MOST_BUDGET_S, step=1)]
