"""The workers of a run: what each is told, step by step, and the events that its answers stand for.

`optkit.scheduler` decides whose turn it is; how a turn goes is decided here.
"""

from __future__ import annotations

import math
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import by_value, machine, private, probe
from optkit.errors import UsageError, WorkerError
from optkit.events import (
    CompileBegan,
    CompileEnded,
    Evidence,
    FirstCall,
    PhaseBegan,
    PhaseEnded,
    Samples,
    VariantFailed,
    VariantSkipped,
)
from optkit.stats import median
from optkit.variant import BASELINE
from optkit.worker.endings import SkippedError, WorkerFailedError
from optkit.worker.host import Host

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from optkit.environment import Environment
    from optkit.events import Event, Phase
    from optkit.member import Member
    from optkit.study import Plan
    from optkit.worker.host import Worker
    from optkit.workload import Workload

TURN_CALLS, TURN_S = 10, 0.1
FEWEST_TURN_CALLS, LONG_TURN_S = 3, 2.0
"""A turn is 10 calls and 100 ms; where 10 calls would take over 2 s, as many as fit in that, but at least 3."""
DISCARD_CALLS, DISCARD_S = 2, 0.02
SETTLE_CALLS, SETTLE_SHARE = 20, 0.1
AGAIN_SETTLE_S = 1.0
"""A worker that was forked for a variant known already settles no longer than this, or than `SETTLE_CALLS` calls."""
PATIENCE, PATIENCE_S = 30.0, 30.0
"""A timed phase that takes 30 times as long as expected, and 30 s more, hangs."""
MEMORY_FACTOR, MEMORY_SPARE_BYTES = 1.5, 256 * 1024 * 1024
"""A further worker fits where half as much again as the largest so far is free, and this: compiling needs some too."""


