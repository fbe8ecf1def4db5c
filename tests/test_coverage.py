"""docs/coverage.md: where each heading of the optimization guide is shown, held against guide and notebooks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from optkit import lab

ROOT = Path(__file__).parents[1]
GUIDE = ROOT.parent / "shared" / "docs" / "guide.md"
HEADINGS = (Path(__file__).parent / "guide_headings.txt").read_text(encoding="utf-8").splitlines()


class Row(NamedTuple):
    heading: str
    notebook: str
    section: str
    truth: str


def rows() -> list[Row]:
    page = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [Row(*(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1])) for line in lines[2:]]


def test_every_heading_of_the_guide_has_its_row_in_the_order_of_the_guide():
    assert [row.heading for row in rows()] == HEADINGS


def test_the_headings_are_those_of_the_guide():
    if not GUIDE.exists():
        pytest.skip("The guide itself is not beside this checkout; its headings are in tests/guide_headings.txt.")
    text = re.sub(r"^```.*?^```", "", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^#+ (.*?)\s*$", text, flags=re.MULTILINE) == HEADINGS


def sections(notebook: str) -> dict[str, bool]:
    """Return the headings of a tutorial, each with whether code stands below it."""
    found: dict[str, bool] = {}
    for cell in nbformat.read(lab.notebooks_folder() / f"{notebook}.ipynb", as_version=4).cells:
        if cell.cell_type == "code" and found:
            found[list(found)[-1]] = True
        text = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
        if cell.cell_type == "markdown":
            found |= dict.fromkeys(re.findall(r"^#+ (.*?)\s*$", text, flags=re.MULTILINE), False)
    return found


def test_every_row_leads_to_a_section_with_code_and_says_what_is_true_of_its_heading_alone():
    told = rows()
    assert len({row.truth for row in told}) == len(told)
    for row in told:
        assert len(row.truth.split()) > 5, row.heading
        there = sections(row.notebook.strip("`"))
        assert row.section in there, (row.heading, list(there))
        assert there[row.section] or row.section == "Best practices, as a list", row
        assert row.section not in ("Try it", "What to take home", "What this notebook claims"), row


def test_the_rows_are_spread_over_the_tutorials_and_no_section_stands_for_many():
    places = [(row.notebook, row.section) for row in rows()]
    assert len({notebook for notebook, _ in places}) >= 12
    assert max(map(places.count, places)) <= 2
