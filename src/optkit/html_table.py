"""A plain HTML table that looks the same wherever a notebook is read: no style sheet, every text escaped. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

CELL = "padding:.2em .8em;text-align:{};border-bottom:1px solid rgba(128,128,128,.3)"


def literal(html: str) -> str:
    """Return HTML in which a notebook takes nothing for mathematics: "$" in a name is a character like any other."""
    return f'<div class="mathjax_ignore tex2jax_ignore">{html}</div>'


WORDS, NUMBERS = ";overflow-wrap:normal", ";white-space:nowrap"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], words: Collection[str] = ()) -> str:
    """Return a table; without a head, one of names and values. It scrolls sideways where it does not fit.

    `words` are the heads of columns that hold words: they are aligned to the left and broken between words, and then
    numbers are not broken at all.
    """
    # Numbers are aligned to the right; a table of names and values holds words.
    is_left = [not head or not column or head[column] in words for column in range(len(head) or 8)]
    styles = [
        CELL.format("left" if left else "right") + ((WORDS if left else NUMBERS) if words else "") for left in is_left
    ]
    top = "".join(f'<th style="{style}">{escape(title)}</th>' for style, title in zip(styles, head, strict=False))
    body = "".join(
        "".join(
            [
                "<tr>",
                *(f'<td style="{styles[min(i, len(styles) - 1)]}">{escape(cell)}</td>' for i, cell in enumerate(row)),
                "</tr>",
            ]
        )
        for row in rows
    )
    inner = f"<tr>{top}</tr>{body}" if top else body
    return f'<div style="overflow-x:auto"><table style="border-collapse:collapse">{inner}</table></div>'
