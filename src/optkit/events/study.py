"""Facts about a study as a whole, and about the machine that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_type_hints

from optkit import decoding
from optkit.environment import Environment
from optkit.errors import OptkitError
from optkit.events.base import EndReason, Event

LATEST_UNIX_S = 4_102_444_800.0
"""The year 2100: no table of dates holds what is far behind it."""
WORKLOAD: dict[str, Any] = {
    "model": str, "source": str | None, "batch_size": int | None, "shape": tuple[int, ...] | None, "batches": int,
    "device": str, "call": str, "weights": str | None, "evaluate": str | None, "inputs": tuple[str, ...] | None,
    "digest": str | None, "code": str, "inputs_code": str,
}  # fmt: skip
PLAN: dict[str, Any] = {
    "budget_s": float, "rounds": tuple[int, int], "target": float, "goal": str, "cold": bool, "warm": bool,
    "batch_sizes": tuple[int, ...], "compile_limit_s": float, "seed": int,
}  # fmt: skip
"""Types of what the records of workload and plan hold; see `Workload.describe` and `Plan.to_json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyStarted(Event):
    """The study began. Carries everything that is needed to read the rest later, on another machine."""

    run_id: str
    time_unix_s: float
    workload: dict[str, Any]
    variants: tuple[str, ...]
    baseline: str
    plan: dict[str, Any]
    environment: dict[str, Any]

    def check(self) -> None:
        """Raise an OptkitError unless workload, plan and environment can be read, and the baseline is a variant."""
        decoding.check("workload", WORKLOAD, self.workload)
        decoding.check("plan", PLAN, self.plan)
        decoding.check("environment", get_type_hints(Environment), self.environment)
        if self.baseline not in self.variants or not self.time_unix_s < LATEST_UNIX_S:
            raise OptkitError("A study without its baseline, or from a time that is none; its record is damaged.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResumed(Event):
    """A study that had ended early goes on, with new workers. `plan` is the one from here on."""

    time_unix_s: float
    plan: dict[str, Any]

    def check(self) -> None:
        """Raise an OptkitError unless the plan can be read."""
        decoding.check("plan", PLAN, self.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyEnded(Event):
    """The study is over."""

    because: EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting(Event):
    """The study waits until another one on this machine is over: that of `holder`, a process in words."""

    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKept(Event):
    """The study's events cannot be kept in the history, because of `reason`, a sentence; they are tried again.

    Without a reason: all of them are kept now.
    """

    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRead(Event):
    """How busy the machine was, between two turns. See `optkit.machine.Monitor.read`.

    Attributes
    ----------
    load_1min
        The system's load average; None where unreadable.
    others_cpus
        CPUs' worth of time that other processes took since the previous reading; None at the first.
    visible_cpus
        How many CPUs that is out of.
    throttled_s
        Seconds for which the container was held back since the study began; None where unreadable.
    memory_available_bytes
        Memory that a further process could have.
    workers_bytes
        Memory that the study's own processes hold together, shared pages counted once; None where unreadable.
    """

    load_1min: float | None = None
    others_cpus: float | None = None
    visible_cpus: int | None = None
    throttled_s: float | None = None
    memory_available_bytes: int | None = None
    workers_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCounted(Event):
    """The least work of one call of the model. See `optkit.worker.work.count`."""

    flops: float
    read_bytes: float
    written_bytes: float
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesMeasured(Event):
    """What the machine can do at most with so many threads, in a dtype. See `optkit.worker.rates.measure`.

    Attributes
    ----------
    flops_per_s
        Of a matrix product.
    copy_bytes_per_s, read_bytes_per_s
        Pairs of a tensor's bytes and the rate at that size, in ascending order.
    measured_at_unix_s
        When; it can have been measured before this study and kept.
    """

    device: str
    dtype: str
    threads: int | None
    flops_per_s: float
    copy_bytes_per_s: tuple[tuple[int, float], ...]
    read_bytes_per_s: tuple[tuple[int, float], ...]
    measured_at_unix_s: float
