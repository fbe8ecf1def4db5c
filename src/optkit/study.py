"""Plan and Study: what is to be measured and how long, and the stream of events that measuring it yields."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from optkit import environment, summary
from optkit.comparison import Comparison
from optkit.errors import UsageError, WorkloadError
from optkit.events import StudyEnded, StudyStarted, Waiting
from optkit.presets import resolve
from optkit.recorder import Recorder
from optkit.scheduler import Run
from optkit.variant import BASELINE
from optkit.workload import Workload, workload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from optkit.estimate import Estimate
    from optkit.events import Event
    from optkit.presets import VariantLike
    from optkit.variant import Variant


_ONE_AT_A_TIME = threading.Lock()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold off other studies of this process meanwhile; a UsageError where one is running."""
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise UsageError("Another study is running in this process; stop it, or wait for its end, before the next.")
    try:
        yield
    finally:
        _ONE_AT_A_TIME.release()


def check_alone() -> None:
    """Raise a UsageError where a study, or a question with workers of its own, is running in this process."""
    with alone():
        pass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how finely to measure.

    Parameters
    ----------
    budget_s
        Seconds of wall time from Run, after which no further round begins. Every variant gets three rounds even past
        it, unless its turn comes after twice the budget: then it is skipped.
    rounds
        Rounds from which a variant may be finished, and rounds after which the study ends.
    target
        A variant is finished when its 95 % interval lies within this fraction of its speed-up.
    goal
        ``"all"``: measure every variant that well. ``"best"``: a variant whose verdict is decided is finished too
        (looked at after 10, 15 and 20 rounds), so that more of the budget is left for the others.
    cold
        Always True: each variant begins with an empty cache of its own, because its first call is measured.
    warm
        Whether every variant is started once more at the end, with a new worker that finds the first one's cache.
    batch_sizes
        Batch sizes at which throughput is measured, besides that of the inputs.
    compile_limit_s
        Seconds that building, preparing or the first call of one variant may take before it is ended.
    seed
        Decides the order of turns and the bootstrap.

    Raises
    ------
    UsageError
        If a number makes no sense.
    """

    budget_s: float = 120.0
    rounds: tuple[int, int] = (20, 30)
    target: float = 0.02
    goal: Literal["all", "best"] = "all"
    cold: bool = True
    warm: bool = False
    batch_sizes: tuple[int, ...] = ()
    compile_limit_s: float = 600.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("budget_s", "target", "compile_limit_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise UsageError(f"{name} must be a number above 0, not {value!r}.")
        rounds = tuple(self.rounds) if isinstance(self.rounds, tuple | list) else ()
        if not (len(rounds) == 2 and all(type(number) is int for number in rounds) and 1 <= rounds[0] <= rounds[1]):  # noqa: PLR2004
            raise UsageError(f"rounds must be two whole numbers, the first at most the second, not {self.rounds!r}.")
        object.__setattr__(self, "rounds", rounds)
        if self.goal not in ("all", "best"):
            raise UsageError(f"goal must be 'all' or 'best', not {self.goal!r}.")
        if self.cold is not True:
            raise UsageError("Each variant is started cold, because its first call is measured; leave cold out.")
        sizes = tuple(self.batch_sizes) if isinstance(self.batch_sizes, tuple | list) else (0,)
        if not all(type(size) is int and size > 0 for size in sizes):
            raise UsageError(f"batch_sizes must be whole numbers above 0, e.g. (1, 8), not {self.batch_sizes!r}.")
        object.__setattr__(self, "batch_sizes", sizes)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON object, whose items are this class's arguments."""
        return dataclasses.asdict(self) | {"rounds": list(self.rounds), "batch_sizes": list(self.batch_sizes)}


