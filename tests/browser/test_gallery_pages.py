"""The gallery in Chromium without JavaScript: tables and pictures are seen, light and dark."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import expect, sync_playwright

from browser.jupyter import CHROMIUM_ARGUMENTS
from optkit.comparison import Comparison
from optkit.tutorials import finding, gallery
from optkit.tutorials.executed import Outcome, Result
from stories import bring_up, ended, finished, rounds, started

pytestmark = pytest.mark.browser


@pytest.fixture
def pages(tmp_path):
    """Return the index of a gallery with one notebook, whose cells end with a comparison and a figure."""
    comparison = Comparison([
        started("compile"), *bring_up("eager", twin=True), *bring_up("compile", graphs=1),
        *rounds(20, eager=2.0, compile=1.0), *finished("eager", "compile"), ended(),
    ])  # fmt: skip
    shown = [comparison._repr_mimebundle_(), comparison.figure("speedup")._repr_mimebundle_()]
    cells = [
        new_code_cell(
            "shown", execution_count=number, outputs=[new_output("execute_result", one, execution_count=number)]
        )
        for number, one in enumerate(shown, 1)
    ]
    path = tmp_path / "00_question.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A question\n\nWords."), *cells]), path)
    result = Result(finding.read(path), Outcome("passed", seconds=1.0, peak_bytes=10**8, cpu_s=1.0), path)
    (tmp_path / "gallery").mkdir()
    gallery.check(tmp_path / "gallery")
    return gallery.write([result], tmp_path / "gallery")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tables_and_pictures_are_seen_without_javascript(chromium, pages, scheme):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(java_script_enabled=False, color_scheme=scheme)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(pages.as_uri())
        page.get_by_role("link", name="A question").click()
        expect(page.get_by_role("cell", name="faster")).to_be_visible()
        pictures = [box for one in page.locator("svg, .output_svg img").all() if (box := one.bounding_box())]
        assert len(pictures) == 3  # speed-ups and start-up of the comparison, and the figure
        assert all(box["width"] > 200 and box["height"] > 50 for box in pictures)
        expect(page.get_by_role("img", name="Speed-up")).to_be_visible()
        assert all(url.startswith(("file:", "data:")) for url in asked)
        browser.close()
