"""A study that is over: sorting, taking away, and runs of other days."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

import optkit
from browser import kept
from browser.explorer_page import ExplorerPage
from browser.kept import BROKEN, FAST, SLOW, TWIN

pytestmark = [pytest.mark.browser, pytest.mark.worker]

RANKED = [FAST, "eager", TWIN, SLOW, BROKEN]


@pytest.fixture(scope="module")
def run_id() -> str:
    return kept.keep(kept.story())


def test_a_click_on_a_head_sorts_a_second_turns_it_round_and_a_third_gives_the_ranking_back(open_notebook, run_id):
    explorer = ExplorerPage(open_notebook(kept.shown(run_id)))
    median = explorer.table.get_by_role("columnheader", name="median")
    assert explorer.order() == RANKED
    median.get_by_role("button").click()
    assert explorer.order() == [FAST, "eager", TWIN, SLOW, BROKEN]
    expect(median).to_have_attribute("aria-sort", "ascending")
    median.get_by_role("button").click()
    assert explorer.order() == [SLOW, TWIN, "eager", FAST, BROKEN]  # what has no value stays last
    expect(median).to_have_attribute("aria-sort", "descending")

    calls = explorer.chooser.get_by_label("Calls per process")
    calls.fill("2")
    calls.press("Enter")
    expect(explorer.table.get_by_role("columnheader", name="2 calls")).to_be_visible()  # it was drawn anew
    assert explorer.order() == [SLOW, TWIN, "eager", FAST, BROKEN]
    expect(median).to_have_attribute("aria-sort", "descending")
    calls.fill("")
    calls.press("Enter")
    expect(explorer.table.get_by_role("columnheader", name="2 calls")).to_have_count(0)
    median.get_by_role("button").click()
    assert explorer.order() == RANKED
    expect(median).to_have_attribute("aria-sort", "none")

    explorer.table.get_by_role("button", name="speed-up", exact=True).click()
    assert explorer.order() == [FAST, TWIN, "eager", SLOW, BROKEN] or explorer.order() == RANKED
    explorer.table.get_by_role("button", name="variant", exact=True).click()
    assert explorer.order() == sorted(RANKED)


def test_code_and_each_kind_of_file_can_be_taken_away(open_notebook, run_id, tmp_path):
    lab = open_notebook(kept.shown(run_id))
    explorer, page = ExplorerPage(lab), lab.page
    code = optkit.load(run_id).code()
    explorer.answer.get_by_role("button", name="Copy code").click()
    expect(explorer.answer.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == code
    expect(explorer.answer.get_by_role("button", name="Copy code")).to_be_visible()
    explorer.open_tab("Code").get_by_role("button", name="Copy", exact=True).first.click()
    expect(explorer.panel("Code").get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == code

    def saved(label: str) -> str:
        with page.expect_download() as download:
            explorer.table.get_by_role("button", name=label, exact=True).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.stem == run_id
        return path.read_text(encoding="utf-8")

    report = saved("HTML report")
    assert report.startswith("<!DOCTYPE html>")
    assert f"{FAST} is 2.00× faster than eager" in report
    rows = list(csv.DictReader(io.StringIO(saved("CSV"))))
    assert sorted(row["variant"] for row in rows) == sorted(RANKED)
    assert {float(row["median_s"]) for row in rows if row["variant"] == FAST} == {0.005}
    told = json.loads(saved("JSON"))
    assert (told["best"], told["run_id"]) == (FAST, run_id)
    notebook = nbformat.reads(saved("Notebook"), as_version=4)
    nbformat.validate(notebook)
    assert "tiny_cnn" in "".join(cell.source for cell in notebook.cells)
    assert {path.suffix for path in Path(tmp_path).iterdir()} == {".html", ".csv", ".json", ".ipynb"}
    assert lab.cell_errors() == []


def test_a_past_run_is_shown_and_measured_again(open_notebook, run_id):
    lab = open_notebook('import optkit\n\noptkit.explore("resnet18", variants=["compile"], budget_s=30)')
    explorer = ExplorerPage(lab)
    row = explorer.open_tab("Past runs").get_by_role("row").filter(has_text="tiny_cnn")
    row.get_by_role("button", name="Show").click()
    expect(explorer.answer).to_contain_text(f"{FAST} is 2.00× faster than eager")
    assert explorer.order() == RANKED
    assert explorer.wait_for_points() > 50
    assert explorer.names() == ["eager", "compile"]  # looking at a run chooses nothing
    expect(explorer.panel("Compare")).to_be_visible()
    expect(explorer.tab("Compare")).to_be_focused()  # the button that had the focus is out of sight
    explorer.open_tab("Past runs")

    row.get_by_role("button", name="Measure").click()
    expect(explorer.stop).to_be_enabled()
    expect(explorer.panel("Live")).to_be_visible()
    expect(explorer.tab("Live")).to_be_focused()  # the button that had the focus is out of sight
    assert explorer.names() == ["eager", *kept.VARIANTS]
    assert explorer.chooser.get_by_label("Model").input_value() == "tiny_cnn"
    assert explorer.chooser.get_by_label("Budget (s)").input_value() == "10"
    explorer.expect_begun()
    explorer.stop.click()
    explorer.expect_stopped()
    assert lab.cell_errors() == []
