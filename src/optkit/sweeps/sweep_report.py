"""A sweep as one HTML file: answer, leaderboard, charts, what could not be measured, and the raw table. Pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from optkit.downloads import Download
from optkit.environment import installed
from optkit.html_table import html_table
from optkit.report.parts import page, said, section
from optkit.sweeps import drawn
from optkit.sweeps import page as cells

if TYPE_CHECKING:
    from optkit.sweeps.result import SweepResult

MOST_BYTES = 700_000
"""Of what can be saved from the report; the file stays under a megabyte."""


def render(result: SweepResult) -> str:
    """Return a sweep as the text of an HTML file."""
    failed = cells.failed(result)[: cells.MOST_ROWS]
    body = "".join(
        (
            section("answer", "Answer", f'<p class="answer">{said(result.answer(), 4000)}</p>'),
            section("leaderboard", "Leaderboard", cells.leaders(result), _figure(result, "leaders")),
            section(
                "doubts", "What the doubts mean", html_table((), cells.doubted(result)) if cells.doubted(result) else ""
            ),
            section("costs", "What speed costs", _figure(result, "pareto"), _costs(result)),
            section("failed", "Failed or skipped", html_table((), failed) if failed else ""),
            section("runs", "Studies", _studies(result)),
            section("files", "Raw data", _files(result)),
        )
    )
    head = (
        f"<header><h1>Sweep over {len(result.items)} workloads</h1>"
        f'<p class="dim">Inference settings, compared by optkit{_when(result)}</p></header>\n'
    )
    foot = (
        f"<footer>optkit {said(installed('optkit') or '')}. This file needs no network and runs no script.</footer>\n"
    )
    return page("optkit sweep", f"{head}<main>\n{body}</main>\n{foot}")


def _figure(result: SweepResult, name: str) -> str:
    return f"<figure>{drawn.render(result, name)}</figure>" if result.leaders() else ""


def _costs(result: SweepResult) -> str:
    table = cells.fronts(result)
    return f"<details><summary>All variants</summary>{table}</details>" if table else ""


def _studies(result: SweepResult) -> str:
    rows = [
        (item.name, result.state(item.number), result.comparisons[item.number].run_id or "–")
        for item in result.items[: cells.MOST_ROWS]
    ]
    return html_table(("workload", "state", "run"), rows, {"state", "run"})


def _files(result: SweepResult) -> str:
    files = [
        Download("sweep.csv", "text/csv", result.to_csv().encode()),
        Download("sweep.json", "application/json", result.to_json().encode()),
    ]
    links, left = [], MOST_BYTES
    for one in files:
        if len(one.url) <= left:
            left -= len(one.url)
            links.append(f'<li><a download="{one.name}" href="{one.url}">{one.name}</a></li>')
    return f'<ul class="files">{"".join(links)}</ul>' if links else ""


def _when(result: SweepResult) -> str:
    began = [c.started.time_unix_s for c in result.comparisons if c.started is not None]
    return f", {time.strftime('%Y-%m-%d', time.gmtime(min(began)))}" if began else ""
