"""The caller's side of a sweep on dask.distributed: hands out studies, and listens to what nodes tell of them.

dask decides who measures what, and gives a study to another node where one is lost; this module sees to it that one
study is asked for once, told once, and that what was told on the way and the result are the same events.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import re
import secrets
import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.errors import UsageError
from optkit.events import Event, StudyEnded
from optkit.sweeps import job, node
from optkit.sweeps.told import SweepEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from optkit.sweeps.items import Item

LOOKS_S = 1.0
GRACE_S = 15.0
"""Studies that are stopped have this long to say what they have."""
MOST_ATTEMPTS, MOST_SUBMISSIONS = 3, 4
"""A study that began so often, and lost its node each time, is not handed out again; nor one that was so often."""
LARGE_BYTES = "1 GiB"
"""dask warns of tasks that hold more than 10 MB. A model is sent once, and kept so that a lost node can be replaced."""
WAITS = "Waiting for a worker that offers optkit=1."
NO_NODES = (
    "No worker of this cluster offers the resource that a study needs; start workers with "
    "dask worker --resources optkit=1, or LocalCluster(resources={'optkit': 1})."
)


def check(client: Any) -> None:
    """Raise a UsageError unless this is a client of dask.distributed that can be used here."""
    if not (hasattr(client, "subscribe_topic") and hasattr(client, "submit")):
        raise UsageError(f"client must be a dask.distributed.Client, not {type(client).__name__}.")
    if client.asynchronous:
        raise UsageError("The client is asynchronous; give one that was made without asynchronous=True.")
    if client.status != "running":
        raise UsageError(f"The client is {client.status}; connect it to its scheduler again.")


@contextlib.contextmanager
def _missing_is_told(where: str) -> Iterator[None]:
    """Turn what dask makes of a missing module, an Exception with its text, into a sentence."""
    try:
        yield
    except Exception as error:
        missing = re.search("No module named '([^']+)'", str(error))
        if missing is None:
            raise
        said = f"{where} of this cluster has no {missing[1]}; install optkit there, the same version as here."
        raise UsageError(said) from error


class Cluster:
    """The nodes that a client of dask reaches.

    Parameters
    ----------
    client
        A `dask.distributed.Client`.
    make
        What makes a study of an item, on a node; see `node.study_of`.
    """

    def __init__(self, client: Any, make: node.StudyOf = node.study_of) -> None:
        check(client)
        self.client = client
        self.make = make
        self.sweep = f"optkit-{secrets.token_hex(6)}"
        self._inbox: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._futures: dict[int, Any] = {}
        self._packs: dict[int, tuple[job.Packed, Any]] = {}
        self._attempts: dict[int, _Attempt] = {}
        self._items: dict[int, Item] = {}
        self._heard: dict[int, tuple[str, int]] = {}
        self._submissions: Counter[int] = Counter()
        self._stopping = threading.Event()

    def waits_for(self) -> str:
        """Say what `nodes` takes its time for."""
        return "Looking at the nodes." if self._workers() else WAITS

    def nodes(self) -> list[dict[str, Any]]:
        """Return what the nodes are, after waiting for a first one where the cluster has none yet.

        Raises
        ------
        UsageError
            If no worker offers the resource, or optkit is missing somewhere, or of another version.
        """
        offering = self._offering()
        if not offering and self._workers():
            raise UsageError(NO_NODES)
        with _missing_is_told("The scheduler"):  # it reads what it hands out
            everywhere = [self.client.run_on_scheduler(node.version)]
        with _missing_is_told("A worker"):
            told = list(self.client.run(node.look, workers=offering).values()) if offering else self._first_look()
        here = node.version()
        others = sorted({str(one) for one in (*everywhere, *(one["optkit"] for one in told))} - {str(here)})
        if others:
            said = f"The cluster has optkit {', '.join(others)}, and here it is {here}; install the same version."
            raise UsageError(said)
        return told

    def _first_look(self) -> list[dict[str, Any]]:
        """Return what the first worker to come is; nothing where the sweep is stopped before."""
        look = self.client.submit(node.look, resources={node.RESOURCE: 1}, pure=False)
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                return [look.result(timeout=LOOKS_S)]
        return []

    def stop(self) -> None:
        """End the sweep, from any thread: what is measured stays, what has not begun is not."""
        self._stopping.set()
        self._inbox.put(("stop", None))

    def run(self, items: Sequence[Item]) -> Iterator[SweepEvent]:
        """Measure items, and yield what happens in the order in which it is told."""
        if self._stopping.is_set():
            return
        self._stop_orphans()
        self.client.subscribe_topic(self.sweep, lambda event: self._hear(event[1]))
        try:
            for item in items:
                yield from self._submit(item)
            while self._futures:
                yield from self._next()
        finally:
            self._end()

    def _hear(self, told: dict[str, Any]) -> None:
        """Take in what is told, in the client's thread; whoever iterates over the sweep may be busy with other things.

        As soon as all of a study has arrived it is let go of: dask would measure again what a lost node still held.
        """
        self._inbox.put(("told", told))
        number, place = told["number"], told["place"]
        if place is None:
            self._heard[number] = (told["attempt"], 0)
        elif self._heard.get(number) == (told["attempt"], place):
            self._heard[number] = (told["attempt"], place + 1)
            future = self._futures.get(number)
            if told["is_end"] and future is not None:
                future.release()

    def _stop_orphans(self) -> None:
        """End studies of sweeps whose caller is gone: nobody would be told, and a node measures one at a time."""
        present = self.client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.clients))
        self.client.run(node.stop_orphans, [*present, self.client.id], workers=self._offering())

    def _offering(self) -> list[str]:
        return [address for address, one in self._workers().items() if one["resources"].get(node.RESOURCE)]

    def _workers(self) -> dict[str, dict[str, Any]]:
        return dict(self.client.scheduler_info(n_workers=-1)["workers"])

    def _submit(self, item: Item) -> Iterator[SweepEvent]:
        self._items[item.number] = item
        self._submissions[item.number] += 1
        try:
            asked, payload = self._packed(item)
        except UsageError as error:
            yield SweepEvent("refused", item.number, said=str(error))
            return
        needs = {node.RESOURCE: 1} | ({"GPU": 1} if (item.workload.device or "").startswith("cuda") else {})
        key = f"{self.sweep}-{item.number}-{secrets.token_hex(2)}"
        future = self.client.submit(node.measure, asked, payload, self.make, resources=needs, key=key, pure=False)
        self._futures[item.number] = future
        future.add_done_callback(partial(self._done, item.number))

    def _done(self, number: int, future: Future[Any]) -> None:
        self._inbox.put(("done", (number, future)))

    def _packed(self, item: Item) -> tuple[job.Job, Any]:
        """Return the job, and what holds the model: it travels once, and can be had again where a node is lost."""
        import dask

        known = self._packs.get(id(item.workload))
        if known is None or (known[1] is not None and known[1].status in ("error", "lost", "cancelled")):
            packed = job.pack(item.workload)
            payload = None
            if packed.content is not None:
                with dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGE_BYTES}):
                    payload = self.client.submit(bytes, packed.content, resources={node.RESOURCE: 1}, pure=False)
            known = self._packs[id(item.workload)] = packed._replace(content=None), payload
        return job.of(item, known[0], self.sweep, self.client.id), known[1]

    def _next(self) -> Iterator[SweepEvent]:
        try:
            kind, told = self._inbox.get(timeout=LOOKS_S)
        except queue.Empty:
            yield from self._look()
            return
        match kind:
            case "told":
                yield from self._told(told)
            case "done":
                yield from self._finish(*told)
            case "stop":
                yield from self._stop()

    def _look(self) -> Iterator[SweepEvent]:
        """Say what the sweep waits for, where nothing is told for a while."""
        if self.client.status in ("closed", "closing"):
            for number in list(self._futures):
                self._futures.pop(number)
                yield SweepEvent("refused", number, said="The connection to the cluster was closed; run it again.")
        elif not self._offering():
            yield SweepEvent("waiting", said=WAITS)

    def _told(self, told: dict[str, Any]) -> Iterator[SweepEvent]:
        """Pass on one event, if it is the next of its study: what is missing comes with the result."""
        number = told["number"]
        if number not in self._futures:
            return
        if told["place"] is None:  # it begins
            yield from self._begin(number, _Attempt(told["attempt"], told["node"]))
            return
        known = self._attempts.get(number)
        if known is None or known.name != told["attempt"] or told["place"] != known.told:
            return
        known.told += 1
        event = Event.from_json(json.loads(told["body"]))
        if isinstance(event, StudyEnded):
            self._let_go(number)
        yield SweepEvent("event", number, event, node=known.node)

    def _let_go(self, number: int) -> None:
        """Forget a study that is over, and its model where no other study needs that."""
        self._futures.pop(number).release()
        workload = self._items[number].workload
        if all(self._items[other].workload is not workload for other in self._futures):
            self._packs.pop(id(workload), None)

    def _begin(self, number: int, attempt: _Attempt) -> Iterator[SweepEvent]:
        before = self._attempts.get(number)
        if before is not None and before.name == attempt.name:
            return
        self._attempts[number] = attempt
        if before is not None:
            attempt.nth = before.nth + 1
            said = "The node that measured it is gone; it begins anew."
            yield SweepEvent("lost", number, said=said, node=before.node)

    def _finish(self, number: int, future: Any) -> Iterator[SweepEvent]:
        """Pass on what the result holds beyond what was told."""
        if number not in self._futures:
            return
        if self._futures[number] is not future:
            return
        if future.status != "finished":
            del self._futures[number]
            if self._is_innocent(number, future):
                said = "Nodes that it was handed to were lost; it is handed out again."
                yield SweepEvent("waiting", number, said=said)
                yield from self._submit(self._items[number])
                return
            yield SweepEvent("refused", number, said=_why(future))
            return
        result = future.result()
        for told in result["told"]:
            yield from self._told(told)
        if number in self._futures:
            self._let_go(number)
        if result["refused"] is not None:
            yield SweepEvent("refused", number, said=result["refused"])

    def _is_innocent(self, number: int, future: Any) -> bool:
        """Whether dask gave a study up because nodes were lost that were not measuring it.

        dask blames each task that was handed to a lost worker, also those that had not begun there.
        """
        known = self._attempts.get(number)
        is_new = known is None or known.nth < MOST_ATTEMPTS
        more = self._submissions[number] < MOST_SUBMISSIONS and not self._stopping.is_set()
        return _is_killed(future) and is_new and more

    def _stop(self) -> Iterator[SweepEvent]:
        """Stop what runs, take back the rest, and wait a moment for what the former has to say."""
        self.client.run(node.stop, self.sweep, on_error="ignore")
        for number in [one for one in self._futures if one not in self._attempts]:
            self.client.cancel([self._futures.pop(number)])
        until = time.monotonic() + GRACE_S
        while self._futures and (left := until - time.monotonic()) > 0:
            try:
                kind, told = self._inbox.get(timeout=left)
            except queue.Empty:
                break
            yield from {"told": self._told, "done": lambda pair: self._finish(*pair)}.get(kind, lambda _: ())(told)
        self._cancel()

    def _end(self) -> None:
        """Leave nothing behind on the cluster, however the sweep ended."""
        if self.client.status == "running":
            self.client.unsubscribe_topic(self.sweep)
            if self._futures:
                self.client.run(node.stop, self.sweep, on_error="ignore")
                self._cancel()
        self._futures.clear()
        self._packs.clear()

    def _cancel(self) -> None:
        if self._futures:
            self.client.cancel(list(self._futures.values()))
        self._futures.clear()


@dataclasses.dataclass
class _Attempt:
    """One try to measure an item: its name, who makes it, how many of its events have been passed on."""

    name: str
    node: str
    told: int = 0
    nth: int = 1


def _why(future: Any) -> str:
    """Say why a study has no result."""
    if future.cancelled():
        return "The cluster has dropped it, as when its scheduler is restarted; run the sweep again for the rest."
    if _is_killed(future):
        return "Each node that began it was lost, which can be its own doing, as where memory is short; try it alone."
    error = future.exception()
    return text.one_line(f"The node could not measure it: {type(error).__name__}: {error}")


def _is_killed(future: Any) -> bool:
    return not future.cancelled() and type(future.exception()).__name__ == "KilledWorker"
