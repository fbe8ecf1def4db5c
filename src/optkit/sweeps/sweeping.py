"""Sweep: many studies, here or on a cluster, as one stream; and `sweep`, which runs one to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from optkit import summary
from optkit.errors import OptkitError
from optkit.events import StudyEnded, StudyStarted
from optkit.recorder import Recorder
from optkit.store import Store
from optkit.study import plan_from
from optkit.sweeps import live, machines, node
from optkit.sweeps.cluster import Cluster
from optkit.sweeps.items import items
from optkit.sweeps.result import SweepResult
from optkit.sweeps.serial import Here
from optkit.sweeps.told import SweepEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from optkit.events import Event
    from optkit.presets import VariantLike
    from optkit.study import Plan
    from optkit.workload import Workload

    Workloads = Workload | str | Iterable[Workload | str] | Mapping[str, Workload | str]

NO_RESULT = ("stopped", "interrupted", "baseline_failed")
"""A study that ended so is no result of a sweep: it is measured anew."""


class Sweep:
    """Many workloads, each measured in a study of its own. Iterating over it measures, and yields what happens.

    Every event is kept in the history of this process the moment it is told, so a sweep that is run again measures
    only what is not there: studies that were asked the same (see `optkit.sweeps.asked.digest`), on such a machine,
    with these versions, and came to their end.

    Parameters
    ----------
    workloads
        Workloads or names of models: one, several, or a dict whose keys are what to call them.
    variants
        Of each; as for `Study`. A preset stands for what makes sense on the machine that measures.
    client
        A `dask.distributed.Client`; None: this machine, one study after the other.
    plan
        Of each study: the budget is for one, not for all.
    again
        Whether to measure anew what was measured before.
    make
        What makes the study of an item; another function can stand in for it, where no measuring is wanted.
    plan_fields
        Fields of `Plan` in place of a plan.

    Attributes
    ----------
    result
        The `SweepResult` so far.
    not_kept
        Why events are not in the history, a sentence; empty where they are.

    Raises
    ------
    UsageError
        If a workload, a variant or the plan makes no sense, or studies cannot run on the cluster.
    """

    def __init__(
        self,
        workloads: Workloads,
        variants: VariantLike | Iterable[VariantLike] = "recommended",
        client: Any = None,
        plan: Plan | None = None,
        *,
        again: bool = False,
        make: node.StudyOf = node.study_of,
        **plan_fields: Any,
    ) -> None:
        node.undo_nanny()  # a LocalCluster sets the same in the process that makes it
        self.items = items(workloads, variants, plan_from(plan, plan_fields))
        self.nodes: Here | Cluster = Here(make) if client is None else Cluster(client, make)
        self.again = again
        self.result = SweepResult(self.items)
        self.not_kept = ""
        self._open: dict[int, Recorder] = {}
        self._elapsed_s: dict[int, float] = {}

    def stop(self) -> None:
        """End the sweep, from any thread: what is measured stays, what has not begun is not."""
        self.nodes.stop()

    def __repr__(self) -> str:
        return f"<Sweep of {len(self.items)} studies: {self.result.count('done')} done>"

    def __iter__(self) -> Iterator[SweepEvent]:
        """Measure what is not known yet, and yield what happens; leaving early stops what runs."""
        try:
            for told in self._all():
                self.result.fold(told)
                self._keep(told)
                yield told
        finally:
            self._close()

    def _all(self) -> Iterator[SweepEvent]:
        yield SweepEvent("waiting", said=self.nodes.waits_for())
        present = self.nodes.nodes()
        known = {} if self.again else self._known(present)
        for number, told in known.items():
            yield from (SweepEvent("known", number, event) for event in told)
        yield from self.nodes.run([item for item in self.items if item.number not in known])

    def _known(self, present: list[dict[str, Any]]) -> dict[int, list[Event]]:
        """Return the events of items that were measured before, on a machine like one of these, by their number."""
        try:
            with Store() as store:
                found = {item.number: _answered(store, item.asked, present) for item in self.items}
        except OptkitError as error:  # then everything is measured, as a study is that cannot be kept
            self.not_kept = str(error)
            return {}
        return {number: events for number, events in found.items() if events}

    def _keep(self, told: SweepEvent) -> None:
        """Keep an event that is new, before anybody sees it."""
        number, event = told.number, told.event
        if number is None:
            return
        if told.kind in ("lost", "refused"):
            self._end(number, "interrupted")
        if told.kind != "event" or event is None:
            return
        if isinstance(event, StudyStarted):
            self._open[number] = Recorder(asked=self.items[number].asked)
        self._elapsed_s[number] = event.at_s
        is_end = isinstance(event, StudyEnded)
        known = summary.of(self.result.comparisons[number]) if is_end or isinstance(event, StudyStarted) else None
        problem = self._open[number].add(event, known)
        if problem is not None:
            self.not_kept = problem.reason or ""
        if is_end:
            self._open.pop(number).close()

    def _end(self, number: int, because: Literal["stopped", "interrupted"]) -> StudyEnded | None:
        """End what is kept of a study that does not go on; what was measured of it stays in the history."""
        recorder = self._open.pop(number, None)
        if recorder is None:
            return None
        ended = StudyEnded(at_s=self._elapsed_s[number], because=because)
        recorder.add(ended)
        recorder.close()
        return ended

    def _close(self) -> None:
        for number in list(self._open):
            self.result.fold(SweepEvent("event", number, self._end(number, "stopped")))


def _answered(store: Store, asked: str, present: Sequence[Mapping[str, Any]]) -> list[Event]:
    """Return the events of the latest run that answers a question, on a machine like one of these; or none."""
    for run_id in store.asked(asked):
        events = store.events(run_id)
        if _is_done(events) and _is_from(events[0], present):
            return events
    return []


def _is_done(events: Sequence[Event]) -> bool:
    return bool(events) and isinstance(events[-1], StudyEnded) and events[-1].because not in NO_RESULT


def _is_from(first: Event, present: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a run was made on a machine like one of these."""
    return isinstance(first, StudyStarted) and any(machines.is_same(first.environment, one) for one in present)


def collect(told: Sweep, seen: Callable[[SweepEvent, SweepResult], None] | None = None) -> SweepResult:
    """Run a sweep to its end and return the result; an interrupt ends it, and what was measured until then is returned.

    Parameters
    ----------
    told
        The sweep.
    seen
        Is told each event, with the result so far.
    """
    try:
        for event in told:
            if seen is not None:
                seen(event, told.result)
    except KeyboardInterrupt:
        pass  # the iteration has closed what ran
    return told.result


def sweep(
    workloads: Workloads,
    variants: VariantLike | Iterable[VariantLike] = "recommended",
    client: Any = None,
    *,
    plan: Plan | None = None,
    again: bool = False,
    **plan_fields: Any,
) -> SweepResult:
    """Measure many workloads, one study each, and return the result; in a notebook, show the leaderboard as it grows.

    Parameters
    ----------
    workloads, variants, client, plan, again, plan_fields
        See `Sweep`.

    Returns
    -------
    SweepResult
        Also where studies failed, nodes were lost, or an interrupt ended the sweep early.

    Raises
    ------
    UsageError
        If a workload, a variant or the plan makes no sense, or studies cannot run on the cluster.

    Examples
    --------
    >>> result = optkit.sweep(["resnet18", "mobilenet_v2"], ["compile", "onnxruntime"], budget_s=60)
    >>> result.leaderboard()
    """
    told = Sweep(workloads, variants, client, plan, again=again, **plan_fields)
    with live.shown(told) as seen:
        return collect(told, seen)
