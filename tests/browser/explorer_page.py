"""The Explorer as a person finds it on a page: by roles and labels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from browser.jupyter import Lab

TABS = ("Live", "Compare", "Cost", "Why", "Shapes", "Start-up", "Operators", "Code", "Past runs")
PLOT = ".optkit-latency-plot"
STUDY_MS = 180_000


class ExplorerPage:
    """One Explorer of a notebook; `number` tells which, counted from 0."""

    def __init__(self, lab: Lab, number: int = 0) -> None:
        self.lab, self.page = lab, lab.page
        self.root: Locator = lab.page.locator(".optkit-explorer").nth(number)
        self.chooser = self.root.get_by_role("region", name="Choose", exact=True)
        self.results = self.root.get_by_role("region", name="Results", exact=True)
        self.listed = self.chooser.get_by_role("list", name="Variants to measure")
        self.controls = self.results.locator(".optkit-controls")
        self.run = self.controls.get_by_role("button", name="Run", exact=True)
        self.stop = self.controls.get_by_role("button", name="Stop", exact=True)
        self.skip = self.controls.get_by_role("button", name="Skip", exact=True)
        self.add = self.chooser.get_by_role("button", name="Add", exact=True)
        self.answer = self.root.get_by_role("status").first
        self.table = self.root.get_by_role("region", name="Table", exact=True)
        self.plot = self.root.locator(PLOT)
        expect(self.root).to_be_visible()

    def tab(self, name: str) -> Locator:
        return self.results.get_by_role("tab", name=name, exact=True)

    def panel(self, name: str) -> Locator:
        return self.results.get_by_role("tabpanel", name=name, exact=True)

    def open_tab(self, name: str) -> Locator:
        """Open a tab; return its panel."""
        self.tab(name).click()
        expect(self.panel(name)).to_be_visible()
        expect(self.panel(name)).to_have_text(re.compile(r"\w"))  # which can be on its way from the kernel
        return self.panel(name)

    def names(self) -> list[str]:
        """Return the variants in the list."""
        return self.listed.get_by_role("listitem").locator("code").all_inner_texts()

    def order(self) -> list[str]:
        """Return the variants in the order of the table's rows."""
        return self.table.locator("td.who > .optkit-name > code").all_inner_texts()

    def points(self) -> int:
        return int(self.plot.get_attribute("data-points") or 0)

    def wait_for_points(self, more_than: int = 0) -> int:
        """Wait until the plot was given more points than so many; return how many."""
        handle = self.plot.element_handle(timeout=STUDY_MS)
        self.page.wait_for_function(
            "([plot, n]) => Number(plot.dataset.points) > n", arg=[handle, more_than], timeout=STUDY_MS
        )
        return self.points()

    def expect_begun(self) -> None:
        """Expect that a study has begun with a variant."""
        expect(self.controls).to_contain_text("·", timeout=STUDY_MS)
        expect(self.stop).to_be_enabled()

    def expect_stopped(self) -> None:
        expect(self.controls).to_contain_text("Ended: it was stopped.", timeout=STUDY_MS)
        expect(self.run).to_be_enabled()
        expect(self.stop).to_be_disabled()

    def expect_round(self) -> None:
        """Expect that the line of progress tells a round, the time that passed, and about what is left."""
        expect(self.controls).to_contain_text(re.compile(r"Round \d+ of at most \d+"), timeout=STUDY_MS)
        expect(self.controls).to_contain_text(re.compile(r"\d:\d\d, (about \d+:\d\d left|longer than)"))
