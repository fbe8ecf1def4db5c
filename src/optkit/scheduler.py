"""One run of a study: who does what next. Asks workers, and yields what they answer as events.

Nothing is timed while a consumer looks at an event: the generator stands still at its ``yield``, and every worker
blocks on its pipe.
"""

from __future__ import annotations

import dataclasses
import math
import random
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cloudpickle

from optkit.comparison import Comparison
from optkit.errors import WorkerError
from optkit.events import (
    FirstCall,
    PhaseBegan,
    PhaseEnded,
    Samples,
    StudyEnded,
    StudyStarted,
    VariantFailed,
    VariantFinished,
    VariantSkipped,
)
from optkit.stats import median
from optkit.variant import BASELINE
from optkit.worker.endings import StoppedError, WorkerFailedError
from optkit.worker.host import Host

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from optkit.environment import Environment
    from optkit.events import EndReason, Event, Phase
    from optkit.study import Plan
    from optkit.variant import Variant
    from optkit.worker.host import Worker
    from optkit.workload import Workload

PRELIMINARY_ROUNDS = 3
FEWEST_ROUNDS = 3
TURN_CALLS, TURN_S = 10, 0.1
FEWEST_TURN_CALLS, LONG_TURN_S = 3, 2.0
"""A turn is 10 calls and 100 ms; where 10 calls would take over 2 s, as many as fit in that, but at least 3."""
DISCARD_CALLS, DISCARD_S = 2, 0.02
OVERTIME = 2.0
"""A variant that was asked for is still begun after the budget, until twice its time: a row says more than its lack."""
SETTLE_CALLS, SETTLE_SHARE = 20, 0.1
PATIENCE, PATIENCE_S = 30.0, 30.0
"""A timed phase that takes 30 times as long as expected, and 30 s more, hangs."""


@dataclass
class Member:
    """A variant that takes part, with its worker."""

    variant: Variant
    twin: bool = False
    worker: Worker | None = None
    call_s: float = 0.0
    is_short: bool = False
    finished: bool = False

    @property
    def names(self) -> dict[str, Any]:
        """The fields by which its events name it."""
        return {"variant": str(self.variant), "twin": self.twin}