@dataclass
class Crew:
    """Everything that talks with workers. `began` is the monotonic time at which the study began."""

    workload: Workload
    plan: Plan
    environment: Environment
    device: str
    members: int
    began: float = field(default_factory=time.monotonic)
    began_unix_s: float = field(default_factory=time.time)
    host: Host = field(default_factory=Host)
    is_portable: bool = False
    """Whether what is compiled is to be used on other machines, which have none of this one's precompiled headers."""
    in_blocks: bool = False
    parameters: int | None = None
    """How many the model had before the study was resumed; None for a new one."""
    spec: dict[str, Any] = field(default_factory=dict)
    """What a process needs to build the model; see `Workload.pack`."""
    _probed: Path | None = None
    _largest_bytes: int = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def pack(self) -> None:
        """Write what workers need to build the model."""
        self.spec = self.workload.pack(self.host.folder)

    def start(self) -> dict[str, float]:
        """Start the process that forks workers; return the seconds that each of its imports took."""
        return self.host.start(self.workload.import_path)

    def has_room(self) -> bool:
        """Whether one more worker, like the largest so far, fits in memory."""
        free = machine.available_memory_bytes()
        return free is None or free >= MEMORY_FACTOR * self._largest_bytes + MEMORY_SPARE_BYTES

    def bring_up(self, member: Member) -> Iterator[Event]:
        """Fork a worker and take it through the phases up to steady calls."""
        phase: Phase = "build"
        try:
            if self.probes(member):
                phase = "probe"
                yield from self.learn_cpu(member)
            begin = time.monotonic()
            for phase, command in self._steps(member):
                if phase == "settle":
                    member.start_s = time.monotonic() - begin
                if not member.is_loading(phase):
                    yield self.phase(member, phase)
                answer = yield from self.talk(member, {"do": phase, **command}, self.limit_s(member, phase))
                yield from self._answered(member, phase, answer)
                if phase == "export":
                    begin = time.monotonic()  # another worker of this variant only loads what was exported
            if member.worker is not None:
                self._largest_bytes = max(self._largest_bytes, machine.private_bytes(member.worker.pid))
        except WorkerFailedError as error:
            yield self.failed(member, phase, error)
        except WorkerError as error:  # no worker can be had any more; what was measured stays
            yield self.failed(member, phase, WorkerFailedError(str(error), ""))

    def bring_up_again(self, member: Member, phase: Phase) -> Iterator[Event]:
        """Fork a fresh worker for a variant that was measured before, from the cache of its first; one event a phase.

        The old worker is ended. What the fresh one compiles or warms up is no news, and no samples come of it.
        """
        yield self.phase(member, phase)
        self.rest(member)
        begin = time.monotonic()
        try:
            if self.probes(member):
                yield from self.learn_cpu(member)  # of a study that was resumed
            for step, answer in self.start_again(member, settle=True):
                if step == "settle" and not member.call_s:  # a study that was resumed
                    _learn(member, answer)
                elif step == "build" and self.parameters is not None and member.variant == BASELINE:
                    self._check_model(answer["details"]["parameters"])
        except WorkerFailedError as error:
            yield self.failed(member, phase, error)
        except WorkerError as error:
            yield self.failed(member, phase, WorkerFailedError(str(error), ""))
        else:
            yield PhaseEnded(at_s=self.elapsed_s, phase=phase, seconds=time.monotonic() - begin, **member.names)

    def _check_model(self, parameters: int) -> None:
        """Raise where the model is not that of the run which goes on, though its name and inputs are."""
        if parameters != self.parameters:
            raise UsageError(
                f"The model that was measured had {self.parameters} parameters, and this one has {parameters}; give "
                "that one, or start a new study."
            )

    def start_again(self, member: Member, *, settle: bool = False) -> Iterator[tuple[Phase, dict[str, Any]]]:
        """Fork a worker from the cache of a variant's first; yield each phase with the worker's answer."""
        for step, command in self._steps(member):
            if step == "settle" and not settle:
                return
            assert member.worker is not None
            again = command | {"limit_s": AGAIN_SETTLE_S} if step == "settle" else command
            yield step, member.worker.ask({"do": step, **again}, self.limit_s(member, step))

    def _fork(self, member: Member, seed_cache: Path | None) -> Worker:
        if member.unwanted:  # before it had a worker that could be ended
            raise SkippedError("It was skipped.", "")
        worker = member.worker = self.host.fork(member.variant.engine.name, seed_cache)
        member.seeded_bytes = _size(worker.cache)
        return worker

    def talk(self, member: Member, command: dict[str, Any], limit_s: float) -> Generator[Event, None, dict[str, Any]]:
        """Ask a member's worker; yield what it tells of its compiles meanwhile, and return its answer."""
        assert member.worker is not None
        conversation = member.worker.converse(command, limit_s)
        while True:
            try:
                news = next(conversation)
            except StopIteration as end:
                answer: dict[str, Any] = end.value
                return answer
            yield self._told(member, news)

    def _told(self, member: Member, news: dict[str, Any]) -> Event:
        fields: dict[str, Any] = {"at_s": self.elapsed_s, **member.names}
        if news["compile"] == "began":
            return CompileBegan(**fields, compile_id=news["id"])
        told = {key: news[key] for key in ("function", "seconds", "phases_s", "reason", "failed")}
        return CompileEnded(**fields, compile_id=news["id"], **told)

    def again_s(self, member: Member) -> float:
        """Return about how many seconds `bring_up_again` will take."""
        return member.start_s + max(AGAIN_SETTLE_S, SETTLE_CALLS * member.call_s)

    def turn_s(self, member: Member) -> float:
        """Return about how many seconds a turn of the member takes."""
        calls = DISCARD_CALLS + max(FEWEST_TURN_CALLS, min(TURN_CALLS, LONG_TURN_S / max(member.call_s, 1e-9)))
        return max(DISCARD_S + TURN_S, calls * member.call_s)

    def rest(self, member: Member) -> None:
        """End the member's worker, and keep what it compiled for the next one."""
        if member.worker is not None:
            if member.cache is None:
                member.cache = member.worker.cache
            member.worker.end()
            member.worker = None

    def turn(self, member: Member, phase: Phase, number: int, *, reloaded: bool = False) -> Iterator[Event]:
        """Let a member make the calls of one round."""
        command = {
            "do": "turn",
            "in_blocks": self.in_blocks,
            "least_calls": max(FEWEST_TURN_CALLS, min(TURN_CALLS, math.ceil(LONG_TURN_S / member.call_s))),
            "least_s": TURN_S,
            "discard_calls": DISCARD_CALLS,
            "discard_s": DISCARD_S,
        }
        try:
            answer = yield from self.talk(member, command, self.limit_s(member, phase))
            calls = _calls(answer)
        except WorkerFailedError as error:
            yield self.failed(member, phase, error)
            return
        yield Samples(
            at_s=self.elapsed_s,
            kind={"preliminary": "preliminary", "confirm": "confirm"}.get(phase, "round"),  # type: ignore[arg-type]
            round_number=number,
            reloaded=reloaded,
            **calls,
            **member.names,
        )

    @property
    def reference(self) -> Path:
        """Where eager's outputs are, for the others to be compared with."""
        return self.host.folder / "reference"

    def left_bytes(self, member: Member) -> int | None:
        """Return the bytes of the file that was exported, or that compiling left in the cache; None without any."""
        assert member.worker is not None
        path = getattr(member.variant.engine, "path", None)
        if path is not None:
            return Path(path).stat().st_size if Path(path).is_file() else None
        cached = _size(member.worker.cache) - member.seeded_bytes
        left = cached if member.artifact is None else _size(member.artifact)
        return left if left > 0 else None

    def phase(self, member: Member, phase: Phase, number: int | None = None) -> PhaseBegan:
        """Say that a phase begins."""
        limit = self.plan.rounds[1] if phase == "rounds" else None
        return PhaseBegan(at_s=self.elapsed_s, phase=phase, round_number=number, round_limit=limit, **member.names)

    def failed(self, member: Member, phase: Phase, error: WorkerFailedError) -> VariantFailed | VariantSkipped:
        """End the member's worker; the others go on without it."""
        if member.worker is not None:
            member.worker.end()
            member.worker = None
        if isinstance(error, SkippedError):
            return VariantSkipped(at_s=self.elapsed_s, reason="You skipped it.", **member.names)
        return VariantFailed(
            at_s=self.elapsed_s,
            phase=phase,
            reason=error.reason,
            details=error.details,
            raised=error.raised,
            **member.names,
        )

    def probes(self, member: Member) -> bool:
        """Whether the first call of the member would include Inductor's look at this CPU."""
        return member.variant.engine.probes_cpu and self.device == "cpu"

    def learn_cpu(self, member: Member) -> Iterator[Event]:
        """Have Inductor's look at this CPU, learnt now or kept from before; later workers begin with its files."""
        if self._probed is not None:
            return
        known = probe.kept(self.host, self.environment)
        if known is None:
            yield self.phase(member, "probe")
            known = probe.learn(self.host, self.environment, self.plan.compile_limit_s)
        self._probed = known.cache
        yield PhaseEnded(
            at_s=self.elapsed_s, phase="probe", seconds=known.seconds, details=known.details, **member.names
        )

    def _steps(self, member: Member) -> Iterator[tuple[Phase, dict[str, Any]]]:
        """Fork a worker and yield the phases of one variant with what the worker has to be told.

        What a file is measured of has another worker before, which exports it. It is gone when the file is loaded.
        """
        engine = member.variant.engine
        if engine.exports and member.artifact is None:
            exporter = self._fork(member, self._probed)
            yield from self._first_steps(member, exporter, is_exporting=True)
            folder = exporter.folder / "artifact"
            yield "export", {"folder": str(folder)}
            member.artifact = folder
            exporter.end()
        worker = self._fork(member, member.cache or self._probed)
        yield from self._first_steps(member, worker, is_exporting=False)
        yield "prepare", {"folder": None if member.artifact is None else str(member.artifact)}
        yield "first_call", {}
        yield "early_calls", {}
        share = SETTLE_SHARE * self.plan.budget_s / self.members
        yield "settle", {"limit_s": share, "least_calls": SETTLE_CALLS}

    def _first_steps(
        self, member: Member, worker: Worker, *, is_exporting: bool
    ) -> Iterator[tuple[Phase, dict[str, Any]]]:
        runs_file = member.variant.engine.runs_file and not is_exporting
        if self.probes(member):
            yield "probe", {"compile_one": None}
        path = worker.folder / "variant"
        private.write_bytes(path, _sendable(member))
        told = {"workload": self.spec, "variant": str(path), "device": self.device, "with_model": not runs_file}
        yield "build", told | {"is_portable": self.is_portable}

    def limit_s(self, member: Member, phase: Phase) -> float:
        """Seconds until a phase is taken to hang."""
        expected_s = member.call_s * (TURN_CALLS + 2 * self.workload.batch_count)
        if phase in ("preliminary", "rounds", "confirm"):
            return PATIENCE_S + PATIENCE * expected_s
        if phase == "settle":  # another batch may compile there
            return self.plan.compile_limit_s + PATIENCE_S + PATIENCE * expected_s
        return self.plan.compile_limit_s

    def _answered(self, member: Member, phase: Phase, answer: dict[str, Any]) -> Iterator[Event]:
        """Turn a worker's answer into the events that it stands for."""
        fields: dict[str, Any] = {"at_s": self.elapsed_s, **member.names}
        if phase == "first_call":
            timed(answer["duration_ns"])
            facts = answer["facts"]
            known = facts or {}
            yield FirstCall(
                **fields,
                duration_ns=answer["duration_ns"],
                graphs=known.get("graphs"),
                graph_breaks=known.get("graph_breaks"),
            )
            if facts is not None:
                yield Evidence(**fields, facts=facts)
        elif member.is_loading(phase):
            return
        elif phase in ("probe", "build", "export", "prepare"):
            details = {} if phase == "probe" else answer.get("details", {})
            if phase in ("export", "prepare") and member.worker is not None:
                details = details | {"printed": member.worker.printed()}
            yield PhaseEnded(**fields, phase=phase, seconds=answer["seconds"], details=details)
        else:
            samples = Samples(
                **fields,
                kind="early" if phase == "early_calls" else "settle",
                steady=answer.get("steady"),
                **_calls(answer),
            )
            _learn(member, answer)
            yield samples


