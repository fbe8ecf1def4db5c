"""The Explorer without a mouse: everything can be reached and used, and JupyterLab takes none of the keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser import kept
from browser.explorer_page import TABS, ExplorerPage
from browser.flows import EXPLORE

pytestmark = [pytest.mark.browser, pytest.mark.worker]

REACHABLE = """root => [...root.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
  .filter((element) => element.tabIndex >= 0 && !element.disabled && element.checkVisibility())
  .map((element, i) => (element.dataset.testPlace = i))"""
FOCUSED = "() => document.activeElement.dataset.testPlace ?? null"


def reach_everything(explorer: ExplorerPage) -> None:
    """Press Tab from the first field to the end, and expect to come by all that can be used, in its order."""
    press = explorer.page.keyboard.press
    explorer.open_tab("Code")
    places = [str(place) for place in explorer.root.evaluate(REACHABLE)]
    explorer.chooser.get_by_label("Model").focus()
    reached = [explorer.page.evaluate(FOCUSED)]
    while len(reached) <= len(places) and reached[-1] is not None:
        press("Tab")
        reached.append(explorer.page.evaluate(FOCUSED))
    start = places.index(reached[0])
    assert len(places) > 40
    assert reached[:-1] == places[start:]
    assert reached[-1] is None  # it is no trap
    press("Shift+Tab")
    assert explorer.page.evaluate(FOCUSED) == places[-1]


def unharmed(explorer: ExplorerPage) -> None:
    """Press what would add, delete, cut or edit a cell were it the notebook's, which then is not as it was."""
    for key in ("d", "d", "a", "b", "x", "m", "ArrowDown", "ArrowUp"):
        explorer.page.keyboard.press(key)
    assert explorer.lab.notebook_state() == (1, "command", 0)


def test_variants_are_chosen_with_keys_alone_and_the_notebook_takes_none_of_them(open_notebook):
    explorer = ExplorerPage(open_notebook(EXPLORE))
    press = explorer.page.keyboard.press
    chip = explorer.chooser.get_by_role("button", name="Grad contexts", exact=True)
    for key in ("Enter", "Space"):
        chip.focus()
        press(key)
        expect(chip).to_have_attribute("aria-pressed", "true")
        expect(chip).to_be_focused()
        unharmed(explorer)
        press("Shift+Tab")
        press(key)
        expect(chip).to_have_attribute("aria-pressed", "false")

    removes = explorer.listed.get_by_role("button", name="Remove")
    removes.first.focus()
    for count in range(removes.count() - 1, 0, -1):
        press("Enter" if count % 2 else "Space")
        expect(removes).to_have_count(count)
        expect(removes.first).to_be_focused()
    press("Enter")
    expect(removes).to_have_count(0)
    expect(explorer.chooser.get_by_role("button", name="Recommended here")).to_be_focused()  # nothing else is left
    unharmed(explorer)

    explorer.chooser.get_by_label("Engine", exact=True).focus()
    press("Home")
    summary = explorer.chooser.locator(".optkit-summary:visible")
    expect(summary).to_have_text("eager")
    explorer.chooser.get_by_text("More", exact=True).last.focus()
    press("Enter")
    explorer.chooser.get_by_label("Threads", exact=True).focus()
    press("End")
    expect(summary).to_contain_text("eager+threads=")
    explorer.add.focus()
    press("Enter")
    expect(removes).to_have_count(1)
    expect(explorer.add).to_be_focused()
    unharmed(explorer)


def test_a_study_is_run_and_stopped_with_keys_alone_and_the_focus_stays_in_the_row(open_notebook):
    explorer = ExplorerPage(open_notebook(EXPLORE))
    press = explorer.page.keyboard.press
    budget, shape = explorer.chooser.get_by_label("Budget (s)"), explorer.chooser.get_by_label("Shape")
    for field, typed, taken in ((budget, "77", "77"), (budget, "-1", "77"), (shape, "3x<b>", "3x32x32")):
        field.focus()
        press("Control+a")
        explorer.page.keyboard.type(typed)
        press("Enter")
        expect(field).to_have_value(taken)  # what makes no sense is refused, and the old one shown again
        expect(field).to_be_focused()

    explorer.run.focus()
    press("Enter")
    expect(explorer.stop).to_be_focused()
    unharmed(explorer)
    explorer.expect_begun()
    expect(explorer.stop).to_be_focused()
    press("Space")
    unharmed(explorer)  # also while nothing in the row can be pressed
    explorer.expect_stopped()
    expect(explorer.run).to_be_focused()
    unharmed(explorer)


def test_tab_reaches_everything_arrows_move_between_tabs_and_enter_sorts_opens_doubts_and_saves(open_notebook):
    explorer = ExplorerPage(open_notebook(kept.shown(kept.keep(kept.story()))))
    press = explorer.page.keyboard.press
    before = explorer.lab.notebook_state()
    reach_everything(explorer)
    explorer.open_tab("Live")
    explorer.tab("Live").focus()
    for key, name in [
        *(("ArrowRight", name) for name in TABS[1:]), ("ArrowRight", "Live"), ("ArrowLeft", TABS[-1]),
        ("Home", "Live"), ("End", TABS[-1]), ("ArrowLeft", TABS[-2]),
    ]:  # fmt: skip
        press(key)
        expect(explorer.tab(name)).to_be_focused()
        expect(explorer.panel(name)).to_be_visible()
        assert explorer.results.get_by_role("tabpanel").count() == 1

    explorer.table.get_by_role("button", name="median", exact=True).focus()
    press("Enter")
    expect(explorer.table.get_by_role("columnheader", name="median")).to_have_attribute("aria-sort", "ascending")
    press("Space")
    expect(explorer.table.get_by_role("columnheader", name="median")).to_have_attribute("aria-sort", "descending")
    chip, remedy = explorer.table.get_by_text("NOT_STEADY"), explorer.table.get_by_text("Calls were still changing")
    expect(remedy).to_be_hidden()
    chip.focus()
    press("Enter")
    expect(remedy).to_be_visible()
    press("Enter")
    expect(remedy).to_be_hidden()
    explorer.table.get_by_role("button", name="CSV").focus()
    with explorer.page.expect_download() as download:
        press("Enter")
    assert download.value.suggested_filename.endswith(".csv")
    assert explorer.lab.notebook_state() == before
