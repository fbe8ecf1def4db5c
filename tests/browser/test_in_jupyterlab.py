"""The Explorer in real JupyterLab, driven as a person would: by the labels of its controls."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from browser.jupyter import CHROMIUM_ARGUMENTS, Lab, jupyter_lab

pytestmark = [pytest.mark.browser, pytest.mark.worker]

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "00_explorer.ipynb"
PARAMETERS = 'model = "tiny_cnn"\nvariants = ["compile:backend=eager"]\nbudget_s = 300\nsmoke = False'
PLOT = ".optkit-latency-plot"


@pytest.fixture
def page(chromium):
    """A page of a real Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser.new_page(viewport={"width": 1380, "height": 1100})
        browser.close()


@pytest.fixture
def folder(tmp_path):
    """A folder with the committed notebook, its parameters set to something small."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source = PARAMETERS
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / NOTEBOOK.name)
    return tmp_path


def points(page) -> int:
    return page.evaluate(f"() => Number(document.querySelector('{PLOT}')?.dataset.points ?? 0)")


def test_a_person_picks_a_backend_runs_sees_points_stops_reloads_and_still_sees_them(page, folder):
    lab = Lab(page)
    with jupyter_lab(folder / "notebooks", folder / "home") as (address, token):
        lab.open(address, token, NOTEBOOK.name)
        lab.run_all()

        page.get_by_label("Backend", exact=True).select_option("aot_eager")
        expect(page.locator(".optkit-summary", has_text="compile:backend=aot_eager")).to_be_visible()
        assert page.get_by_label("Mode", exact=True).locator("option", has_text="max-autotune").first.is_disabled()
        assert page.get_by_label("Backend", exact=True).locator("option[value=cudagraphs]").is_disabled()
        page.get_by_role("button", name="Add", exact=True).click()
        listed = page.get_by_role("list", name="Variants to measure")
        expect(listed).to_contain_text("compile:backend=aot_eager")

        run = page.locator(".optkit-controls").get_by_role("button", name="Run")
        stop = page.locator(".optkit-controls").get_by_role("button", name="Stop")
        run.click()
        page.wait_for_function(f"() => Number(document.querySelector('{PLOT}').dataset.points) > 3")
        before = points(page)
        page.wait_for_function(f"n => Number(document.querySelector('{PLOT}').dataset.points) > n", arg=before)
        expect(page.get_by_text(re.compile(r"Round \d+ of at most"))).to_be_visible(timeout=120_000)
        stop.click()
        expect(page.get_by_text("Ended: it was stopped.")).to_be_visible()
        expect(run).to_be_enabled()
        seen = points(page)
        assert seen > before

        lab.save()
        page.reload(wait_until="domcontentloaded")
        lab.wait_idle()
        page.wait_for_function(f"n => Number(document.querySelector('{PLOT}')?.dataset.points) === n", arg=seen)
        expect(page.get_by_role("table").filter(has_text="compile:backend=aot_eager")).to_be_visible()
        expect(page.get_by_text("Ended: it was stopped.")).to_be_visible()
        assert lab.console_errors == []
        assert lab.cell_errors() == []


def test_wrong_use_is_said_in_the_page_and_run_works_again(page, folder):
    lab = Lab(page)
    with jupyter_lab(folder / "notebooks", folder / "home") as (address, token):
        lab.open(address, token, NOTEBOOK.name)
        lab.run_all()
        budget = page.get_by_label("Budget (s)")
        budget.fill("-5")
        budget.blur()
        expect(budget).to_have_value("300")  # refused: the old value is shown again
        listed = page.get_by_role("list", name="Variants to measure")
        listed.get_by_role("listitem").filter(has_text="compile:backend=eager").get_by_role("button").click()
        expect(listed).not_to_contain_text("compile:backend=eager")
        assert lab.console_errors == []


def picker_notebook(path) -> None:
    cell = nbformat.v4.new_code_cell("from optkit.widgets import VariantPicker\n\npicker = VariantPicker()\npicker")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), path)


def test_the_fields_follow_the_engine_and_the_keyboard_keeps_its_place(page, tmp_path):
    lab = Lab(page)
    (tmp_path / "notebooks").mkdir()
    picker_notebook(tmp_path / "notebooks" / "picker.ipynb")
    with jupyter_lab(tmp_path / "notebooks", tmp_path / "home") as (address, token):
        lab.open(address, token, "picker.ipynb")
        lab.run_all()

        engine, grad = page.get_by_label("Engine", exact=True), page.get_by_label("Grad context", exact=True)
        engine.focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_label("Method", exact=True)).to_be_visible()
        expect(page.get_by_label("Backend", exact=True)).to_have_count(0)
        expect(engine).to_be_focused()
        grad.focus()
        lab.execute("picker.variant = 'onnxruntime:opset=15'")
        expect(page.get_by_label("Opset", exact=True)).to_have_value("15")
        expect(grad).to_be_focused()
        order = page.locator(".optkit-field label").all_inner_texts()
        assert order[:5] == ["Engine", "Opset", "Dynamic", "Optimization", "Grad context"]
        assert page.locator(".optkit-form select").evaluate_all(
            "all => all.every(one => one.labels.length === 1 && one.labels[0].textContent)"
        )

        threads, more = page.get_by_label("Threads", exact=True), page.get_by_text("More", exact=True)
        expect(threads).to_be_hidden()
        more.focus()
        page.keyboard.press("Enter")
        expect(threads).to_be_visible()
        page.keyboard.press("Enter")
        expect(threads).to_be_hidden()
        lab.execute("picker.variant = 'eager+threads=1'")
        expect(threads).to_be_visible()
        expect(threads).to_have_value("1")
        assert page.locator(".optkit-group legend").all_inner_texts() == ["Modifiers"]
        assert lab.console_errors == []
        assert lab.cell_errors() == []
