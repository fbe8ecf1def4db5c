"""A measurement as a row of the table that `Comparison.to_frame`, JSON and CSV share. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.measurement import Measurement

# fmt: off
COLUMNS = (
    "variant", "status", "verdict", "speedup", "speedup_low", "speedup_high", "median_s", "p90_s", "p99_s", "calls",
    "rounds", "first_call_s", "prepare_s", "startup_cold_s", "startup_warm_s", "break_even_cold_calls",
    "break_even_warm_calls", "throughput_per_s", "graphs", "graph_breaks", "recompiles", "max_abs_error", "agreement",
    "peak_memory_bytes", "artifact_bytes", "headroom", "doubts", "failed_phase", "reason",
)
# fmt: on
"""Columns of `Comparison.to_frame` and of the rows in JSON. What was not measured is missing, never 0."""


def row(m: Measurement) -> dict[str, Any]:
    """Return the columns of one variant; None where a number was not measured."""
    low, high = m.interval() or (None, None)
    cold, warm = m.startup(), m.startup(warm=True)
    known = {
        "variant": m.variant,
        "status": m.status,
        "verdict": None if m.verdict is None else str(m.verdict),
        "speedup": m.speedup,
        "speedup_low": low,
        "speedup_high": high,
        "median_s": m.median_s,
        "p90_s": m.percentile_s(90),
        "p99_s": m.percentile_s(99),
        "calls": m.calls or None,
        "rounds": m.rounds or None,
        "first_call_s": m.first_call_s,
        "prepare_s": m.prepare_s,
        "startup_cold_s": None if cold is None else cold.total_s,
        "startup_warm_s": None if warm is None else warm.total_s,
        "break_even_cold_calls": m.break_even().calls,
        "break_even_warm_calls": m.break_even(warm=True).calls,
        "throughput_per_s": m.throughput_per_s(),
        "peak_memory_bytes": m.peak_memory_bytes,
        "artifact_bytes": None if m.memory is None else m.memory.artifact_bytes,
        "headroom": m.headroom,
        "graphs": m.graphs,
        "graph_breaks": m.facts.get("graph_breaks"),
        "recompiles": m.facts.get("recompiles"),
        "max_abs_error": None if m.check is None else m.check.max_abs_error,
        "agreement": m.agreement,
        "doubts": tuple(doubt.name for doubt in m.doubts),
        "failed_phase": m.failed_phase,
        "reason": m.reason,
    }
    return {column: known.get(column) for column in COLUMNS}


def finite(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as JSON can hold it: None for an infinite number, which is in words beside it."""
    return {name: None if isinstance(value, float) and math.isinf(value) else value for name, value in row.items()}


def ranked(measurements: Iterable[Measurement], calls: float | None = None) -> list[Measurement]:
    """Return measurements with the lowest median first; those that failed or have none last, in the given order.

    With `calls`, the first is the one whose process is done first with so many, start-up included.
    """

    def place(m: Measurement) -> tuple[bool, float]:
        seconds = m.median_s if calls is None else m.cumulative_s(calls)
        out = seconds is None or m.status == "failed"
        return out, 0.0 if out else seconds or 0.0

    return sorted(measurements, key=place)
