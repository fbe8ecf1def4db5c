"""The pages of docs/ that notebooks of a gallery link to, written beside them, so that no link leads nowhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import nbformat.v4

from optkit.tutorials import gallery_page

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "docs"
_FROM_NOTEBOOK = re.compile(r'href="\.\./docs/([\w-]+)\.md(#[^"]*)?"')
_FROM_DOCUMENT = re.compile(r'href="([\w-]+)\.md(#[^"]*)?"')


def linked(page: str, gallery: Path, docs: Path) -> str:
    """Return a notebook's page whose links into `docs` lead into the gallery, where what they lead to is written."""
    names = {name for name, _ in _FROM_NOTEBOOK.findall(page) if (docs / f"{name}.md").is_file()}
    done: set[str] = set()
    while waiting := names - done:
        name = waiting.pop()
        done.add(name)
        body = _body(docs / f"{name}.md")
        more = {other for other, _ in _FROM_DOCUMENT.findall(body) if (docs / f"{other}.md").is_file()}
        names |= more
        (gallery / FOLDER).mkdir(exist_ok=True)
        content = gallery_page.document(name, _renamed(body, _FROM_DOCUMENT, more))
        (gallery / FOLDER / f"{name}.html").write_text(content, encoding="utf-8", errors="backslashreplace")
    return _renamed(page, _FROM_NOTEBOOK, names)


def _body(document: Path) -> str:
    cell = nbformat.v4.new_markdown_cell(document.read_text(encoding="utf-8"))  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    return gallery_page.body(notebook, document.parent)


def _renamed(html: str, links: re.Pattern[str], names: set[str]) -> str:
    def link(found: re.Match[str]) -> str:
        is_written = found[1] in names
        return found[0].replace(f"{found[1]}.md", f"{found[1]}.html") if is_written else found[0]

    return links.sub(link, html)
