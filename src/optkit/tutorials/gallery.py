"""A folder of HTML pages: executed notebooks, each on a page of its own, and one that leads to them."""

from __future__ import annotations

import importlib.util
import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

import optkit
from optkit import text
from optkit.errors import UsageError
from optkit.tutorials import finding, gallery_documents, gallery_page, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from optkit.tutorials.executed import Outcome, Result

INDEX, PAGES = "index.html", "notebooks"
TITLE = "Notebooks of optkit"


def check(folder: Path) -> None:
    """Make the folder, and refuse what would fail only after all notebooks have been run.

    Raises
    ------
    UsageError
        If `folder` cannot be made or holds another page, or nbconvert is missing.
    """
    if any(one.exists() and not one.is_dir() for one in (folder, *folder.parents)):
        raise UsageError(f"{folder} is no folder; give --html another one.")
    index = folder / INDEX
    if index.exists() and gallery_page.MARK not in index.read_text(encoding="utf-8", errors="replace"):
        raise UsageError(f"{index} was not written by optkit and would be lost; give --html another folder.")
    if importlib.util.find_spec("nbconvert") is None:
        raise UsageError("--html needs nbconvert, which comes with JupyterLab; install it with: pip install nbconvert.")
    try:
        (folder / PAGES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}; give --html another folder.") from error


def write(results: Sequence[Result], folder: Path) -> Path:
    """Write the pages of what has been run; return that of the index."""
    cards, written = [], set()
    for result in results:
        name = f"{result.tutorial.path.stem}.html"
        written.add(name)
        has_page = result.output is not None
        if result.output is not None:
            page = gallery_documents.linked(
                _page(result, result.output), folder, result.tutorial.path.parents[1] / "docs"
            )
            (folder / PAGES / name).write_text(page, encoding="utf-8", errors="backslashreplace")
        cards.append(_card(result, f"{PAGES}/{quote(name)}" if has_page else None))
    cards += [_older(path) for path in sorted((folder / PAGES).glob("*.html")) if path.name not in written]
    notes = "".join(f"<p>{escape(note)}</p>" for note in table.notes(results))
    body = (
        f"<header><h1>{TITLE}</h1><p>{_counted(results)}</p></header>\n"
        f'<main class="cards">{"".join(cards)}</main>\n'
        f"<footer>{notes}<p>Made by optkit {escape(optkit.__version__)}; "
        "nothing here needs a network or JavaScript.</p></footer>\n"
    )
    index = folder / INDEX
    index.write_text(gallery_page.document(TITLE, body), encoding="utf-8", errors="backslashreplace")
    return index


def _older(page: Path) -> str:
    """Return the card of a page that an earlier run has left in the folder."""
    title = re.search("<title>(.*?)</title>", page.read_text(encoding="utf-8", errors="replace"))
    heading = f'<a href="{escape(f"{PAGES}/{quote(page.name)}")}">{title[1] if title else escape(page.stem)}</a>'
    said = '<p class="small dim">from an earlier run</p>'
    return f'<article><p class="small dim">{escape(page.stem)}</p><h2>{heading}</h2>{said}</article>\n'


def _counted(results: Sequence[Result]) -> str:
    passed = sum(result.outcome.status == "passed" for result in results)
    return f"{passed} of {len(results)} passed."


def _card(result: Result, link: str | None) -> str:
    title = escape(result.tutorial.title)
    heading = title if link is None else f'<a href="{escape(link)}">{title}</a>'
    return (
        f'<article><p class="small dim">{escape(result.tutorial.name)}</p><h2>{heading}</h2>'
        f"<p>{escape(result.tutorial.summary)}</p>{_facts(result.outcome)}</article>\n"
    )


def _facts(outcome: Outcome) -> str:
    kind = "faster" if outcome.status == "passed" else "failed"
    numbers = [
        *([text.duration(outcome.seconds)] if outcome.seconds is not None else []),
        *([f"{text.size(outcome.peak_bytes)} of memory"] if outcome.peak_bytes is not None else []),
        *([f"{table.cpu_time(outcome)} of CPU time"] if outcome.cpu_s else []),
    ]
    told = escape(" · ".join(numbers))
    why = table.happened(outcome)
    said = f'<p class="notice">{escape(why)}</p>' if why else ""
    return f'<p class="small"><b class="{kind}">{escape(table.word(outcome))}</b> <span>{told}</span></p>{said}'


def _page(result: Result, output: Path) -> str:
    tutorial = result.tutorial
    back = f'<header><p class="small"><a href="../{INDEX}">{TITLE}</a></p>{_facts(result.outcome)}</header>\n'
    notebook = finding.load(output)
    return gallery_page.document(tutorial.title, back + gallery_page.body(notebook, tutorial.path.parent))
