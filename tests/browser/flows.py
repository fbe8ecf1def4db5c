"""What a person does from beginning to end, for tests that let it happen in more than one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from browser.explorer_page import ExplorerPage

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser.jupyter import Lab

EXPLORE = (
    'import optkit\n\nexplorer = optkit.explore("tiny_cnn", variants=["compile:backend=eager"], budget_s=300)\nexplorer'
)
WAIT = "explorer.run()\nexplorer.wait().ended_because"


def choose_run_reload_and_stop(open_notebook: Callable[..., Lab]) -> None:
    """Choose as a person would, run, reload the page while it runs, stop, and reload once more."""
    lab = open_notebook(EXPLORE)
    explorer = ExplorerPage(lab)
    chosen = choose(explorer)
    lab.save()
    explorer.run.click()
    expect(explorer.stop).to_be_enabled()
    before = explorer.wait_for_points(3)
    explorer.wait_for_points(before)

    lab.reload()  # the study goes on, and its points keep coming
    explorer = ExplorerPage(lab)
    expect(explorer.stop).to_be_enabled()
    again = explorer.wait_for_points(before)
    explorer.wait_for_points(again)
    explorer.expect_round()
    expect(explorer.chooser.get_by_label("Budget (s)")).to_be_disabled()

    explorer.stop.click()
    explorer.expect_stopped()
    seen = explorer.points()
    assert seen > again
    explorer.open_tab("Cost")
    lab.save()
    lab.reload()
    explorer = ExplorerPage(lab)
    expect(explorer.panel("Cost")).to_be_visible()
    expect(explorer.controls).to_contain_text("Ended: it was stopped.")
    expect(explorer.table).to_contain_text("compile:backend=eager")
    assert explorer.names() == chosen
    explorer.open_tab("Live")
    expect(explorer.plot).to_have_attribute("data-drawn", str(seen))
    assert lab.cell_errors() == []


def choose(explorer: ExplorerPage) -> list[str]:
    """Start from a preset, remove all that it has, and add what is built in the picker; return the names."""
    chip = explorer.chooser.get_by_role("button", name="Grad contexts", exact=True)
    chip.click()
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(explorer.listed).to_contain_text("eager+no_grad")
    items = explorer.listed.get_by_role("listitem")
    for count in range(items.count() - 1, 0, -1):
        explorer.listed.get_by_role("button", name="Remove").last.click()
        expect(items).to_have_count(count)
    assert explorer.names() == ["eager"]
    backend = explorer.chooser.get_by_label("Backend", exact=True)
    assert backend.locator("option[value=cudagraphs]").is_disabled()
    backend.select_option("eager")
    expect(explorer.chooser.locator(".optkit-summary:visible")).to_have_text("compile:backend=eager")
    explorer.add.click()
    expect(explorer.listed).to_contain_text("compile:backend=eager")
    return explorer.names()


def interrupt_a_cell_that_waits(open_notebook: Callable[..., Lab]) -> None:
    """Interrupt (■) a cell that waits for a study, then run another."""
    lab = open_notebook(EXPLORE, WAIT)
    explorer = ExplorerPage(lab)
    explorer.wait_for_points(3)
    lab.interrupt()
    explorer.expect_stopped()
    expect(lab.page.locator(".jp-OutputArea-output").filter(has_text="'stopped'")).to_be_visible()
    assert lab.cell_errors() == []
    expect(explorer.table).to_contain_text("compile:backend=eager")
    assert explorer.points() > 3

    explorer.run.click()
    expect(explorer.stop).to_be_enabled()
    expect(explorer.plot).to_have_attribute("data-points", "0")  # those of the last study are gone
    explorer.wait_for_points()
    explorer.stop.click()
    explorer.expect_stopped()
