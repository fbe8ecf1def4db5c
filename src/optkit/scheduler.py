"""One run of a study: who does what next. Asks workers, and yields what they answer as events.

Nothing is timed while a consumer looks at an event: the generator stands still at its ``yield``, and every worker
blocks on its pipe.
"""

from __future__ import annotations

import random
import secrets
import time
from contextlib import closing
from typing import TYPE_CHECKING

from optkit import abba, passes
from optkit.comparison import Comparison
from optkit.crew import Crew
from optkit.events import (
    MachineRead,
    PassFailed,
    PhaseEnded,
    Samples,
    StudyEnded,
    StudyResumed,
    StudyStarted,
    VariantFailed,
    VariantFinished,
    VariantSkipped,
    Waiting,
)
from optkit.machine import Monitor
from optkit.machine_lock import MachineLock
from optkit.member import Member
from optkit.variant import BASELINE
from optkit.verdicts import FEWEST_DECIDING_ROUNDS, Verdict
from optkit.worker.endings import StoppedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from optkit.environment import Environment
    from optkit.events import EndReason, Event, Phase
    from optkit.measurement import Measurement
    from optkit.study import Plan
    from optkit.variant import Variant
    from optkit.worker.host import Host
    from optkit.workload import Workload

PRELIMINARY_ROUNDS = 3
FEWEST_ROUNDS = 3
CONFIRMING_ROUNDS = 8
EARLY_LOOKS = (10, 15)
"""Rounds after which the stopping rule is looked at, besides `Plan.rounds`. A rule that is looked at after every round
would stop at whichever moment chance made an interval look narrow."""
OVERTIME = 2.0
"""A variant that was asked for is still begun after the budget, until twice its time: a row says more than its lack."""


