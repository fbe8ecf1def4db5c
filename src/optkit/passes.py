"""What is measured after the rounds, each in a pass of its own: throughput, work and rates, the warm start.

Memory and outputs are looked at by `Crew.examine`. A pass that fails takes nothing from what was measured: its number
is missing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from optkit import kept
from optkit.errors import WorkerError
from optkit.events import RatesMeasured, ThroughputMeasured, WarmStarted, WorkCounted
from optkit.worker.endings import SkippedError, WorkerFailedError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator

    from optkit.crew import Crew, Member
    from optkit.events import Event

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
                except WorkerFailedError as error:
                    able = [one for one in able if one is not member]
                    yield from _lost(crew, member, error)
                    continue
                yield ThroughputMeasured(at_s=crew.elapsed_s, batch_size=size, **answer, **member.names)


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
        except WorkerFailedError as error:
            yield from _lost(crew, member, error)
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


def headroom(crew: Crew, member: Member, threads: Iterable[int | None]) -> Iterator[Event]:
    """Count the work of a call in the member's worker, and say what the machine can do with so many threads."""
    if member.worker is None:
        return
    yield crew.phase(member, "headroom")
    try:
        work = member.worker.ask({"do": "work"}, crew.plan.compile_limit_s)
        yield WorkCounted(at_s=crew.elapsed_s, **work)
        for count in threads:
            yield _rates(crew, work["dtype"], count)
    except WorkerFailedError as error:
        yield from _lost(crew, member, error)
    except WorkerError:
        return


def rates_key(crew: Crew, dtype: str, threads: int | None) -> str:
    """Return the name under which rates are kept: another share of the machine's CPUs is another machine."""
    here = crew.environment
    return kept.machine_key(here, "rates", crew.device, dtype, str(threads), str(here.affinity), str(here.cpu_quota))


def _rates(crew: Crew, dtype: str, threads: int | None) -> RatesMeasured:
    key = rates_key(crew, dtype, threads)
    known = kept.load(key, at_most_s=RATES_LAST_S)
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


def _lost(crew: Crew, member: Member, error: WorkerFailedError) -> Iterator[Event]:
    """Go on without this number; a worker that is gone is not asked again."""
    if isinstance(error, SkippedError):
        yield crew.failed(member, "throughput", error)
    elif not error.raised:
        member.worker = None
