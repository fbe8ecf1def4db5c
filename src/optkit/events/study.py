"""Facts about a study as a whole, and about the machine that it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from optkit.events.base import EndReason, Event


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResumed(Event):
    """A study that had ended early goes on, with new workers. `plan` is the one from here on."""

    time_unix_s: float
    plan: dict[str, Any]


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
    """The study's events cannot be kept in the history, because of `reason`, a sentence; they are tried again."""

    reason: str


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
    """

    load_1min: float | None = None
    others_cpus: float | None = None
    visible_cpus: int | None = None
    throttled_s: float | None = None
    memory_available_bytes: int | None = None


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
