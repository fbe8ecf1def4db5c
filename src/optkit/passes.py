"""What is measured after the rounds, each in a pass of its own: throughput, memory, outputs, rates, the warm start.

A pass that fails takes nothing from what was measured: its number is missing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from optkit import kept
from optkit.crew import timed
from optkit.errors import WorkerError
from optkit.events import (
    Checked,
    Evidence,
    MemoryMeasured,
    PassFailed,
    RatesMeasured,
    ThroughputMeasured,
    WarmStarted,
    WorkCounted,
)
from optkit.variant import BASELINE
from optkit.worker.endings import SkippedError, WorkerFailedError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator

    from optkit.crew import Crew
    from optkit.events import Event, Phase
    from optkit.member import Member

THROUGHPUT_TURNS, THROUGHPUT_S = 3, 0.2
RATES_LAST_S = 7 * 24 * 3600.0
"""What a machine can do is measured again after a week: its clock, its neighbours and its limits change."""
PATIENCE_S = 60.0


def throughput(
    crew: Crew, members: list[Member], order: random.Random, sizes: Iterable[int | None] = (None,)
) -> Iterator[Event]:
    """Let members make calls without waiting in between, at each batch size; None is that of the user's inputs."""
    for size in sizes:
        able = [member for member in members if member.worker is not None]
        for _ in range(THROUGHPUT_TURNS):
            for member in order.sample(able, len(able)):
                if member.worker is None:
                    continue
                yield crew.phase(member, "throughput")
                command = {"do": "throughput", "batch_size": size, "least_s": THROUGHPUT_S}
                try:
                    answer = yield from crew.talk(member, command, crew.plan.compile_limit_s)
                    timed(answer["duration_ns"])
                except WorkerFailedError as error:
                    able = [one for one in able if one is not member]
                    yield from _lost(crew, member, "throughput", error)
                    continue
                yield ThroughputMeasured(at_s=crew.elapsed_s, batch_size=size, **answer, **member.names)


def examine(crew: Crew, member: Member) -> Iterator[Event]:
    """Ask what memory a member takes and what torch did, and compare its outputs with eager's.

    The first eager worker that is asked writes those. A failure here is an agreement of its own, ``failed``.
    """
    if not member.twin:
        yield from _weigh(crew, member)
    if member.worker is None:
        return
    yield crew.phase(member, "checks")
    has_reference = crew.reference.exists()
    try:
        if (facts := member.worker.ask({"do": "facts"}, PATIENCE_S)["facts"]) is not None:
            yield Evidence(at_s=crew.elapsed_s, facts=facts, **member.names)
        if not has_reference and member.variant != BASELINE:
            return  # both eager workers are gone; then nobody knows what the outputs should be
        command = {"do": "check" if has_reference else "reference", "path": str(crew.reference)}
        answer = member.worker.ask(command, crew.plan.compile_limit_s)
    except WorkerFailedError as error:
        why = f"Its outputs could not be compared: {error.reason}"
        answer = {"agreement": "failed", "details": {"why": why}}
        if not error.raised:
            member.worker = None
    yield Checked(at_s=crew.elapsed_s, **answer, **member.names)


def _weigh(crew: Crew, member: Member) -> Iterator[Event]:
    """Measure the memory that calls take, before anything else is loaded in the worker."""
    assert member.worker is not None
    yield crew.phase(member, "memory")
    try:
        answer = member.worker.ask({"do": "memory"}, crew.limit_s(member, "rounds"))
    except WorkerFailedError as error:
        yield from _lost(crew, member, "memory", error)
        return
    left = crew.left_bytes(member)
    yield MemoryMeasured(at_s=crew.elapsed_s, artifact_bytes=left, **answer, **member.names)


def warm_start(crew: Crew, members: Iterable[Member]) -> Iterator[Event]:
    """Start each member once more, with a new worker that finds the cache which the first one filled."""
    for member in members:
        if member.worker is None:
            continue
        yield crew.phase(member, "warm_start")
        seconds: dict[str, float] = {}
        calls: list[int] = []
        facts: dict[str, Any] = {}
        try:
            crew.rest(member)
            for step, answer in crew.start_again(member):
                if "seconds" in answer:
                    seconds[step] = answer["seconds"]
                calls += [answer["duration_ns"]] if step == "first_call" else answer.get("durations_ns", [])
                facts = answer.get("facts") or facts
            timed(*calls)
        except WorkerFailedError as error:
            yield from _lost(crew, member, "warm_start", error)
            continue
        except WorkerError:  # no worker can be had any more
            return
        yield WarmStarted(
            at_s=crew.elapsed_s,
            probe_s=seconds.get("probe", 0.0),
            build_s=seconds["build"],
            prepare_s=seconds["prepare"],
            durations_ns=tuple(calls),
            facts=facts,
            **member.names,
        )


def headroom(
    crew: Crew, member: Member, threads: Iterable[int | None], is_wrong: Callable[[int | None], bool]
) -> Iterator[Event]:
    """Count the work of a call in the member's worker, and say what the machine can do with so many threads.

    Rates that were kept can be of a busier hour: where `is_wrong` says that they cannot hold, they are measured anew.
    """
    if member.worker is None:
        return
    yield crew.phase(member, "headroom")
    try:
        work = member.worker.ask({"do": "work"}, crew.plan.compile_limit_s)
        yield WorkCounted(at_s=crew.elapsed_s, **work)
        for count in threads:
            yield (rates := _rates(crew, work["dtype"], count))
            if is_wrong(count) and rates.measured_at_unix_s < crew.began_unix_s:
                yield _rates(crew, work["dtype"], count, at_most_s=0.0)
    except WorkerFailedError as error:
        yield from _lost(crew, member, "headroom", error)
    except WorkerError:
        return


def rates_key(crew: Crew, dtype: str, threads: int | None) -> str:
    """Return the name under which rates are kept: another share of the machine's CPUs is another machine."""
    here = crew.environment
    return kept.machine_key(here, "rates", crew.device, dtype, str(threads), str(here.affinity), str(here.cpu_quota))


def _rates(crew: Crew, dtype: str, threads: int | None, *, at_most_s: float = RATES_LAST_S) -> RatesMeasured:
    key = rates_key(crew, dtype, threads)
    known = kept.load(key, at_most_s=at_most_s)
    if known is None:
        worker = crew.host.fork("rates")
        try:
            told = worker.ask({"do": "rates", "device": crew.device, "dtype": dtype, "threads": threads}, PATIENCE_S)
        finally:
            worker.end()
        known = told | {"measured_at_unix_s": time.time()}
        kept.save(key, known)
    pairs = {
        name: tuple((int(size), float(rate)) for size, rate in known[name])
        for name in ("copy_bytes_per_s", "read_bytes_per_s")
    }
    return RatesMeasured(
        at_s=crew.elapsed_s, device=crew.device, dtype=dtype, threads=threads, flops_per_s=known["flops_per_s"],
        measured_at_unix_s=known["measured_at_unix_s"], **pairs,
    )  # fmt: skip


def _lost(crew: Crew, member: Member, phase: Phase, error: WorkerFailedError) -> Iterator[Event]:
    """Go on without this number, and say why it is missing; a worker that is gone is not asked again."""
    if isinstance(error, SkippedError):
        yield crew.failed(member, phase, error)
        return
    if not error.raised:
        member.worker = None
    yield PassFailed(at_s=crew.elapsed_s, phase=phase, reason=error.reason, details=error.details, **member.names)
