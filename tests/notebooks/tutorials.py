"""Reading a tutorial, as it was written and as it was executed."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup

from optkit import lab
from optkit.tutorials import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

TUTORIALS = sorted(lab.notebooks_folder().glob(finding.PATTERN))
TIMES = {
    "speedup", "interval", "median_s", "first_call_s", "percentile_s", "total_s", "break_even", "merit",
    "headroom",
}  # fmt: skip
"""What differs from machine to machine."""
TOLERANCE = 1e-3
SILENT = {"set_option", "set_num_threads", "invalidate_caches"}
"""Functions that cells end with and that show nothing."""


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def loaded(notebook: NotebookNode) -> set[str]:
    """Return the names that the code reads, but for what stands below ``if smoke:``, which only sets them anew."""
    names: set[str] = set()
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        below = [one for node in ast.walk(tree) if _is_smoke(node) for part in node.body for one in ast.walk(part)]
        skipped = set(map(id, below))
        loads = (one for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load))
        names |= {one.id for one in loads if id(one) not in skipped}
    return names


def _is_smoke(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "smoke"


def asserts_of_a_speed(source: str) -> Iterator[str]:
    """Yield asserts that can only be true of some machines.

    They hold something measured against a number, or against the same of another variant, or want a certain verdict or
    winner.
    """
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Assert):
            compared = [one for one in ast.walk(statement.test) if isinstance(one, ast.Compare)]
            if any(map(_is_of_a_speed, compared)):
                yield ast.unparse(statement)


def _is_of_a_speed(compared: ast.Compare) -> bool:
    sides = [compared.left, *compared.comparators]
    measured = [_attributes(side) & TIMES for side in sides]
    if any(measured) and any(_is_number(side) for side in sides):
        return True
    if measured[0] & measured[-1]:
        return True
    is_wanted = isinstance(compared.ops[0], ast.Eq | ast.Is)
    return is_wanted and any(
        _attributes(side) & {"FASTER", "SLOWER"} or (isinstance(side, ast.Call) and _attributes(side) & {"best"})
        for side in sides
    )


def _attributes(tree: ast.AST) -> set[str]:
    return {one.attr for one in ast.walk(tree) if isinstance(one, ast.Attribute)}


def _is_number(tree: ast.expr) -> bool:
    """Whether it is made of numbers alone, and they come to more than a tolerance."""
    if any(isinstance(one, ast.Name | ast.Call | ast.Attribute) for one in ast.walk(tree)):
        return False
    numbers = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)]
    return any(isinstance(number, int | float) and abs(number) > TOLERANCE for number in numbers)


def pages(notebook: NotebookNode) -> list[BeautifulSoup]:
    """Return the HTML outputs of an executed notebook."""
    data = [output.data for cell in code_cells(notebook) for output in cell.outputs if "data" in output]
    return [BeautifulSoup(one["text/html"], "html.parser") for one in data if "text/html" in one]


def in_tables(notebook: NotebookNode) -> set[str]:
    """Return the texts of all cells of all tables, and the words of each."""
    cells = [cell.get_text(" ", strip=True) for page in pages(notebook) for cell in page.select("table :is(td, th)")]
    return {*cells, *(word for cell in cells for word in cell.split())}


def pictures(notebook: NotebookNode) -> int:
    """Return how many pictures there are that can be seen without JavaScript."""
    drawn = sum(len(page.find_all("svg")) for page in pages(notebook))
    kinds = [kind for cell in code_cells(notebook) for output in cell.outputs for kind in output.get("data", {})]
    return drawn + sum(kind in {"image/svg+xml", "image/png"} for kind in kinds)


def blanks(notebook: NotebookNode) -> list[str]:
    """Return the cells that end with something to show and show nothing, or show something empty."""
    return [cell.source for cell in code_cells(notebook) if _is_blank(cell)]


def _is_blank(cell: NotebookNode) -> bool:
    for output in cell.outputs:
        if output.output_type == "stream" and not output.text.strip():
            return True
        if "data" in output and not any(re.sub(r"<[^>]*>|\s", "", str(value)) for value in output.data.values()):
            return True
    if cell.outputs or cell.source.rstrip().endswith(";"):
        return False
    last = ast.parse(cell.source).body[-1:]
    if not last or not isinstance(last[0], ast.Expr):
        return False
    called = getattr(last[0].value, "func", None)
    return getattr(called, "id", getattr(called, "attr", None)) not in SILENT