class Run:
    """One run. `events` yields everything; `host` can be stopped from another thread."""

    def __init__(
        self,
        workload: Workload,
        variants: list[Variant],
        plan: Plan,
        environment: Environment,
    ) -> None:
        self.workload = workload
        self.plan = plan
        self.environment = environment
        self.device = workload.place(environment)
        self.host = Host()
        self.comparison = Comparison()
        self.baseline = Member(BASELINE)
        self.twin = Member(BASELINE, twin=True)
        self.members = [self.baseline, *(Member(variant) for variant in variants)]
        self._random = random.Random(plan.seed)  # noqa: S311 - the order of turns is no secret
        self._began = time.monotonic()
        self._preliminary_rounds = 0
        self._in_blocks = False
        self._taken_in = False
        self._spec: dict[str, Any] = {}
        self._probed: Path | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def events(self) -> Iterator[Event]:
        """Yield every event of the run, in the order they happen."""
        with closing(self._all()) as events:  # whoever leaves early ends the workers now, not at a later collection
            for event in events:
                self.comparison.apply(event)
                yield event

    def _all(self) -> Generator[Event, None, None]:
        with self.host:
            self._spec = self.workload.pack(self.host.folder)
            yield self._started()
            because: EndReason
            try:
                because = yield from self._measure()
            except StoppedError:
                because = "stopped"
        yield StudyEnded(at_s=self.elapsed_s, because=because)

    def _measure(self) -> Generator[Event, None, EndReason]:
        yield from self._import()
        for member in (self.baseline, self.twin):
            yield from self._bring_up(member)
            if self.baseline.worker is None:
                yield from self._skip_rest("The baseline failed, so there is nothing to compare with.")
                return "baseline_failed"
        for member in self.members[1:]:
            yield from self._take_in(member)
        because = yield from self._rounds()
        for member in self._active():
            yield VariantFinished(at_s=self.elapsed_s, **member.names)
        return because

    def _started(self) -> StudyStarted:
        return StudyStarted(
            at_s=self.elapsed_s,
            run_id=f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}",
            time_unix_s=time.time(),
            workload=self.workload.describe(self.environment),
            variants=tuple(str(member.variant) for member in self.members),
            baseline=str(BASELINE),
            plan=dataclasses.asdict(self.plan) | {"rounds": list(self.plan.rounds)},
            environment=self.environment.to_json(),
        )

    def _import(self) -> Iterator[Event]:
        yield self._phase(self.baseline, "import")
        begin = time.monotonic()
        modules = self.host.start()
        yield PhaseEnded(
            at_s=self.elapsed_s,
            phase="import",
            seconds=time.monotonic() - begin,
            details={"modules_s": modules},
            **self.baseline.names,
        )

    def _take_in(self, member: Member) -> Iterator[Event]:
        """Bring one variant to the point where it can take part in rounds, or say why not."""
        reason = member.variant.blocked(self.environment.placed(self.device))
        if reason is None and self._taken_in and self.elapsed_s >= OVERTIME * self.plan.budget_s:
            reason = f"The budget of {self.plan.budget_s:g} s was long used up before its turn; give a larger one."
        if reason is not None:
            yield VariantSkipped(at_s=self.elapsed_s, reason=reason, **member.names)
            return
        self._taken_in = True  # however small the budget, one variant is measured
        yield from self._bring_up(member)
        if member.worker is None:
            return
        for _ in range(PRELIMINARY_ROUNDS):
            self._preliminary_rounds += 1
            pair = [self.baseline if self.baseline.worker is not None else self.twin, member]
            self._in_blocks = any(one.is_short for one in pair)
            yield from self._round(pair, "preliminary", self._preliminary_rounds)
            if member.worker is None:
                return

    def _bring_up(self, member: Member) -> Iterator[Event]:
        """Fork a worker and take it through the phases up to steady calls."""
        phase: Phase = "probe"
        try:
            if self._probed is None and self._probes(member):
                yield from self._learn_cpu(member)
            worker = member.worker = self.host.fork(member.variant.engine.name, self._probed)
            for phase, command in self._steps(member, worker):
                yield self._phase(member, phase)
                answer = worker.ask({"do": phase, **command}, self._limit_s(member, phase))
                yield self._answered(member, phase, answer)
        except WorkerFailedError as error:
            yield self._failed(member, phase, error)
        except WorkerError as error:  # no worker can be had any more; what was measured stays
            yield self._failed(member, phase, WorkerFailedError(str(error), ""))

    def _probes(self, member: Member) -> bool:
        return member.variant.engine.probes_cpu and self.device == "cpu"

    def _learn_cpu(self, member: Member) -> Iterator[Event]:
        """Let Inductor learn about this CPU in a worker of its own, once; later workers begin with its files."""
        yield self._phase(member, "probe")
        worker = self.host.fork("probe")
        answer = worker.ask({"do": "probe", "compile_one": True}, self.plan.compile_limit_s)
        self._probed = self.host.keep(worker.cache)
        worker.end()
        yield self._answered(member, "probe", answer)

    def _steps(self, member: Member, worker: Worker) -> Iterator[tuple[Phase, dict[str, Any]]]:
        """Yield the phases of one variant with what the worker has to be told."""
        if self._probes(member):
            yield "probe", {"compile_one": False}
        path = worker.folder / "variant"
        path.write_bytes(cloudpickle.dumps(member.variant))
        yield "build", {"workload": self._spec, "variant": str(path), "device": self.device}
        yield "prepare", {}
        yield "first_call", {}
        yield "early_calls", {}
        share = SETTLE_SHARE * self.plan.budget_s / len(self.members)
        yield "settle", {"limit_s": share, "least_calls": SETTLE_CALLS}

    def _limit_s(self, member: Member, phase: Phase) -> float:
        """Seconds until a phase is taken to hang."""
        expected_s = member.call_s * (TURN_CALLS + 2 * self.workload.batch_count)
        if phase in ("preliminary", "rounds"):
            return PATIENCE_S + PATIENCE * expected_s
        if phase == "settle":  # another batch may compile there
            return self.plan.compile_limit_s + PATIENCE_S + PATIENCE * expected_s
        return self.plan.compile_limit_s

    def _answered(self, member: Member, phase: Phase, answer: dict[str, Any]) -> Event:
        """Turn a worker's answer into the event that it stands for."""
        fields: dict[str, Any] = {"at_s": self.elapsed_s, **member.names}
        if phase == "first_call":
            return FirstCall(**fields, **answer)
        if phase in ("probe", "build", "prepare"):
            return PhaseEnded(**fields, phase=phase, **answer)
        samples = Samples(
            **fields,
            kind="early" if phase == "early_calls" else "settle",
            first_call=answer["first_call"],
            calls_per_sample=answer["calls_per_sample"],
            durations_ns=tuple(answer["durations_ns"]),
            steady=answer.get("steady"),
        )
        member.call_s = median(samples.seconds_per_call)
        member.is_short = bool(answer.get("is_short"))
        return samples

    def _rounds(self) -> Generator[Event, None, EndReason]:
        """Let all take turns until they are measured well enough, or rounds or budget are used up."""
        # All alike: a median of single calls and a median of means of blocks are different numbers.
        self._in_blocks = any(member.is_short for member in [*self._active(), self.twin])
        for number in range(1, self.plan.rounds[1] + 1):
            if number > FEWEST_ROUNDS and self.elapsed_s >= self.plan.budget_s:
                return "budget"
            yield from self._round([*self._active(), self.twin], "rounds", number)
            if self.baseline.worker is None and self.twin.worker is None:
                return "baseline_failed"
            if not self._active():
                return "nothing_left"
            if number == self.plan.rounds[0]:
                yield from self._finish_narrow()
                if all(member is self.baseline for member in self._active()):
                    return "target"
        return "rounds"

    def _finish_narrow(self) -> Iterator[Event]:
        """Finish the variants whose interval is narrow enough; their workers rest."""
        for member in self._active():
            measurement = self.comparison.measurements[str(member.variant)]
            interval, speedup = measurement.interval(0.95), measurement.speedup
            if member is not self.baseline and interval is not None and speedup is not None:
                low, high = (end / speedup for end in interval)
                if low >= 1 - self.plan.target and high <= 1 + self.plan.target:
                    member.finished = True
                    yield VariantFinished(at_s=self.elapsed_s, **member.names)

    def _round(self, members: list[Member], phase: Phase, number: int) -> Iterator[Event]:
        """Visit every member once, in random order."""
        present = [member for member in members if member.worker is not None]
        for member in self._random.sample(present, len(present)):
            yield self._phase(member, phase, number)
            yield self._turn(member, phase, number)

    def _turn(self, member: Member, phase: Phase, number: int) -> Event:
        assert member.worker is not None
        command = {
            "do": "turn",
            "in_blocks": self._in_blocks,
            "least_calls": max(FEWEST_TURN_CALLS, min(TURN_CALLS, math.ceil(LONG_TURN_S / member.call_s))),
            "least_s": TURN_S,
            "discard_calls": DISCARD_CALLS,
            "discard_s": DISCARD_S,
        }
        try:
            answer = member.worker.ask(command, self._limit_s(member, phase))
        except WorkerFailedError as error:
            return self._failed(member, phase, error)
        return Samples(
            at_s=self.elapsed_s,
            kind="round" if phase == "rounds" else "preliminary",
            round_number=number,
            first_call=answer["first_call"],
            calls_per_sample=answer["calls_per_sample"],
            durations_ns=tuple(answer["durations_ns"]),
            **member.names,
        )

    def _active(self) -> list[Member]:
        """Members, without the twin, that have a worker and are not finished yet."""
        return [member for member in self.members if member.worker is not None and not member.finished]

    def _phase(self, member: Member, phase: Phase, number: int | None = None) -> PhaseBegan:
        limit = self.plan.rounds[1] if phase == "rounds" else None
        return PhaseBegan(at_s=self.elapsed_s, phase=phase, round_number=number, round_limit=limit, **member.names)

    def _failed(self, member: Member, phase: Phase, error: WorkerFailedError) -> VariantFailed:
        """End the member's worker; the others go on without it."""
        if member.worker is not None:
            member.worker.end()
            member.worker = None
        return VariantFailed(
            at_s=self.elapsed_s,
            phase=phase,
            reason=error.reason,
            details=error.details,
            raised=error.raised,
            **member.names,
        )

    def _skip_rest(self, reason: str) -> Iterator[Event]:
        for member in self.members[1:]:
            yield VariantSkipped(at_s=self.elapsed_s, reason=reason, **member.names)
