"""Texts that somebody could do harm with are shown as text on every tab, and make the page no wider."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser import kept
from browser.explorer_page import TABS, ExplorerPage
from browser.layout import obeyed, overflowing
from hostile import TEXTS
from stories import bring_up, checked, ended, evidence, failed, finished, rounds, skipped, started

if TYPE_CHECKING:
    from browser.jupyter import Lab

pytestmark = [pytest.mark.browser, pytest.mark.worker]

IMAGE = '<img src=x onerror="window.pwned=1">'
SCRIPT = "</script><script>window.pwned=1</script>"
SAID = [IMAGE, SCRIPT, *TEXTS.values()]
NAME = "".join((IMAGE, SCRIPT, r"$\frac{1}{2}$", "\x1b[31mred", "\u202etxt.exe", "x" * 2000))

OWN_MODEL = f"""
import torch
import optkit

def forward(self, x):
    raise RuntimeError(self.said)

Model = type({NAME!r}, (torch.nn.Module,), dict(said={IMAGE!r}, forward=forward))
exec(compile("def forward(self, x): raise RuntimeError(self.said)", {IMAGE!r}, "exec"))
Model.forward = forward
explorer = optkit.explore(Model(), torch.ones(1, 3), variants=["eager+no_grad"])
explorer
"""


def keep() -> str:
    """Return a run that has each text wherever there is one: names, messages, details, and what else a record tells."""
    fast, *others = SAID
    told = [
        started(*SAID, workload={"model": NAME, "code": NAME, "call": NAME, "inputs_code": NAME}),
        *bring_up("eager"),
        *bring_up(fast, graphs=1),
        *rounds(5, eager=2.0, **{fast: 1.0}),
        checked(fast, "close", why=IMAGE, where=SCRIPT),
        evidence(fast, graphs=2, break_places=[IMAGE, NAME]),
        *(failed(one, details=one) if place % 2 else skipped(one) for place, one in enumerate(others)),
        *finished("eager", fast),
        ended(),
    ]
    return kept.keep(told)


def unharmed(lab: Lab, explorer: ExplorerPage, place: str) -> None:
    assert lab.page.evaluate("() => window.pwned") is None, place
    assert obeyed(explorer.root) == [], place
    assert overflowing(explorer.root) == [], place
    root = explorer.root.bounding_box()
    assert root["width"] <= lab.page.locator(".jp-Notebook").first.bounding_box()["width"], place


def test_a_kept_run_full_of_hostile_texts_shows_them_as_text_on_every_tab(open_notebook):
    run_id = keep()
    lab = open_notebook(kept.shown(run_id))
    dialogs = []
    lab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    explorer = ExplorerPage(lab)
    for fold in explorer.table.get_by_text("Details", exact=True).all():
        fold.click()
    for tab in TABS:
        panel = explorer.open_tab(tab)
        for fold in panel.locator("summary:visible").all():
            fold.click()
        unharmed(lab, explorer, tab)
    expect(explorer.root.locator(".optkit-head")).to_contain_text(IMAGE)
    expect(explorer.answer).to_contain_text(IMAGE)
    expect(explorer.table.get_by_text(SCRIPT, exact=True).first).to_be_visible()
    expect(explorer.panel("Past runs")).to_contain_text(r"$\frac{1}{2}$")
    explorer.open_tab("Live")
    expect(explorer.plot.get_by_role("group", name="Series")).to_contain_text(IMAGE)
    unharmed(lab, explorer, "the end")
    assert dialogs == []
    assert lab.cell_errors() == []


@pytest.mark.slow
def test_a_class_and_a_file_with_hostile_names_are_shown_as_text_when_the_model_breaks(open_notebook):
    lab = open_notebook(OWN_MODEL)
    explorer = ExplorerPage(lab)
    expect(explorer.root.locator(".optkit-head")).to_contain_text(IMAGE)
    unharmed(lab, explorer, "before")
    explorer.run.click()
    expect(explorer.controls).to_contain_text("Ended: the baseline failed")
    expect(explorer.answer).to_contain_text("does not run with these inputs")
    expect(explorer.answer).to_contain_text(IMAGE)
    explorer.table.get_by_text("Details", exact=True).first.click()
    expect(explorer.table.locator("pre").first).to_contain_text(f'File "{IMAGE}", line 1')
    for tab in TABS:
        explorer.open_tab(tab)
        unharmed(lab, explorer, tab)
    assert lab.cell_errors() == []
