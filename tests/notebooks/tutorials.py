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
TIMES = {"speedup", "median_s", "first_call_s", "total_s", "peak_memory_bytes", "merit", "headroom"}
"""What differs from machine to machine."""
TOLERANCE = 1e-3


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def words(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def asserts_of_a_speed(source: str) -> Iterator[str]:
    """Yield asserts that hold something measured against a number, which can only be true of some machines."""
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.Assert):
            for compared in ast.walk(statement.test):
                if isinstance(compared, ast.Compare):
                    names = {one.attr for one in ast.walk(compared) if isinstance(one, ast.Attribute)}
                    sides = [compared.left, *compared.comparators]
                    numbers = [one.value for one in sides if isinstance(one, ast.Constant)]
                    if names & TIMES and any(
                        isinstance(number, int | float) and abs(number) > TOLERANCE for number in numbers
                    ):
                        yield ast.unparse(statement)


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
    return bool(last) and isinstance(last[0], ast.Expr) and not isinstance(last[0].value, ast.Call | ast.Await)
