"""A sweep in this process: one study after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit import environment, text
from optkit.errors import OptkitError
from optkit.sweeps import node
from optkit.sweeps.told import SweepEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from optkit.sweeps.items import Item


class Here:
    """The machine that asks, as the only node.

    Parameters
    ----------
    make
        What makes a study of an item.
    """

    def __init__(self, make: node.StudyOf = node.study_of) -> None:
        self.make = make
        self._study: Any = None
        self._stopping = False

    def waits_for(self) -> str:
        """Say what `nodes` takes its time for."""
        return "Looking at this machine."

    def nodes(self) -> list[dict[str, Any]]:
        """Return what this machine is."""
        return [environment.detect().to_json()]

    def stop(self) -> None:
        """End the sweep, from any thread: what is measured stays, what has not begun is not."""
        self._stopping = True
        stop = getattr(self._study, "stop", None)
        if stop is not None:
            stop()

    def run(self, items: Sequence[Item]) -> Iterator[SweepEvent]:
        """Measure items, and yield what happens."""
        for item in items:
            if self._stopping:
                return
            try:
                self._study = self.make(item.workload, item.variants, item.plan)
                if self._stopping:  # it was, while that was made
                    return
                for event in self._study:
                    yield SweepEvent("event", item.number, event)
            except OptkitError as error:
                yield SweepEvent("refused", item.number, said=str(error))
            except Exception as error:  # noqa: BLE001 - one study must not cost the others; a cluster does the same
                said = text.one_line(f"It could not be measured: {type(error).__name__}: {error}")
                yield SweepEvent("refused", item.number, said=said)
            finally:
                self._study = None
