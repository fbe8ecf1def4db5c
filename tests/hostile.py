"""Texts that somebody could give a model, a setting or a message to do harm with, and how to see whether one did."""

from __future__ import annotations

import re
from html.parser import HTMLParser

TEXTS = {
    "image": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)</script>",
    "style": "</style><style>*{display:none}</style>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "mathematics": r"$\frac{1}{2}$",
    "colour": "\x1b[31mred",
    "link": "\x1b]8;;http://x\x07here\x1b]8;;\x07",
    "c1": "\x9b31m\x85",
    "direction": "\u202etxt.exe\u2066",
    "formula": "=cmd()",
    "long": "x" * 10_000,
    "surrogate": "half \ud800 of a character",
    "nul": "nul\x00nul",
    "rich": "[bold red]bold[/] [link=http://x]here[/link] :bug:",
    "markdown": "`a` **b** [c](http://x) <b>d</b>\n# e",
    "python": "a\nimport os\n'''\"\"\"",
    "plotly": '<a href="javascript:alert(1)">%{x}</a>',
}
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What no terminal and no page may be given."""


def is_plain(said: str) -> bool:
    """Return whether a text can be printed, written and shown without anything in it being obeyed."""
    return HARMFUL.search(said) is None and said.encode() is not None


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found = set()
        self.words = []

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, *sorted(name for name, _ in attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        self.found.add(("comment",))

    handle_decl = unknown_decl = handle_pi = handle_comment


def elements(html: str) -> set[tuple[str, ...]]:
    """Return the kinds of elements in HTML, each with the names of its attributes."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return parser.found


def words(html: str) -> str:
    """Return what can be read of HTML."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return "".join(parser.words)
