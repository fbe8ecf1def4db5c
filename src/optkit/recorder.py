"""Recorder: keeps a study's events in the store as they happen, and never stands in the way of the study."""

from __future__ import annotations

import contextlib
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
    asked
        Digits of the question that it answers; see `Store.asked`.
    """

    def __init__(self, run_id: str | None = None, number: int = 0, *, asked: str | None = None) -> None:
        self._store: Store | None = None
        self._run_id = run_id or ""
        self._number = number
        self._writer = process_name(os.getpid())
        self._asked = asked
        self._waiting: list[Event] = []
        self._summary: dict[str, Any] | None = None
        self._told = False

    def add(self, event: Event, summary: dict[str, Any] | None = None) -> NotKept | None:
        """Keep an event; return what to tell those who watch: once where that fails, and once when it works again.

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
            self._flush(summary)
        except OptkitError as error:
            self._summary = summary or self._summary
            if self._told:
                return None
            self._told = True
            return NotKept(at_s=event.at_s, reason=str(error))
        if not self._told:
            return None
        self._told = False
        return NotKept(at_s=event.at_s, reason=None)

    def claim(self) -> None:
        """Go on with a run; a UsageError where somebody else does. See `Store.claim`."""
        if self._store is None:
            self._store = Store()
        self._store.claim(self._run_id, self._number, str(self._writer))

    def _flush(self, summary: dict[str, Any] | None) -> None:
        if self._store is None:
            self._store = Store()
        known = summary or self._summary
        self._store.append(self._run_id, self._number, self._waiting, known, writer=self._writer, asked=self._asked)
        self._writer = self._asked = None  # it is known now
        self._number += len(self._waiting)
        self._waiting.clear()

    def close(self) -> None:
        """Try once more what could not be kept, and close the store."""
        if self._waiting:
            with contextlib.suppress(OptkitError):
                self._flush(None)
        if self._store is not None:
            self._store.close()
