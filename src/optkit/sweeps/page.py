"""How a sweep shows itself in a cell: the answer, its leaderboard, and while it runs what it does. Pure, escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from optkit import answers, text
from optkit.html_table import html_table, literal
from optkit.phases import PHASE_WORDS
from optkit.sweeps import drawn
from optkit.verdicts import Doubt, Verdict

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.sweeps.result import SweepResult

HEAD = ("", "best", "over eager", "a call", "eager's", "start-up", "memory", "remarks")
WORDS = {"", "best", "remarks", "variant", "beaten by"}
FRONT_HEAD = ("", "variant", "a call", "start-up", "memory", "on the front", "beaten by")
MOST_ROWS = 200
SHOWN_RUNNING = 8


def bundle(result: SweepResult) -> dict[str, str]:
    """Return a sweep's representations by MIME type."""
    parts = [f"<p><b>{escape(result.answer())}</b></p>", leaders(result), doubts(result), failures(result)]
    rows = result.leaders()
    if rows:
        parts.append(f'<div style="margin-top:1em">{drawn.render(result, "leaders")}</div>')
        parts.append(f"<details><summary>What speed costs</summary>{costs(result)}</details>")
    return {
        "text/plain": repr(result),
        "text/html": literal("".join(parts)),
        "image/svg+xml": drawn.render(result, "leaders", standalone=True),
    }


def costs(result: SweepResult) -> str:
    """Return the picture of what each variant costs, and its table."""
    return drawn.render(result, "pareto") + fronts(result)


def live(result: SweepResult, elapsed_s: float, left_s: float | None) -> str:
    """Return what a sweep shows of itself while it runs."""
    done, total = result.count("done"), len(result.items)
    over = done + sum(map(result.count, ("failed", "refused", "stopped")))
    known = f", {len(result.known)} of them before" if result.known else ""
    left = "" if left_s is None else f" · about {text.clock(left_s)} left"
    bar = (
        '<div style="height:6px;max-width:40em;background:rgba(128,128,128,.25);border-radius:3px">'
        f'<div style="height:6px;width:{100 * over / total:.1f}%;background:#0072B2;border-radius:3px"></div></div>'
    )
    lost = f" · nodes lost: {result.lost}" if result.lost else ""
    waits = f"<p>{escape(result.waits_for)}</p>" if result.waits_for else ""
    failed = f" · {len(result.unanswered())} failed" if result.unanswered() else ""
    said = f"<p>{done} of {total} measured{known}{failed} · {text.clock(elapsed_s)}{left}{lost}</p>"
    return literal(bar + said + waits + _running(result) + leaders(result))


def over(result: SweepResult, elapsed_s: float, not_kept: str) -> str:
    """Return what stays of that when the sweep is over."""
    done, total = result.count("done"), len(result.items)
    known = f", {len(result.known)} of them before" if result.known else ""
    lost = f" Nodes were lost {result.lost} times." if result.lost > 1 else " A node was lost." if result.lost else ""
    failed = f", {len(result.unanswered())} failed" if result.unanswered() else ""
    kept = f" These runs are not in the history. {not_kept}" if not_kept else ""
    return literal(
        f"<p>{done} of {total} measured{known}{failed}, in {text.clock(elapsed_s)}.{escape(lost + kept)}</p>"
    )


def _running(result: SweepResult) -> str:
    rows = [
        (item.name, doing(result.comparisons[item.number]), result.nodes.get(item.number) or "here")
        for item in result.items
        if result.state(item.number) == "running"
    ]
    more = [(f"and {len(rows) - SHOWN_RUNNING} more", "", "")] if len(rows) > SHOWN_RUNNING else []
    return html_table((), [*rows[:SHOWN_RUNNING], *more]) if rows else ""


def doing(c: Comparison) -> str:
    """Return what a study that runs is about, in words."""
    if c.waits_for is not None:
        return f"waits until the study of {c.waits_for} is over"
    if c.now is None:
        return "starts"
    said = f"{PHASE_WORDS[c.now.phase]} · {c.now.variant}"
    if c.now.phase == "rounds":
        return f"round {c.now.round_number} of at most {c.now.round_limit} · {c.now.variant}"
    return said


