"""The files that can be saved from a report: as many as fit in it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optkit import downloads, text
from optkit.report.parts import said

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.downloads import Download

WORDS_BYTES = 6_000
"""Room for all that is said around the files."""


def links(c: Comparison, room: int) -> str:
    """Return links that hold a result's files, in no more than so many bytes."""
    stem, room = downloads.stem(c.run_id), room - WORDS_BYTES
    table = downloads.packed(f"{stem}.csv", "text/csv", [c.to_csv()], room)
    room -= len(table.url) if table else 0
    document = downloads.packed(f"{stem}.json", "application/json", [c.to_json()], room)
    room -= len(document.url) if document else 0
    samples = downloads.packed(f"{stem}-samples.csv", "text/csv", downloads.samples(c), room)
    rounds = None
    if samples is None:
        rounds = downloads.packed(f"{stem}-rounds.csv", "text/csv", downloads.medians(c), room)
    items = (
        _item(table, "the table above, in SI units"),
        _item(document, "the whole result as one JSON document"),
        _item(samples, f"every raw sample ({', '.join(downloads.SAMPLE_COLUMNS)})"),
        _item(rounds, f"the median of each round ({', '.join(downloads.MEDIAN_COLUMNS)})"),
    )
    return f'{_missing(c, table, document, samples, rounds)}<ul class="files">{"".join(items)}</ul>'


def _item(found: Download | None, words: str) -> str:
    if found is None:
        return ""
    link = f'<a download="{found.name}" href="{found.url}">{found.name}</a>'
    return f"<li>{link}: {words}; {text.size(len(found.content))}</li>"


def _missing(
    c: Comparison, table: Download | None, document: Download | None, samples: Download | None, rounds: Download | None
) -> str:
    """Say what did not fit, and how to get it."""
    lacking = [name for name, one in (("table", table), ("JSON document", document)) if one is None]
    said_first = []
    if lacking:
        said_first.append(f"The {' and the '.join(lacking)} would make this file too large.")
    if samples is None:
        instead = "so the median of each round stands in for them" if rounds else "and neither do the medians of rounds"
        said_first.append(f"Not all raw samples fit in this file, {instead}.")
    if not said_first:
        return ""
    command = f"<code>optkit export {said(c.run_id, 100)}</code>"
    remedy = f"To get all, run {command} where the study ran."
    if c.not_kept is not None:
        remedy = f"All are still in the process that measured, but not in the history: {said(c.not_kept)}"
    return f'<p class="notice">{" ".join(said_first)} {remedy}</p>'
