"""Questions: what else is asked about a model than what is fastest, each in a tab of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets

from optkit import diagnosis, profiling, replay, replay_items, startups
from optkit.errors import UsageError
from optkit.widgets.question import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optkit.investigation import Investigation
    from optkit.variant import Variant
    from optkit.workload import Workload

BATCH_SIZES = "1, 4, 8, 16"


class Questions(ipywidgets.Tab):  # type: ignore[misc]
    """Why is it not faster, what do changing shapes cost, how long does a fresh process take, where does the time go.

    Parameters
    ----------
    workload
        Returns what to ask about, when a button is pressed.
    compiled
        Returns the variant of torch.compile to look at.
    listed
        Returns the variants that are in the user's list.

    Attributes
    ----------
    why, shapes, startup, operators
        Each a `Question`.
    busy
        Whether one of them is being answered; a trait.
    """

    busy = traitlets.Bool(default_value=False)

    def __init__(
        self,
        workload: Callable[[], Workload],
        compiled: Callable[[], Variant],
        listed: Callable[[], Sequence[Variant]],
    ) -> None:
        self.batch_sizes = ipywidgets.Text(
            BATCH_SIZES, description="Sizes", layout={"width": "210px"}, style={"description_width": "initial"},
            tooltip="Batch sizes, or shapes such as 8x3x224x224, in the order in which they come",
        )  # fmt: skip
        self.why = Question(
            "Why?",
            "Graph breaks and recompiles of torch.compile, each with the line of your code, its reason and a fix.",
            workload,
            lambda looking: diagnosis.look(looking, compiled()),
        )
        self.shapes = Question(
            "Replay", "Calls with other sizes one after the other: which of them compile, why, and what that costs.",
            workload, self._replay, self.batch_sizes,
        )  # fmt: skip
        self.startup = Question(
            "Start",
            "The listed variants in fresh processes, cold, with a cache, from a file: seconds to the first result.",
            workload,
            lambda looking: startups.start_each_way(looking, ["eager", *listed()]),
        )
        self.operators = Question(
            "Profile",
            "The operators that a call spends its time in, eager beside torch.compile.",
            workload,
            lambda looking: profiling.watch(looking, compiled()),
        )
        self._all = (self.why, self.shapes, self.startup, self.operators)
        super().__init__(self._all, titles=("Why", "Shapes", "Start-up", "Operators"))
        for question in self._all:
            question.observe(self._on_busy, "busy")

    @property
    def disabled(self) -> bool:
        """Whether nothing can be asked now."""
        return all(question.disabled for question in self._all)

    @disabled.setter
    def disabled(self, value: bool) -> None:
        for question in self._all:
            question.disabled = value

    def clear(self) -> None:
        """Forget all answers: something else is looked at now."""
        for question in self._all:
            question.clear()

    def _on_busy(self, change: dict[str, Any]) -> None:
        """One after the other: workers of two would disturb each other."""
        self.disabled = self.busy = change["new"]

    def _replay(self, looking: Investigation) -> replay.Replay:
        return replay.call_each(looking, replay_items.read(_sizes(self.batch_sizes.value)))


def _sizes(said: str) -> list[Any]:
    """Read batch sizes and shapes, such as ``4, 8x3x32x32``."""
    items = [item.strip().lower() for item in said.split(",") if item.strip()]
    try:
        read = [[int(size) for size in item.split("x")] for item in items]
    except ValueError:
        raise UsageError(
            f"{said!r} are no sizes; give batch sizes, or shapes such as 8x3x224x224, with commas between them."
        ) from None
    return [sizes[0] if len(sizes) == 1 else tuple(sizes) for sizes in read]