def leaders(result: SweepResult) -> str:
    """Return the leaderboard, one table a machine."""
    rows = [row for row in result.leaders() if row["best"] is not None]
    parts = []
    for machine in dict.fromkeys(row["machine"] for row in rows):
        mine = [row for row in rows if row["machine"] == machine]
        more = f"<p>… and {len(mine) - MOST_ROWS} more.</p>" if len(mine) > MOST_ROWS else ""
        table = html_table(HEAD, [leader_cells(row) for row in mine[:MOST_ROWS]], WORDS)
        parts.append(f"<p style='margin:.8em 0 .2em'>{escape(machine)}</p>{table}{more}")
    return "".join(parts)


def leader_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return one row of the leaderboard as text."""
    memory = "–" if row["peak_memory_bytes"] is None else text.size(row["peak_memory_bytes"])
    seconds = (text.duration(row[name]) for name in ("median_s", "baseline_s", "startup_cold_s"))
    best = "undecided" if row["verdict"] == Verdict.INCONCLUSIVE else row["best"]
    return row["workload"], best, _over_eager(row), *seconds, memory, "; ".join(_remarks(row))


def _over_eager(row: dict[str, Any]) -> str:
    words = {Verdict.BASELINE: "nothing is faster", Verdict.INCONCLUSIVE: "–", None: "nothing else ran"}
    if row["verdict"] in words:
        return words[row["verdict"]]
    return f"{row['speedup']:.2f}× ({row['speedup_low']:.2f}–{row['speedup_high']:.2f})"


def _remarks(row: dict[str, Any]) -> list[str]:
    found = [row["state"]] if row["state"] in ("running", "stopped", "interrupted") else []
    if row["rivals"]:
        is_open = row["verdict"] == Verdict.INCONCLUSIVE
        found.append(f"{', '.join(row['rivals'])} may be {'faster' if is_open else 'as fast'}")
    return [*found, *row["doubts"]]


def fronts(result: SweepResult) -> str:
    """Return what each variant costs, one table a machine."""
    rows = result.fronts()
    parts = []
    for machine in dict.fromkeys(row["machine"] for row in rows):
        mine = [front_cells(row) for row in rows if row["machine"] == machine]
        more = f"<p>… and {len(mine) - MOST_ROWS} more.</p>" if len(mine) > MOST_ROWS else ""
        parts.append(f"<p>{escape(machine)}</p>{html_table(FRONT_HEAD, mine[:MOST_ROWS], WORDS)}{more}")
    return "".join(parts)


def front_cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return one row of what variants cost as text."""
    memory = "–" if row["peak_memory_bytes"] is None else text.size(row["peak_memory_bytes"])
    return (
        row["workload"], row["variant"], text.duration(row["median_s"]), text.duration(row["startup_cold_s"]), memory,
        "yes" if row["on_front"] else "no", row["beaten_by"] or "",
    )  # fmt: skip


def doubts(result: SweepResult) -> str:
    """Return what the doubts in the leaderboard mean."""
    rows = doubted(result)
    return f"<details><summary>What the doubts mean</summary>{html_table((), rows)}</details>" if rows else ""


def doubted(result: SweepResult) -> list[tuple[str, str]]:
    """Return each doubt in the leaderboard with its meaning."""
    names = dict.fromkeys(name for row in result.leaders() for name in row["doubts"])
    return [(name, Doubt[name].value) for name in names]


def failures(result: SweepResult) -> str:
    """Return what could not be measured, and why."""
    rows = list(failed(result))
    return f"<details><summary>{len(rows)} failed or skipped</summary>{html_table((), rows)}</details>" if rows else ""


def failed(result: SweepResult) -> list[tuple[str, str]]:
    """Return what could not be measured, and why, as text."""
    rows = [(result.items[number].name, reason) for number, reason in sorted(result.refused.items())]
    for item in result.items:
        c = result.comparisons[item.number]
        rows += [(f"{item.name}: {m}", f"{m.status}: {m.reason}") for m in c.measurements.values() if m.reason]
        if c.ended_because == "baseline_failed" and not any(m.reason for m in c.measurements.values()):
            rows.append((item.name, answers.ENDINGS["baseline_failed"]))
    return rows
