"""What every tutorial has in common, read from its cells without running it."""

from __future__ import annotations

import re

import nbformat
import pytest

from notebooks.tutorials import TUTORIALS, asserts_of_a_speed, code_cells, loaded, tagged, words
from optkit.tutorials import finding

SIX = ("model", "batch_size", "device", "budget_s", "seed", "smoke")
LONGEST_CELL, USUAL_CELL = 25, 9
BY_CONSTRUCTION = (
    "jit.first_call_s > aot.first_call_s",  # one compiles, and the other has been compiled
    "failures.best() is failures.baseline",  # all others fail
    "made_up(0, 20, 2.0)",  # its times are made up
)
"""Asserts of this kind that are true whatever the machine."""


@pytest.fixture(params=TUTORIALS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def test_the_tutorials_are_numbered_from_0_without_a_gap():
    assert [int(path.name[:2]) for path in TUTORIALS] == list(range(len(TUTORIALS)))
    assert len(TUTORIALS) >= 18


def test_it_is_committed_without_outputs(notebook):
    assert "widgets" not in notebook.metadata
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))
    assert notebook.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_it_has_all_six_parameters_in_one_tagged_cell_and_uses_them(path, notebook):
    assert len(tagged(notebook, finding.PARAMETERS)) == 1
    given = finding.read(path).parameters
    assert set(SIX) <= set(given)
    assert given["smoke"] == "False"
    assert [name for name in given if name not in loaded(notebook)] == []


def test_it_begins_with_one_question_and_its_goal(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert len(re.findall(r"^# ", words(notebook), flags=re.MULTILINE)) == 1


def test_its_cells_are_short(notebook):
    lengths = sorted(len(cell.source.splitlines()) for cell in code_cells(notebook))
    assert lengths[-1] <= LONGEST_CELL
    assert lengths[len(lengths) // 2] <= USUAL_CELL


def test_it_ends_with_two_exercises_whose_answers_are_folded_and_what_to_take_home(notebook):
    said = words(notebook)
    assert said.count("<details><summary>Answer</summary>") == said.count("</details>") == 2
    assert "## Try it" in said
    assert "## What to take home" in said
    assert re.search(r"\]\(https://docs\.pytorch\.org/", said)


def test_it_asserts_claims_and_none_of_them_is_an_absolute_speed(notebook):
    (claims,) = tagged(notebook, "claims")
    assert claims.source.count("assert ") >= 2
    found = [one for cell in code_cells(notebook) for one in asserts_of_a_speed(cell.source)]
    assert [one for one in found if not any(allowed in one for allowed in BY_CONSTRUCTION)] == []


@pytest.mark.parametrize("said", [
    "m.speedup > 1.2", "m.speedup > 1 + 0.2", "a.median_s / b.median_s > 2", "a.median_s < b.median_s",
    "m.first_call_s < 30", "m.interval()[0] > 1.1", "m.verdict == Verdict.FASTER", "m.verdict is Verdict.SLOWER",
    "comparison.best() is fast",
    "x or c.measurements['compile'].speedup > 1.1",
])  # fmt: skip
def test_an_assert_of_a_speed_is_found(said):
    assert list(asserts_of_a_speed(f"if True:\n    assert {said}, 'why'")) == [f"assert {said}, 'why'"]


@pytest.mark.parametrize("said", [
    "m.first_call_s > m.median_s", "m.speedup > 0", "abs(sum(row.parts) - row.total_s) < 1e-6", "c.best() is not m",
    "m.verdict not in (Verdict.FASTER, Verdict.SLOWER)", "m.rounds >= 3",
])  # fmt: skip
def test_a_relation_that_holds_anywhere_is_no_assert_of_a_speed(said):
    assert list(asserts_of_a_speed(f"assert {said}")) == []
