"""Recorder: keeps a study's events in the store as they happen, and never stands in the way of the study."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from optkit.errors import OptkitError
from optkit.events import NotKept, StudyEnded, StudyStarted
from optkit.store import Store, process_name

if TYPE_CHECKING:
    from optkit.events import Event


class Recorder:
    """Takes a study's events. What cannot be kept, as on a full disk, is tried again with each further event.

    Parameters
    ----------
    run_id
        The run that goes on; None: the first event names a new one.
    number
        How many events of it are kept already.
    """

    def __init__(self, run_id: str | None = None, number: int = 0) -> None:
        self._store: Store | None = None
        self._run_id = run_id or ""
        self._number = number
        self._writer = process_name(os.getpid())
        self._waiting: list[Event] = []
        self._told = False

    def add(self, event: Event, summary: dict[str, Any] | None = None) -> NotKept | None:
        """Keep an event; return what to tell those who watch where that is not possible, once.

        Parameters
        ----------
        event
            The event.
        summary
            What to show of the run in a list, as of this event; see `Store.append`.
        """
        if isinstance(event, StudyStarted):
            self._run_id = event.run_id
        self._waiting.append(event)
        if isinstance(event, StudyEnded):
            self._writer = ""
        try:
            if self._store is None:
                self._store = Store()
            self._store.append(self._run_id, self._number, self._waiting, summary, writer=self._writer)
        except OptkitError as error:
            if self._told:
                return None
            self._told = True
            return NotKept(at_s=event.at_s, reason=str(error))
        self._writer = None  # it is known now
        self._number += len(self._waiting)
        self._waiting.clear()
        return None

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