class Study:
    """A workload, variants and a plan. Iterating over it measures, and yields what happens as events.

    Parameters
    ----------
    workload
        What to measure; anything that `Workload` takes as a model by name is taken as well.
    variants
        Variants in any form: `Variant`, its text, engine settings, the name of a preset, or several of those.
    plan
        How long and how finely.
    exported
        Folders in which an earlier worker has exported variants, by their text; these are loaded, not exported anew.
    known
        Events of an earlier part of this study, which goes on: its rounds are taken up where they ended.
    keep
        Whether every event is kept in the history the moment it happens; see `optkit.history`.
    plan_fields
        Fields of `Plan` in place of a plan, e.g. ``budget_s=60``.

    Raises
    ------
    UsageError
        If a variant, the workload or the plan makes no sense on this machine.
    """

    def __init__(
        self,
        workload: Workload | str,
        variants: VariantLike | Iterable[VariantLike] = "recommended",
        plan: Plan | None = None,
        *,
        exported: Mapping[str, Path] | None = None,
        known: Sequence[Event] = (),
        keep: bool = True,
        **plan_fields: Any,
    ) -> None:
        if not isinstance(workload, Workload | str):
            raise UsageError("A Study takes a Workload or the name of a model: Study(Workload(model, inputs), …).")
        self.workload = workload if isinstance(workload, Workload) else Workload(workload)
        self.plan = plan_from(plan, plan_fields)
        self.environment = environment.detect()
        here = self.environment.placed(self.workload.place(self.environment))
        self.variants: list[Variant] = [v for v in resolve(variants, here) if v != BASELINE]
        self.exported = dict(exported or {})
        self.known, self.keep = tuple(known), keep
        self._stopping = threading.Event()
        self._run: Run | None = None

    def __iter__(self) -> Iterator[Event]:
        """Measure. Leaving the iteration early ends all workers.

        Raises
        ------
        UsageError
            If another study is running in this process: each would spoil the other's numbers.
        """
        with alone():
            yield from self._measure()

    def _measure(self) -> Iterator[Event]:
        run = self._run = Run(
            self.workload, self.variants, self.plan, self.environment, exported=self.exported, known=self.known
        )
        if self._stopping.is_set():
            run.host.stop()
        try:
            yield from _kept(run, self.known) if self.keep else run.events()
        finally:
            self._run = None
            self._stopping.clear()

    def estimate(self) -> Estimate:
        """Return about how long the study will take, before it is run; see `Estimate`."""
        from optkit import estimate

        return estimate.of(self.variants, self.plan, self.environment)

    def left_s(self, comparison: Comparison, elapsed_s: float) -> float | None:
        """Return about how many seconds it will still take; see `optkit.estimate.left_s`."""
        from optkit import estimate

        return estimate.left_s(comparison, self.plan.budget_s, elapsed_s)

    def skip(self, variant: Variant | str) -> None:
        """End one variant where it is, from any thread; what was measured of it stays, and the study goes on.

        Raises
        ------
        UsageError
            If the study has no such variant, or it is the baseline, which the others are compared with.
        """
        name = str(variant)
        if name not in map(str, self.variants):
            names = ", ".join(map(str, self.variants)) or "none"
            raise UsageError(f"{name!r} cannot be skipped; variants that can are: {names}.")
        run = self._run
        if run is not None:
            run.skip(name)

    def stop(self) -> None:
        """End the study, from any thread: every process is gone within two seconds, and what was measured stays.

        A study that is stopped before it is iterated over ends as soon as it begins.
        """
        self._stopping.set()
        run = self._run
        if run is not None:
            run.host.stop()


