"""What a notebook for a study is made of: cells, literals, and words of others that can only be read. Pure text."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.building.lines import LINE_LENGTH, constant, container, wrapped
from optkit.errors import VariantError
from optkit.report.parts import LONGEST_NAME, plain
from optkit.study import Plan
from optkit.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

PLANNED = tuple(one.name for one in dataclasses.fields(Plan))
ORDER = ("model", "batch_size", "shape", "device", "call", "weights", "variants", *PLANNED)
"""Everything that can be a parameter, in the order of the cell."""
HELP = {
    "model": "a model of torchvision by name, or tiny_cnn or tiny_transformer",
    "device": 'None: the accelerator if there is one; "cpu", "cuda", "cuda:1"',
    "variants": "variants, or the name of a preset",
    "budget_s": "seconds, after which no further round begins",
    "seed": "decides the order of turns",
    "folders": "where the modules of your own lie that the model needs",
}
MOST_NAMES = 30
"""Variants, and modules, that the text names."""
COLUMNS = 100


def markdown(*paragraphs: str) -> dict[str, Any]:
    """Return a cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": "\n\n".join(paragraphs)}


def code(*lines: str, tag: str | None = None) -> dict[str, Any]:
    """Return a cell of code, with what it is tagged."""
    metadata = {"tags": [tag]} if tag else {}
    return {
        "cell_type": "code", "metadata": metadata, "source": "\n".join(lines), "outputs": [], "execution_count": None
    }  # fmt: skip


def kind_of(value: Any) -> str:
    """Return what it is about a value that cannot be written, as the end of a sentence."""
    return "not finite" if isinstance(value, float) else f"of type {text.one_line(type(value).__name__, limit=100)}"


def literal(value: Any) -> str:
    """Return plain data as Python."""
    found = constant(value) or container(value, literal)
    assert found is not None, "only plain data is written"
    return found


def assignment(name: str, value: Any) -> list[str]:
    """Return the lines that give a parameter its value, with what it is beside it where there is room."""
    lines = wrapped(literal(value), before=f"{name} = ")
    said = f"{lines[0]}  # {HELP.get(name)}"
    return [said] if name in HELP and len(lines) == 1 and len(said) <= LINE_LENGTH else lines


def asking(name: str, why: str) -> str:
    """Return a statement that stops the notebook: nothing is measured, rather than something else."""
    return f"raise NameError({literal(f'Put the {name} of this notebook here: {name} = ... {why}')})"


def span(words: object) -> str:
    """Return a name for a line of Markdown, always as code: else ``__name__`` would be a bold name."""
    said = text.one_line(plain(words, LONGEST_NAME)) or "–"
    return text.code_span(said) if "`" in said else f"`{said}`"


def spans(words: Iterable[object]) -> str:
    """Return names for a line of Markdown; of many the first."""
    named = [span(one) for one in words]
    more = [f"and {len(named) - MOST_NAMES} more"] if len(named) > MOST_NAMES else []
    return ", ".join(named[:MOST_NAMES] + more)


def block(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and texts as a block of code, which shows them as they are, in lines that can be read."""
    lines = []
    for name, said in pairs:
        room, before = COLUMNS - 10, f"{name:<10}"
        for line in said.expandtabs().split("\n"):
            for piece in textwrap.wrap(line, room) or [""]:
                lines.append(f"{before}{piece}".rstrip())
                before = " " * 10
    content = "\n".join(lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", content)), default=0))
    return f"{fence}text\n{content}\n{fence}"


def holds_callable(variant: str) -> bool:
    """Return whether the text of a variant only names a part of it; what is no variant at all is refused later."""
    with suppress(VariantError):
        Variant.parse(variant)
        return False
    with suppress(VariantError):
        Variant.read(variant)
        return True
    return False


def reads(variant: str) -> bool:
    """Return whether the text of a variant can be read back."""
    with suppress(VariantError):
        Variant.parse(variant)
        return True
    return False
