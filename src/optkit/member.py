"""A variant that takes part in a run, with its worker and what is known of how it behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from optkit.events import Phase
    from optkit.variant import Variant
    from optkit.worker.host import Worker


@dataclass
class Member:
    """A variant that takes part, with its worker.

    Attributes
    ----------
    twin
        Whether it is the baseline's second worker.
    worker
        The worker it has now; None before, after, and where it failed.
    cache, artifact
        What its first worker compiled, and what was exported of it: later workers begin with these.
    call_s, start_s
        Seconds of a steady call, and of a worker from its fork to its steady calls.
    seeded_bytes
        Of the cache that its worker began with.
    is_short
        Whether its calls are too short to be timed one by one.
    finished, postponed, unwanted
        Whether it is measured well enough, does not fit in memory beside the others, was skipped.
    """

    variant: Variant
    twin: bool = False
    worker: Worker | None = None
    cache: Path | None = None
    artifact: Path | None = None
    call_s: float = 0.0
    start_s: float = 0.0
    seeded_bytes: int = 0
    is_short: bool = False
    finished: bool = False
    postponed: bool = False
    unwanted: bool = False

    def skip(self) -> None:
        """Have it end where it is, from any thread."""
        self.unwanted = True
        worker = self.worker
        if worker is not None:
            worker.skip()

    def is_loading(self, phase: Phase) -> bool:
        """Whether a phase is that of a worker which loads what another has exported: it builds no model."""
        return phase in ("probe", "build") and self.artifact is not None

    @property
    def names(self) -> dict[str, Any]:
        """The fields by which its events name it."""
        return {"variant": str(self.variant), "twin": self.twin}
