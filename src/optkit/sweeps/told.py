"""What a sweep tells while it goes on: whose turn it is, what happened in it, and where. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from optkit.events import Event

Kind = Literal["event", "known", "lost", "refused", "waiting"]


class SweepEvent(NamedTuple):
    """One thing that happened in a sweep.

    Attributes
    ----------
    kind
        ``"event"``: of a study that is measured, as it happens. ``"known"``: of one that was measured before, by the
        same question on such a machine. ``"lost"``: the node that measured it is gone, and it begins anew.
        ``"refused"``: it cannot be measured. ``"waiting"``: the sweep waits for something.
    number
        Which item of the sweep; None where that does not matter.
    event
        The study's event, for ``"event"`` and ``"known"``.
    said
        A sentence, for all other kinds.
    node
        Who measures it: the address of a node; empty for this process.
    """

    kind: Kind
    number: int | None = None
    event: Event | None = None
    said: str = ""
    node: str = ""
