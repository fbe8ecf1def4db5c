"""Frozen records of what happened in a study, and their JSON form.

A study is a stream of these; everything that optkit shows is a fold over them (`optkit.Comparison`). Times are
integers in nanoseconds where they are raw clock readings (``*_ns``) and floats in seconds elsewhere (``*_s``).
"""

from optkit.events.base import EndReason, Event, Phase, VariantEvent
from optkit.events.measured import (
    Checked,
    Evidence,
    FirstCall,
    MemoryMeasured,
    Samples,
    ThroughputMeasured,
    WarmStarted,
)
from optkit.events.study import (
    MachineRead,
    NotKept,
    RatesMeasured,
    StudyEnded,
    StudyResumed,
    StudyStarted,
    Waiting,
    WorkCounted,
)
from optkit.events.variant import (
    CompileBegan,
    CompileEnded,
    PassFailed,
    PhaseBegan,
    PhaseEnded,
    VariantFailed,
    VariantFinished,
    VariantSkipped,
)

__all__ = [
    "Checked",
    "CompileBegan",
    "CompileEnded",
    "EndReason",
    "Event",
    "Evidence",
    "FirstCall",
    "MachineRead",
    "MemoryMeasured",
    "NotKept",
    "PassFailed",
    "Phase",
    "PhaseBegan",
    "PhaseEnded",
    "RatesMeasured",
    "Samples",
    "StudyEnded",
    "StudyResumed",
    "StudyStarted",
    "ThroughputMeasured",
    "VariantEvent",
    "VariantFailed",
    "VariantFinished",
    "VariantSkipped",
    "Waiting",
    "WarmStarted",
    "WorkCounted",
]

_KINDS: tuple[type[Event], ...] = (
    StudyStarted,
    StudyResumed,
    StudyEnded,
    Waiting,
    NotKept,
    MachineRead,
    WorkCounted,
    RatesMeasured,
    PhaseBegan,
    PhaseEnded,
    CompileBegan,
    CompileEnded,
    VariantSkipped,
    VariantFailed,
    PassFailed,
    VariantFinished,
    FirstCall,
    Samples,
    Evidence,
    Checked,
    ThroughputMeasured,
    MemoryMeasured,
    WarmStarted,
)
Event.kinds.update({kind.__name__: kind for kind in _KINDS})