def _sendable(member: Member) -> bytes:
    """Return the variant as its worker reads it; a callable of the user's is pickled by its own code, and may fail."""
    try:
        return by_value.dumps(member.variant)
    except Exception as error:
        reason = (
            f"It cannot be sent to a worker ({type(error).__name__}: {error}); give a callable that can be pickled."
        )
        raise WorkerFailedError(" ".join(reason.split()), traceback.format_exc(), raised=True) from error


def _learn(member: Member, answer: dict[str, Any]) -> None:
    """Note how long steady calls take."""
    member.call_s = median(answer["durations_ns"]) / (1e9 * answer["calls_per_sample"])
    member.is_short = bool(answer.get("is_short"))


def _calls(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `Samples` that a worker's answer about calls holds; a clock that stood still is an error."""
    timed(*answer["durations_ns"])
    return {
        "first_call": answer["first_call"],
        "calls_per_sample": answer["calls_per_sample"],
        "durations_ns": tuple(answer["durations_ns"]),
        "compiles": answer["compiles"],
    }


def timed(*durations_ns: int) -> None:
    """Raise a WorkerFailedError where a duration is not above 0: such a clock measures nothing."""
    if not durations_ns or min(durations_ns) <= 0:
        raise WorkerFailedError("The clock of its process stood still or went backwards, so nothing was measured.", "")


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
