"""Questions: what else is asked about a model than what is fastest, each in a tab of the Explorer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from optkit.errors import UsageError
from optkit.widgets.question import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from optkit.investigation import Investigation
    from optkit.marks import Marks
    from optkit.variant import Variant
    from optkit.workload import Workload

BATCH_SIZES = "1, 4, 8, 16"


class Questions(traitlets.HasTraits):
    """Why is it not faster, what do changing shapes cost, how long does a fresh process take, where does the time go.

    Parameters
    ----------
    workload
        Returns what to ask about, when a button is pressed.
    compiled
        Returns the variant of torch.compile to look at.
    listed
        Returns the variants that are in the user's list.
    marks
        Which mark each variant has, where other parts show the same variants.

    Attributes
    ----------
    why, shapes, startup, operators
        Each a `Question`; `all` has them by name.
    busy, disabled
        Whether one of them is being answered, and whether none can be asked now; traits.
    """

    busy = traitlets.Bool(default_value=False)
    disabled = traitlets.Bool(default_value=False)

    def __init__(
        self,
        workload: Callable[[], Workload],
        compiled: Callable[[], Variant],
        listed: Callable[[], Sequence[Variant]],
        marks: Marks | None = None,
    ) -> None:
        super().__init__()
        self._compiled, self._listed, self._marks = compiled, listed, marks
        self.why = Question(
            "Why?",
            "Graph breaks and recompiles of torch.compile, each with the line of your code, its reason and a fix.",
            workload,
            self._diagnose,
        )
        self.shapes = Question(
            "Replay",
            "Calls with other sizes one after the other: which of them compile, why, and what that costs.",
            workload,
            self._replay,
            field=(
                "Sizes", "Batch sizes, or shapes such as 8x3x224x224, in the order in which they come", BATCH_SIZES,
            ),
        )  # fmt: skip
        self.startup = Question(
            "Start",
            "The listed variants in fresh processes, cold, with a cache, from a file: seconds to the first result.",
            workload,
            self._start,
        )
        self.operators = Question(
            "Profile",
            "The operators that a call spends its time in, eager beside torch.compile.",
            workload,
            self._profile,
        )
        self.all = {
            "why": self.why, "shapes": self.shapes, "startup": self.startup, "operators": self.operators,
        }  # fmt: skip
        for question in self.all.values():
            question.observe(self._on_busy, "busy")

    def clear(self) -> None:
        """Forget all answers: something else is looked at now."""
        for question in self.all.values():
            question.clear()

    @traitlets.observe("disabled")
    def _on_disabled(self, change: dict[str, Any]) -> None:
        for question in self.all.values():
            question.disabled = change["new"]

    def _on_busy(self, change: dict[str, Any]) -> None:
        """One after the other: workers of two would disturb each other."""
        self.disabled = self.busy = change["new"]

    # What answers is imported when it is asked: nobody should wait for that before the Explorer is shown.
    def _diagnose(self, looking: Investigation) -> Any:
        from optkit import diagnosis

        return diagnosis.look(looking, self._compiled())

    def _replay(self, looking: Investigation) -> Any:
        from optkit import replay, replay_items

        return replay.call_each(looking, replay_items.read(_sizes(self.shapes.value)))

    def _start(self, looking: Investigation) -> Any:
        from optkit import startups

        matrix = startups.start_each_way(looking, ["eager", *self._listed()])
        matrix.__dict__["marks"] = self._marks  # those of this Explorer; the matrix alone has its own
        return matrix

    def _profile(self, looking: Investigation) -> Any:
        from optkit import profiling

        return profiling.watch(looking, self._compiled())


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
