"""Choosing, running, watching and stopping in real JupyterLab, as a person would."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.explorer_page import ExplorerPage
from browser.flows import EXPLORE, choose_run_reload_and_stop, interrupt_a_cell_that_waits
from processes import marked, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.worker]


def test_a_person_chooses_runs_watches_reloads_stops_and_finds_everything_again(open_notebook):
    choose_run_reload_and_stop(open_notebook)


def test_an_interrupt_of_a_cell_that_waits_ends_the_study_without_an_error_and_run_works_again(open_notebook):
    interrupt_a_cell_that_waits(open_notebook)


def test_two_explorers_keep_apart_and_the_second_says_that_the_first_is_measuring(open_notebook):
    lab = open_notebook(EXPLORE, 'optkit.explore("tiny_transformer", variants=["eager+threads=1"], budget_s=60)')
    first, second = ExplorerPage(lab, 0), ExplorerPage(lab, 1)
    first.chooser.get_by_label("Batch size").fill("2")
    first.chooser.get_by_label("Batch size").press("Enter")
    expect(first.open_tab("Code")).to_contain_text("'tiny_cnn', 2,")
    expect(second.open_tab("Code")).to_contain_text("'tiny_transformer', 1,")
    first.open_tab("Live")
    expect(second.panel("Code")).to_be_visible()
    assert [one.chooser.get_by_label("Model").input_value() for one in (first, second)] == [
        "tiny_cnn",
        "tiny_transformer",
    ]
    assert second.chooser.get_by_label("Batch size").input_value() == "1"
    assert (first.names()[1], second.names()[1]) == ("compile:backend=eager", "eager+threads=1")

    first.run.click()
    expect(first.stop).to_be_enabled()
    second.run.click()
    expect(second.root.get_by_text("Another study is running")).to_be_visible()
    expect(second.run).to_be_enabled()
    expect(first.stop).to_be_enabled()
    first.wait_for_points()
    assert second.points() == 0
    first.stop.click()
    first.expect_stopped()

    second.run.click()
    second.wait_for_points()
    second.stop.click()
    second.expect_stopped()
    expect(first.root.locator(".optkit-head")).to_contain_text("tiny_cnn")
    expect(second.root.locator(".optkit-head")).to_contain_text("tiny_transformer")
    assert lab.cell_errors() == []


def workers(mark: str) -> list[int]:
    """Return the processes of the server's kernels that measure."""
    found = []
    for pid in marked(mark):
        try:
            command = (Path("/proc") / str(pid) / "cmdline").read_bytes()
        except OSError:
            continue
        if b"optkit.worker" in command:
            found.append(pid)
    return found


def test_a_restart_in_mid_study_leaves_no_worker_behind_and_the_run_is_among_those_past(open_notebook, server):
    lab = open_notebook(EXPLORE)
    explorer = ExplorerPage(lab)
    explorer.run.click()
    explorer.expect_round()
    assert len(workers(server.mark)) >= 3  # the zygote, and two that are eager
    lab.restart()
    wait_for(lambda: not workers(server.mark))

    lab.run_all()
    expect(explorer.answer).to_contain_text("Choose variants and press Run")
    rows = explorer.open_tab("Past runs").get_by_role("row")
    cut = rows.filter(has_text="the process that measured was ended")
    expect(cut).to_have_count(1)
    expect(cut).to_contain_text("tiny_cnn")
    cut.get_by_role("button", name="Show").click()
    expect(explorer.answer).to_contain_text("eager")
    expect(explorer.table).to_contain_text("compile:backend=eager")
    assert explorer.wait_for_points() > 3
    assert lab.cell_errors() == []
