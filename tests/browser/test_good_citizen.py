"""The Explorer in the light and in the dark, for readers of screens, and in little room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser import kept
from browser.explorer_page import TABS, ExplorerPage
from browser.flows import EXPLORE
from browser.layout import chart_inks, ink, moving, overflowing
from processes import wait_for

if TYPE_CHECKING:
    from browser.jupyter import Lab

pytestmark = [pytest.mark.browser, pytest.mark.worker]

AXE = Axe()
ALL_TABS = """(root, shown) => root.querySelectorAll(".optkit-panel-of-tab").forEach((one, i) => {
  one.hidden = !shown && i > 0;
})"""
TALL = {"width": 1380, "height": 2600}
"""Room for all of an Explorer: what is scrolled out of sight is not looked at."""
THEMES = ("Light", "Dark")


@pytest.fixture(scope="module")
def run_id() -> str:
    return kept.keep(kept.story())


@pytest.fixture
def lit(open_notebook):
    """Open notebooks as `open_notebook` does; the theme, which is kept by the server, is light again afterwards."""
    opened = []

    def open_one(*cells: str) -> Lab:
        opened.append(open_notebook(*cells))
        return opened[-1]

    yield open_one
    for lab in opened:
        lab.choose_theme("Light")


def barriers(lab: Lab, *, at_least: int = 60) -> list[str]:
    """Return what axe-core finds serious or critical in the Explorers of a page, which have so many texts at least."""
    # JupyterLab's body has no height and hides what hangs out of it; axe takes all text in it for hidden then.
    expect(lab.page.locator("#jupyterlab-splash")).to_have_count(0)  # it lies over all at first
    lab.page.evaluate("() => { document.body.style.height = '100vh' }")
    told = AXE.run(lab.page, ".optkit-explorer", None).response
    seen = [node for one in told["passes"] if one["id"] == "color-contrast" for node in one["nodes"]]
    assert len(seen) >= at_least, "axe does not see the texts"
    found = told["violations"]
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary'][:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_axe_finds_no_barrier_on_any_tab_in_light_and_dark_and_plot_and_charts_follow_the_theme(lit, run_id):
    lab = lit(kept.shown(run_id))
    lab.page.set_viewport_size(TALL)
    explorer, found, inks = ExplorerPage(lab), {}, []
    for tab in reversed(TABS):  # the live one is open at the end
        explorer.open_tab(tab)
    for fold in explorer.root.locator("summary:visible").all():
        fold.click()  # what is behind it is looked at as well
    canvas = explorer.plot.locator("canvas").last
    for theme, is_so in (("Light", lambda at: at < 128), ("Dark", lambda at: at > 128)):
        lab.choose_theme(theme)
        wait_for(lambda is_so=is_so: (at := ink(canvas)) is not None and is_so(at), limit_s=60)
        inks.append(chart_inks(explorer.root))
        found[theme] = barriers(lab)
        explorer.root.evaluate(ALL_TABS, True)
        found[theme, "all tabs"] = barriers(lab, at_least=100)
        explorer.root.evaluate(ALL_TABS, False)
    assert {place: one for place, one in found.items() if one} == {}
    light, dark = inks
    assert (len(light - dark), len(dark - light)) == (1, 1)  # what stands in bars is as dark as ever


@pytest.mark.slow
def test_axe_finds_no_barrier_before_and_while_a_study_runs(lit):
    lab = lit(EXPLORE)
    lab.page.set_viewport_size(TALL)
    explorer, found = ExplorerPage(lab), {}
    explorer.chooser.get_by_role("button", name="Recommended here").click()
    expect(explorer.chooser.get_by_text("Why these")).to_be_visible()
    explorer.chooser.get_by_text("Why these").click()
    for theme in THEMES:
        lab.choose_theme(theme)
        found[theme, "idle"] = barriers(lab)
    explorer.chooser.get_by_role("button", name="Grad contexts").click()
    explorer.run.click()
    explorer.wait_for_points()
    for theme in THEMES:
        lab.choose_theme(theme)
        found[theme, "running"] = barriers(lab)
    expect(explorer.stop).to_be_enabled()
    explorer.stop.click()
    explorer.expect_stopped()
    assert {place: one for place, one in found.items() if one} == {}


def test_in_little_room_there_is_one_column_nothing_hangs_out_and_nothing_moves(open_notebook, run_id):
    lab = open_notebook(kept.shown(run_id))
    lab.page.evaluate("() => jupyterapp.shell.collapseLeft()")
    lab.page.set_viewport_size({"width": 760, "height": 1100})
    lab.page.emulate_media(reduced_motion="reduce")
    explorer = ExplorerPage(lab)
    for tab in TABS:
        explorer.open_tab(tab)
        boxes = [one.bounding_box() for one in (explorer.chooser, explorer.results, explorer.table)]
        tops = [box["y"] for box in boxes]
        assert len({box["x"] for box in boxes}) == 1, tab
        assert tops == sorted(tops), tab
        assert overflowing(explorer.root) == [], tab
        assert moving(explorer.root) == [], tab