def _kept(run: Run, known: Sequence[Event]) -> Iterator[Event]:
    """Keep each event of a run before anybody sees it, and say so where that is not possible."""
    with contextlib.closing(Recorder(run.comparison.run_id, len(known))) as recorder:
        if known:
            recorder.claim()
        try:
            with contextlib.closing(run.events()) as events:
                for event in events:
                    is_end = isinstance(event, StudyStarted | StudyEnded)
                    problem = recorder.add(event, summary.of(run.comparison) if is_end else None)
                    if problem is not None:
                        yield problem
                    yield event
        except BaseException:  # whoever watched has left, or was interrupted
            if run.comparison.started is not None and run.comparison.ended_because is None:
                ended = StudyEnded(at_s=run.elapsed_s, because="stopped")
                run.comparison.fold(ended)
                recorder.add(ended, summary.of(run.comparison))
            raise


def plan_from(plan: Plan | None, fields: dict[str, Any]) -> Plan:
    """Return the plan, or one made of these fields; TypeError for an unknown field, or where both are given."""
    known = {field.name for field in dataclasses.fields(Plan)}
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise TypeError(f"There is no argument {unknown[0]!r}; a plan has {', '.join(sorted(known))}.")
    if plan is not None and fields:
        raise TypeError("Give either plan= or fields of a plan, not both.")
    return plan or Plan(**fields)


def collect(study: Study, seen: Callable[[Event, Comparison], None] | None = None) -> Comparison:
    """Run a study to its end and return the comparison; `seen` is told each event, with the comparison so far.

    An interrupt (Ctrl-C, or ■ in Jupyter) ends the study; what was measured until then is returned.

    Raises
    ------
    WorkloadError
        If the model does not run with its inputs, not even as it is.
    """
    comparison = Comparison(study.known, workload=study.workload, variants=study.variants)
    try:
        for event in study:
            comparison.fold(event)
            if seen is not None:
                seen(event, comparison)
            elif isinstance(event, Waiting):
                warnings.warn(f"Waiting until the study of {event.holder} is over.", stacklevel=2)
    except KeyboardInterrupt:
        comparison.fold(StudyEnded(at_s=comparison.elapsed_s, because="stopped"))
    check_workload(comparison)
    if seen is None and comparison.not_kept is not None:
        warnings.warn(f"This run is not in the history. {comparison.not_kept}", stacklevel=2)
    return comparison


def check_workload(comparison: Comparison) -> None:
    """Raise a WorkloadError if the study found that the model itself does not run with its inputs."""
    baseline = comparison.baseline
    if baseline is not None and baseline.raised and baseline.first_call_s is None:
        model = comparison.started.workload["model"] if comparison.started else "The model"
        doing = "cannot be built" if baseline.failed_phase == "build" else "does not run with these inputs"
        raise WorkloadError(f"{model} {doing}. {baseline.reason}")


def compare(
    model: Any,
    inputs: Any = None,
    variants: VariantLike | Iterable[VariantLike] = "recommended",
    *,
    batch_size: int = 1,
    shape: tuple[int, ...] | None = None,
    device: Any = None,
    call: str | None = None,
    weights: str | None = None,
    evaluate: Callable[[Any], float] | None = None,
    plan: Plan | None = None,
    **plan_fields: Any,
) -> Comparison:
    """Measure variants of a model against eager, and return the comparison.

    Parameters
    ----------
    model, inputs, batch_size, shape, device, call, weights, evaluate
        See `Workload`; a `Workload` is taken as a model as well.
    variants, plan
        See `Study`.
    plan_fields
        Fields of `Plan` in place of a plan, e.g. ``budget_s=60, warm=True``.

    Returns
    -------
    Comparison
        Also where variants failed, or an interrupt ended the study early: each row says what happened to it.

    Raises
    ------
    UsageError
        If the model, its inputs, a variant or the plan makes no sense; the message says what to do.

    Examples
    --------
    >>> comparison = optkit.compare("resnet18", variants=["compile"], budget_s=60)
    >>> comparison.best()
    """
    given = {
        "batch_size": batch_size, "shape": shape, "device": device, "call": call, "weights": weights,
        "evaluate": evaluate,
    }  # fmt: skip
    return collect(Study(workload_from(model, inputs, **given), variants, plan, **plan_fields))
