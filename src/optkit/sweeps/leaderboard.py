"""Which variant is best for which workload on which machine, and which are worth their price. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from optkit import stats
from optkit.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.comparison import Comparison
    from optkit.measurement import Measurement
    from optkit.sweeps.result import SweepResult

PLACE = ("machine", "workload")
"""What each row begins with."""
COLUMNS = (
    *PLACE, "best", "verdict", "speedup", "speedup_low", "speedup_high", "median_s", "baseline_s",
    "startup_cold_s", "break_even_cold_calls", "peak_memory_bytes", "noise", "doubts", "state", "run_id",
)  # fmt: skip
"""Columns of `SweepResult.leaderboard`; of the best variant, which is eager where nothing surely beats it."""
FRONT_COLUMNS = (
    *PLACE, "variant", "median_s", "startup_cold_s", "peak_memory_bytes", "on_front", "beaten_by",
)  # fmt: skip
"""Columns of `SweepResult.pareto`."""
STARTUP_MARGIN, MEMORY_MARGIN = 1.2, 1.1
"""A start-up is measured once, and memory in pages: what differs by less is not called better."""
NAMED = 4


def leader(c: Comparison) -> dict[str, Any]:
    """Return what `COLUMNS` say of one study; one without an answer yet has no best variant."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS[len(PLACE) :])
    row |= {"run_id": c.run_id, "noise": c.noise, "doubts": ()}
    row["state"] = "running" if c.ended_because is None else c.ended_because
    if not c.has_answer or c.baseline is None:
        return row
    best = c.best()
    low, high = (None if best is c.baseline else best.interval()) or (None, None)
    return row | {
        "best": str(best),
        "verdict": None if best.verdict is None else str(best.verdict),
        "speedup": best.speedup,
        "speedup_low": low,
        "speedup_high": high,
        "median_s": best.median_s,
        "baseline_s": c.baseline.median_s,
        "startup_cold_s": _startup_s(best),
        "break_even_cold_calls": None if best is c.baseline else best.break_even().calls,
        "peak_memory_bytes": best.peak_memory_bytes,
        "doubts": tuple(doubt.name for doubt in best.doubts),
    }


def front(c: Comparison) -> list[dict[str, Any]]:
    """Return what each variant of a study costs, and whether another is better and nowhere worse.

    A latency is better where the verdict between the two variants, round by round, says faster
    (`Comparison.between`); a start-up where it is shorter by a fifth, and memory where it is less by a tenth. Variants
    that failed, gave other outputs than eager, or are not what they were asked to be, take no part.
    """
    able = [m for m in c.measurements.values() if m.median_s is not None and (m is c.baseline or m.merit > 0)]
    rows = []
    for m in able:
        better = [other for other in able if other is not m and _beats(c, other, m)]
        beaten = min(better, key=lambda other: other.median_s or 0.0, default=None)
        rows.append(
            {
                "variant": str(m),
                "median_s": m.median_s,
                "startup_cold_s": _startup_s(m),
                "peak_memory_bytes": m.peak_memory_bytes,
                "on_front": beaten is None,
                "beaten_by": None if beaten is None else str(beaten),
            }
        )
    return rows


def _startup_s(m: Measurement) -> float | None:
    start = m.startup()
    return None if start is None else start.total_s


def _beats(c: Comparison, one: Measurement, other: Measurement) -> bool:
    """Whether one is better than the other in something, and worse in nothing; what is not known is never better."""
    costs = {_startup(one, other), _memory(one, other)}
    if -1 in costs:
        return False  # and nobody needs to know which is faster
    latency = _latency(c, one, other)
    return latency == 1 or (latency == 0 and 1 in costs)


def _latency(c: Comparison, one: Measurement, other: Measurement) -> int:
    verdict = c.between(str(one), str(other)).verdict
    return {Verdict.FASTER: 1, Verdict.SLOWER: -1}.get(verdict, 0)


def _startup(one: Measurement, other: Measurement) -> int:
    first, second = _startup_s(one), _startup_s(other)
    return 0 if first is None or second is None else _less(first, second, STARTUP_MARGIN)


def _memory(one: Measurement, other: Measurement) -> int:
    if one.peak_memory_bytes is None or other.peak_memory_bytes is None:
        return 0
    return _less(one.peak_memory_bytes, other.peak_memory_bytes, MEMORY_MARGIN)


def _less(one: float, other: float, margin: float) -> int:
    """Return 1 where the first is less by more than the margin, -1 where it is more by that, else 0."""
    return int(one * margin < other) - int(one > other * margin)


def answer(result: SweepResult) -> str:
    """Return what was best, machine by machine, and what is not there."""
    rows = result.leaders()
    said = [_machine(name, [row for row in rows if row["machine"] == name]) for name in _once(rows)]
    if len(said) > 1:
        said.append("Times on different machines are not compared here; each speed-up is over eager on its own.")
    for state, words in (("running", "being measured"), ("waiting", "not measured"), ("stopped", "stopped early")):
        if count := result.count(state):
            said.append(f"{count} of {len(result.items)} {'is' if count == 1 else 'are'} {words}.")
    if refused := result.refused:
        first = min(refused)
        said.append(f"{len(refused)} could not be measured, such as {result.items[first].name}: {refused[first]}")
    return " ".join(said) or "Nothing has been measured yet."


def _once(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["machine"] for row in rows))


def _machine(name: str, rows: Sequence[dict[str, Any]]) -> str:
    decided = [row for row in rows if row["best"] is not None and row["state"] != "running"]
    if not decided:
        return f"On {name} nothing has been decided yet."
    wins = Counter(row["best"] for row in decided).most_common()
    told = ", ".join(_wins(variant, count, decided) for variant, count in wins[:NAMED])
    more = f", and {len(wins) - NAMED} others" if len(wins) > NAMED else ""
    return f"On {name}, of {len(decided)} workload{'s' * (len(decided) > 1)}: {told}{more}."


def _wins(variant: str, count: int, rows: Sequence[dict[str, Any]]) -> str:
    mine = [row["speedup"] for row in rows if row["best"] == variant]
    if any(row["verdict"] == "baseline" for row in rows if row["best"] == variant):
        return f"nothing beats {variant} for {count}"
    typical = "" if None in mine else f" ({stats.median(mine):.2f}×" + (" in the median)" if count > 1 else ")")
    return f"{variant} is best for {count}{typical}"