class Run:
    """One run. `events` yields everything; `host` can be stopped from another thread."""

    def __init__(
        self,
        workload: Workload,
        variants: list[Variant],
        plan: Plan,
        environment: Environment,
        *,
        exported: Mapping[str, Path] | None = None,
        known: Sequence[Event] = (),
    ) -> None:
        self.workload = workload
        self.plan = plan
        self.environment = environment
        self.device = workload.place(environment)
        self.known = known
        self.comparison = Comparison(known)
        self.baseline = Member(BASELINE)
        self.twin = Member(BASELINE, twin=True)
        self.members = [self.baseline, *(Member(one, artifact=(exported or {}).get(str(one))) for one in variants)]
        self.crew = Crew(workload, plan, environment, self.device, len(self.members))
        built = [one for one in known if isinstance(one, PhaseEnded) and one.phase == "build"]
        self.crew.parameters = next((one.details.get("parameters") for one in built), None)
        self.crew.began -= self.comparison.elapsed_s  # a study that goes on has one clock
        self._monitor = Monitor()
        self._random = random.Random(plan.seed)  # noqa: S311 - the order of turns is no secret
        self._preliminary_rounds = max([0, *self._numbers("preliminary")])
        self._taken_in = False
        self._confirms = False  # whether the rounds after the tenth leave time for it

    @property
    def host(self) -> Host:
        """Owner of the workers."""
        return self.crew.host

    def skip(self, variant: str) -> None:
        """End a variant where it is, from any thread; never the baseline."""
        for member in self.members[1:]:
            if str(member.variant) == variant:
                member.skip()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self.crew.elapsed_s

    def events(self) -> Generator[Event, None, None]:
        """Yield every event of the run, in the order they happen."""
        with closing(self._all()) as events:  # whoever leaves early ends the workers now, not at a later collection
            for event in events:
                self.comparison.fold(event)
                yield event

    def _all(self) -> Generator[Event, None, None]:
        with self.host, MachineLock() as lock:
            self.crew.pack()
            yield self._resumed() if self.known else self._started()
            because: EndReason
            try:
                yield from self._wait(lock)
                yield self._read_machine()
                because = yield from self._measure()
            except StoppedError:
                because = "stopped"
            yield self._read_machine()
        yield StudyEnded(at_s=self.elapsed_s, because=because)

    def _wait(self, lock: MachineLock) -> Iterator[Event]:
        """Wait until no other study runs on this machine; that is not part of the budget."""
        begin = time.monotonic()
        at_s = self.elapsed_s
        try:
            for holder in lock.wait(lambda seconds: self.host.wait(lambda: False, seconds)):
                yield Waiting(at_s=at_s, holder=holder)
        finally:
            self.crew.began += time.monotonic() - begin

    def _measure(self) -> Generator[Event, None, EndReason]:
        yield from self._import()
        for member in (self.baseline, self.twin):
            member.postponed = member is self.twin and not self.crew.has_room()
            if not member.postponed:
                yield from self._bring_up(member)
            if self.baseline.worker is None:
                yield from self._skip_rest("The baseline failed, so there is nothing to compare with.")
                return "baseline_failed"
        for member in self.members[1:]:
            yield from self._take_in(member)
        because = yield from self._rounds()
        yield from self._passes()
        for member in self.members:
            if not member.finished:
                yield VariantFinished(at_s=self.elapsed_s, because=because, **member.names)
        return because

    def _passes(self) -> Iterator[Event]:
        """Measure what is not for the rounds, once they are over."""
        yield from passes.throughput(self.crew, self.members, self._random)
        # The baseline first: it writes the outputs that the others are compared with.
        for member in [self.baseline, self.twin, *self.members[1:]]:
            if member.worker is not None:
                yield from passes.examine(self.crew, member)
        # Other sizes compile anew: that must not be taken for something that the variant's own calls did.
        yield from passes.throughput(self.crew, self.members, self._random, self.plan.batch_sizes)
        yield from passes.headroom(self.crew, self.baseline, sorted(self._thread_counts()), self._beats_floor)
        postponed = [member for member in [self.twin, *self.members[1:]] if member.postponed]
        if postponed:
            first = 1 + max([self.plan.rounds[1], *self._numbers("round")])
            known = [one for one in postponed if self._measured(one).first_call_s is not None]
            yield from abba.cycles(
                self.crew, self.baseline, postponed, residents=[self.twin, *self.members[1:]], first=first, known=known
            )
        else:
            trio = self._finalists()
            if self.plan.warm:
                yield from passes.warm_start(self.crew, self.members)
            yield from self._confirm(trio)

    def _started(self) -> StudyStarted:
        return StudyStarted(
            at_s=self.elapsed_s,
            run_id=f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}",
            time_unix_s=time.time(),
            workload=self.workload.describe(self.environment),
            variants=tuple(str(member.variant) for member in self.members),
            baseline=str(BASELINE),
            plan=self.plan.to_json(),
            environment=self.environment.to_json(),
        )

    def _resumed(self) -> StudyResumed:
        return StudyResumed(at_s=self.elapsed_s, time_unix_s=time.time(), plan=self.plan.to_json())

    def _numbers(self, kind: str) -> list[int]:
        """Return the rounds of a kind that were made before the study was resumed."""
        return [one.round_number or 0 for one in self.known if isinstance(one, Samples) and one.kind == kind]

    def _read_machine(self) -> MachineRead:
        return MachineRead(at_s=self.elapsed_s, **self._monitor.read())

    def _import(self) -> Iterator[Event]:
        yield self.crew.phase(self.baseline, "import")
        begin = time.monotonic()
        modules = self.crew.start()
        self._monitor.root_pids = (self.host.zygote_pid,)
        yield PhaseEnded(
            at_s=self.elapsed_s,
            phase="import",
            seconds=time.monotonic() - begin,
            details={"modules_s": modules},
            **self.baseline.names,
        )

    def _take_in(self, member: Member) -> Iterator[Event]:
        """Bring one variant to the point where it can take part in rounds, or say why not."""
        known = self._measured(member)
        if known.status in ("failed", "skipped"):  # before the study was resumed
            return
        member.finished = known.status == "ok"
        reason = member.variant.blocked(self.environment.placed(self.device))
        if member.unwanted:
            reason = "You skipped it."
        if reason is None and self._taken_in and self.elapsed_s >= OVERTIME * self.plan.budget_s:
            reason = f"The budget of {self.plan.budget_s:g} s was long used up before its turn; give a larger one."
        if known.rounds and reason is not None:
            return  # before the study was resumed it had rounds: they stay, and there are no more
        if reason is not None:
            yield VariantSkipped(at_s=self.elapsed_s, reason=reason, **member.names)
            member.finished = True
            return
        self._taken_in = True  # however small the budget, one variant is measured
        if not self.crew.has_room():
            member.postponed = True
            return
        yield from self._bring_up(member)
        for _ in range(0 if known.rounds else PRELIMINARY_ROUNDS):
            if member.worker is None:
                return
            self._preliminary_rounds += 1
            pair = [self.baseline if self.baseline.worker is not None else self.twin, member]
            self.crew.in_blocks = any(one.is_short for one in pair)
            yield from self._round(pair, "preliminary", self._preliminary_rounds)

    def _bring_up(self, member: Member) -> Iterator[Event]:
        """Fork a worker and take it to steady calls; where its first call is known already, that is no news."""
        known = self.comparison.baseline.twin if member.twin and self.comparison.baseline else self._measured(member)
        if known is None or known.first_call_s is None:
            yield from self.crew.bring_up(member)
            yield self._read_machine()
            return
        for event in self.crew.bring_up_again(member, "reload"):
            if isinstance(event, VariantFailed) and known.rounds:  # what was measured before is a result
                yield PassFailed(
                    at_s=event.at_s, phase="reload", reason=event.reason, details=event.details, **member.names
                )
            else:
                yield event

    def _rounds(self) -> Generator[Event, None, EndReason]:
        """Let all take turns until they are measured well enough, or rounds or budget are used up."""
        # All alike: a median of single calls and a median of means of blocks are different numbers.
        earlier = [one for one in self.known if isinstance(one, Samples) and one.kind == "round"]
        self.crew.in_blocks = any(one.calls_per_sample > 1 for one in earlier) or (
            not earlier and any(member.is_short for member in [*self._active(), self.twin])
        )
        for number in range(1 + max([0, *self._numbers("round")]), self.plan.rounds[1] + 1):
            if number == FEWEST_DECIDING_ROUNDS + 1:
                self._confirms = self.elapsed_s + self._confirm_s() <= self.plan.budget_s
            if number > FEWEST_ROUNDS and self.elapsed_s >= self._until_s():
                return "budget"
            yield from self._round([*self._active(), self.twin], "rounds", number)
            yield self._read_machine()
            if self.baseline.worker is None and self.twin.worker is None:
                return "baseline_failed"
            if not self._active():
                return "nothing_left"
            if number in (*EARLY_LOOKS, self.plan.rounds[0]):
                because = yield from self._finish_some(number)
                if because is not None:
                    return because
        return "rounds"

    def _until_s(self) -> float:
        """Return when the last round may begin: time is left for those that do not fit in memory, and to confirm."""
        postponed = sum(member.postponed for member in self.members)
        share = 1 - postponed / len(self.members)
        return share * self.plan.budget_s - (self._confirm_s() if self._confirms and not postponed else 0)

    def _finish_some(self, number: int) -> Generator[Event, None, EndReason | None]:
        """Finish the variants that are measured well enough; their workers rest. Say why, where none is left."""
        because: EndReason | None = None
        for member in self._active():
            measurement = self.comparison.measurements[str(member.variant)]
            reason: EndReason | None = None
            if number >= self.plan.rounds[0] and measurement.is_within(self.plan.target):
                reason = "target"
            elif self.plan.goal == "best" and measurement.verdict not in (None, Verdict.INCONCLUSIVE):
                reason = "decided"
            if member is not self.baseline and reason is not None:
                member.finished, because = True, reason
                yield VariantFinished(at_s=self.elapsed_s, because=reason, **member.names)
        left = [member for member in self._active() if member is not self.baseline]
        return None if left else because

    def _beats_floor(self, threads: int | None) -> bool:
        """Whether some variant that ran with so many threads was faster than this machine is taken to be able to."""
        return any(m.threads == threads and m.beats_floor for m in self.comparison.measurements.values())

    def _thread_counts(self) -> set[int]:
        """Return the numbers of threads that variants ran with."""
        every = [self._measured(member).threads for member in self.members if member.worker is not None]
        return {threads for threads in every if threads is not None}

    def _confirm(self, trio: list[Member]) -> Iterator[Event]:
        """Measure both baselines and the finalist again with workers forked afresh, where the budget allows it.

        Forked workers share one layout of addresses, so a difference between two of them can be the layout's.
        """
        trio = [member for member in trio if member.worker is not None]
        is_time = self._confirms or self.elapsed_s + self._confirm_s() <= self.plan.budget_s
        if len(trio) < 3 or not is_time:  # noqa: PLR2004
            return
        for member in [*self.members, self.twin]:
            self.crew.rest(member)
        for member in trio:
            yield from self.crew.bring_up_again(member, "confirm")
        for number in range(1, CONFIRMING_ROUNDS + 1):
            yield from self._round(trio, "confirm", number)

    def _finalists(self) -> list[Member]:
        """Return both baselines and the fastest variant that may be an answer, of those that are still there."""
        rivals = [member for member in self.members[1:] if member.worker is not None]
        fastest = max(rivals, key=lambda member: self._measured(member).merit, default=None)
        return [member for member in (self.baseline, self.twin, fastest) if member and member.worker is not None]

    def _measured(self, member: Member) -> Measurement:
        return self.comparison.measurements[str(member.variant)]

    def _confirm_s(self) -> float:
        """Return about how many seconds `_confirm` takes."""
        trio = self._finalists()
        again_s = sum(self.crew.again_s(member) for member in trio)
        return again_s + CONFIRMING_ROUNDS * sum(self.crew.turn_s(member) for member in trio)

    def _round(self, members: list[Member], phase: Phase, number: int) -> Iterator[Event]:
        """Visit every member once, in random order."""
        present = [member for member in members if member.worker is not None]
        for member in self._random.sample(present, len(present)):
            yield self.crew.phase(member, phase, number)
            yield from self.crew.turn(member, phase, number)

    def _active(self) -> list[Member]:
        """Members, without the twin, that have a worker and are not finished yet."""
        return [member for member in self.members if member.worker is not None and not member.finished]

    def _skip_rest(self, reason: str) -> Iterator[Event]:
        for member in self.members[1:]:
            if self._measured(member).first_call_s is None:
                yield VariantSkipped(at_s=self.elapsed_s, reason=reason, **member.names)
