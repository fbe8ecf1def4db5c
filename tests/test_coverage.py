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


def test_every_row_leads_to_a_section_that_is_there_and_says_what_is_true():
    assert rows()
    for row in rows():
        assert len(row.truth.split()) >= 3, row.heading
        path = lab.notebooks_folder() / f"{row.notebook.strip('`')}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        sections = re.findall(
            r"^#+ (.*?)\s*$", "\n".join(c.source for c in cells if c.cell_type == "markdown"), flags=re.MULTILINE
        )
        assert row.section in sections, (row.heading, sections)
