"""What a list of runs shows of each: a few facts read from a comparison. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit import answers

if TYPE_CHECKING:
    from optkit.comparison import Comparison

COLUMNS = (
    "run_id", "started", "model", "batch_size", "device", "torch", "machine", "variants", "answer", "best", "verdict",
    "speedup", "speedup_low", "speedup_high", "baseline_s", "noise", "duration_s", "ended_because",
)  # fmt: skip
"""Of `optkit.history`; times in seconds, `started` with its time zone."""


def of(comparison: Comparison) -> dict[str, Any]:
    """Return the facts of one run, JSON; what is not known is None."""
    started = comparison.started
    if started is None:
        return {}
    best, verdict, _ = answers.standing(comparison) if comparison.has_answer else (None, None, [])
    low, high = (best.interval() if best is not None else None) or (None, None)
    versions = started.environment.get("versions", {})
    return {
        "model": started.workload.get("model"),
        "batch_size": started.workload.get("batch_size"),
        "device": started.workload.get("device"),
        "torch": versions.get("torch"),
        "machine": started.environment.get("cpu"),
        "variants": len(started.variants),
        "answer": comparison.answer(),
        "best": None if best is None else str(best),
        "verdict": None if verdict is None else str(verdict),
        "speedup": None if best is None else best.speedup,
        "speedup_low": low,
        "speedup_high": high,
        "baseline_s": None if comparison.baseline is None else comparison.baseline.median_s,
        "noise": comparison.noise,
        "duration_s": comparison.elapsed_s,
        "ended_because": comparison.ended_because,
    }
