"""Which variant is best for which workload on which machine, and which are worth their price. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from optkit import answers, stats
from optkit.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.comparison import Comparison
    from optkit.measurement import Measurement
    from optkit.sweeps.result import SweepResult

PLACE = ("machine", "workload")
"""What each row begins with."""
COLUMNS = (
    *PLACE, "best", "verdict", "rivals", "speedup", "speedup_low", "speedup_high", "median_s", "baseline_s",
    "startup_cold_s", "break_even_cold_calls", "peak_memory_bytes", "noise", "doubts", "state", "run_id",
)  # fmt: skip
"""Columns of `SweepResult.leaderboard`; of the best variant, which is eager where nothing surely beats it.

The verdict on eager is ``baseline`` where nothing beats it, ``inconclusive`` where something may (``rivals`` says
what), and missing where nothing else was measured. Rivals of another best variant beat eager too and may be as fast.
"""
FRONT_COLUMNS = (
    *PLACE, "variant", "verdict", "median_s", "startup_cold_s", "peak_memory_bytes", "on_front", "beaten_by",
)  # fmt: skip
"""Columns of `SweepResult.pareto`."""
STARTUP_MARGIN, MEMORY_MARGIN = 1.2, 1.1
"""A start-up is measured once, and memory in pages: what differs by less is not called better."""
NAMED = 4


def leader(c: Comparison) -> dict[str, Any]:
    """Return what `COLUMNS` say of one study; one without an answer yet has no best variant."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS[len(PLACE) :])
    row |= {"run_id": c.run_id, "noise": c.noise, "rivals": (), "doubts": ()}
    row["state"] = "running" if c.ended_because is None else c.ended_because
    if not c.has_answer or c.baseline is None:
        return row
    best, verdict, rivals = answers.standing(c)
    low, high = (None if best is c.baseline else best.interval()) or (None, None)
    return row | {
        "best": str(best),
        "verdict": None if verdict is None else str(verdict),
        "rivals": tuple(map(str, rivals)),
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

    A latency is better where the verdict between the two variants, round by round, says faster, and as good where it
    says the same (`Comparison.between`); where that is inconclusive neither beats the other. A start-up is better where
    it is shorter by a fifth, and memory where it is less by a tenth. Variants that failed, gave other outputs than
    eager, or are not what they were asked to be, take no part.
    """
    able = [m for m in c.measurements.values() if m.median_s is not None and (m is c.baseline or m.merit > 0)]
    rows = []
    for m in able:
        better = [other for other in able if other is not m and _beats(c, other, m)]
        beaten = min(better, key=lambda other: other.median_s or 0.0, default=None)
        rows.append(
            {
                "variant": str(m),
                "verdict": None if m.verdict is None else str(m.verdict),
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
    """Whether one is better than the other in something, and not worse in anything; nobody is beaten by a guess."""
    costs = [_less(_startup_s(one), _startup_s(other), STARTUP_MARGIN)]
    costs.append(_less(one.peak_memory_bytes, other.peak_memory_bytes, MEMORY_MARGIN))
    if None in costs or -1 in costs:
        return False  # and nobody needs to know which is faster
    verdict = c.between(str(one), str(other)).verdict
    return verdict == Verdict.FASTER or (verdict == Verdict.SAME and 1 in costs)


def _less(one: float | None, other: float | None, margin: float) -> int | None:
    """Return 1 where the first is less by more than the margin, -1 where it is more by that, else 0.

    Where both are unknown, as memory is on some systems, it is no cost to compare by: 0. Where one is, nobody knows.
    """
    if one is None or other is None:
        return 0 if one is other else None
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
    if failed := result.unanswered():
        first = min(failed)
        said.append(f"{len(failed)} could not be measured, such as {result.items[first].name}: {failed[first]}")
    return " ".join(said) or "Nothing has been measured yet."


def _once(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["machine"] for row in rows))


def _machine(name: str, rows: Sequence[dict[str, Any]]) -> str:
    decided = [row for row in rows if row["best"] is not None and row["state"] != "running"]
    if not decided and all(row["state"] == "baseline_failed" for row in rows):
        return f"On {name} nothing could be measured."
    if not decided:
        return f"On {name} nothing has been decided yet."
    told_apart = [row for row in decided if row["verdict"] not in (None, Verdict.INCONCLUSIVE)]
    wins = Counter(row["best"] for row in told_apart).most_common()
    told = [_wins(variant, count, told_apart) for variant, count in wins[:NAMED]]
    told += [f"{len(wins) - NAMED} others for the rest"] if len(wins) > NAMED else []
    if unknown := sum(row["verdict"] == Verdict.INCONCLUSIVE for row in decided):
        told.append(f"for {unknown} it cannot be told what is best; a larger budget may tell")
    if alone := sum(row["verdict"] is None for row in decided):
        told.append(f"for {alone} nothing but the baseline could be measured")
    return f"On {name}, of {len(decided)} workload{'s' * (len(decided) > 1)}: {', '.join(told)}."


def _wins(variant: str, count: int, rows: Sequence[dict[str, Any]]) -> str:
    mine = [row for row in rows if row["best"] == variant]
    if mine[0]["verdict"] == Verdict.BASELINE:
        return f"nothing beats {variant} for {count}"
    speedups = [row["speedup"] for row in mine]
    typical = "" if None in speedups else f" ({stats.median(speedups):.2f}×{' in the median' * (count > 1)})"
    tied = sum(bool(row["rivals"]) for row in mine)
    beside = f", where others may be as fast for {tied}" if tied else ""
    return f"{variant} is best for {count}{typical}{beside}"
