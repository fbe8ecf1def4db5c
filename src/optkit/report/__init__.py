"""A comparison as one HTML file: answer, table, charts, doubts, machine, code and raw samples. Pure but for `write`.

It opens offline and stays under a megabyte whatever was measured: each part has a share of the room, what does not fit
in one is counted, and the files that can be saved from it share what is left.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from optkit.environment import installed
from optkit.report import facts, files, pictures, results, snapshot, words
from optkit.report.parts import LONGEST_NAME, page, said, section

if TYPE_CHECKING:
    from pathlib import Path

    from optkit.comparison import Comparison

MOST_BYTES = 990_000
SECTIONS = {
    "answer": "Answer",
    "measured": "What was measured",
    "results": "Results",
    "failed": "Failed or skipped",
    "charts": "Charts",
    "doubts": "Doubts",
    "code": "Code of the best variant",
    "environment": "Environment",
    "settings": "Settings",
    "files": "Raw data",
}


def render(c: Comparison) -> str:
    """Return a comparison as the text of an HTML file of less than a megabyte."""
    c, drawn = snapshot.take(c), pictures.ShortNames()
    parts = {
        "answer": words.answer(c),
        "measured": facts.measured(c),
        "results": results.table(c, pictures.keys(c, drawn)),
        "failed": words.failed(c),
        "charts": pictures.charts(c, drawn),
        "doubts": words.doubts(c),
        "code": words.code(c),
        "environment": facts.environment(c),
        "settings": facts.settings(c),
    }
    sections = "".join(section(name, SECTIONS[name], part) for name, part in parts.items())
    listed = [*(name for name, part in parts.items() if part), *(["files"] if c.started else [])]
    head, foot = _head(c, listed), _foot()
    room = MOST_BYTES - len(page(_title(c), head + sections + foot).encode())
    saved = section("files", SECTIONS["files"], files.links(c, room)) if c.started else ""
    return page(_title(c), f"{head}<main>\n{sections}{saved}</main>\n{foot}")


def write(content: str, path: Path) -> None:
    """Write a report; a new file can be read by its owner only, because it names models, modules and a machine."""
    with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)


def _title(c: Comparison) -> str:
    return f"{facts.model(c)}: optkit report" if c.started else "optkit report"


def _head(c: Comparison, listed: list[str]) -> str:
    links = "".join(f'<li><a href="#{name}">{SECTIONS[name]}</a></li>' for name in listed)
    where = f" on {said(c.started.workload.get('device', 'cpu'), LONGEST_NAME)}, {facts.when(c)}" if c.started else ""
    nav = f'<nav aria-label="Sections"><ul>{links}</ul></nav>' if len(listed) > 1 else ""
    return (
        f'<header><h1>{said(facts.model(c), LONGEST_NAME)}</h1><p class="dim">Inference settings, compared by optkit'
        f"{where}</p>{nav}</header>\n"
    )


def _foot() -> str:
    version = said(installed("optkit") or "")
    return f"<footer>optkit {version}. This file needs no network and runs no script.</footer>\n"
