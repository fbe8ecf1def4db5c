"""The parts of the Explorer alone, as in the README."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser import kept
from browser.explorer_page import PLOT
from browser.kept import FAST

pytestmark = [pytest.mark.browser, pytest.mark.worker]


def test_the_fields_of_a_picker_follow_the_engine_and_the_keyboard_keeps_its_place(open_notebook):
    lab = open_notebook("from optkit import VariantPicker\n\npicker = VariantPicker()\npicker")
    page = lab.page
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
    assert lab.cell_errors() == []


@pytest.mark.slow
def test_a_plot_and_a_view_that_are_given_a_studys_events_grow_while_it_runs(open_notebook):
    lab = open_notebook(
        "import optkit\nfrom optkit import ComparisonView, LatencyPlot, VariantPicker\n\n"
        'picker = VariantPicker("eager+threads=1")',
        "plot, view = LatencyPlot(), ComparisonView()\ndisplay(plot, view)\n"
        'study = optkit.Study("tiny_cnn", [picker.variant], budget_s=300)\n'
        "for event in study:\n    plot.apply(event)\n    plot.flush()\n    view.apply(event)",
        "study = None",
    )
    page = lab.page
    plot, view = page.locator(PLOT), page.locator(".optkit-explorer")
    page.wait_for_function(f"() => Number(document.querySelector('{PLOT}')?.dataset.points) > 10")
    before = int(plot.get_attribute("data-points"))
    page.wait_for_function(f"n => Number(document.querySelector('{PLOT}').dataset.points) > n", arg=before)
    expect(view.get_by_role("status").first).to_contain_text(re.compile(r"yet|faster"))
    expect(view.get_by_role("region", name="Table", exact=True)).to_contain_text("eager+threads=1")
    lab.interrupt()
    expect(view.get_by_role("button", name="HTML report")).to_be_visible()
    for tab in ("Cost", "Code", "Compare"):
        view.get_by_role("tab", name=tab, exact=True).click()
        expect(view.get_by_role("tabpanel", name=tab, exact=True)).to_be_visible()


def test_a_comparison_that_is_kept_is_shown_alone_with_the_answer_for_so_many_calls(open_notebook):
    run_id = kept.keep(kept.story())
    lab = open_notebook(
        "import optkit\nfrom optkit import ComparisonView\n\n"
        f"view = ComparisonView(optkit.load({run_id!r}), calls=1000)\nview",
        "view.calls = 2",
    )
    view = lab.page.locator(".optkit-explorer")
    answer = view.get_by_role("status").first
    expect(answer).to_contain_text(re.compile(r"\b2 calls"))
    lab.execute("view.calls = 1000")
    expect(answer).to_contain_text(f"A process that makes 1,000 calls is done first with {FAST}")
    expect(view.get_by_role("columnheader", name="1,000 calls")).to_be_visible()
    view.get_by_role("tab", name="Code", exact=True).click()
    expect(view.get_by_role("tabpanel", name="Code", exact=True)).to_contain_text("torch.compile(model")
    expect(view.get_by_role("region", name="Choose")).to_have_count(0)
    with lab.page.expect_download() as download:
        view.get_by_role("button", name="JSON", exact=True).click()
    assert download.value.suggested_filename == f"{run_id}.json"
    assert lab.cell_errors() == []
