"""Why: a button, and what it finds."""

from __future__ import annotations

import pytest

from optkit.diagnosis import Diagnosis
from optkit.errors import UsageError
from optkit.variant import Variant
from optkit.widgets import explore, why
from optkit.widgets.why import Why
from optkit.workload import Workload

CHOICE = Workload("tiny_cnn"), Variant.parse("compile")
EVIDENCE = dict.fromkeys(
    ("calls", "compiles", "graphs", "graph_breaks", "breaks_counted", "breaks_explained", "functions_resumed",
     "recompiles", "skipped_functions", "cudagraph_skips"), 1,
)  # fmt: skip


@pytest.fixture
def looked(monkeypatch):
    """Have nothing run: note what is looked at, and answer with nothing found, or an error."""
    asked = []

    def diagnose(workload, *, variant):
        asked.append((workload.name, str(variant)))
        if workload.name == "tiny_transformer":
            raise UsageError("It <does> not run.")
        return Diagnosis(workload.name, str(variant), [], EVIDENCE)

    monkeypatch.setattr(why.diagnosis, "diagnose", diagnose)
    return asked


def test_a_press_shows_what_was_found(looked):
    panel = Why(lambda: CHOICE)
    panel._button.click()
    panel.wait()
    assert looked == [("tiny_cnn", "compile")]
    assert "Nothing found in compile of tiny_cnn" in panel._page.html
    assert panel.diagnosis.is_clean
    assert not panel.disabled
    panel.clear()
    assert (panel.diagnosis, panel._page.html) == (None, "")


def test_an_error_is_shown_as_text_and_the_button_is_ready_again(looked):
    panel = Why(lambda: (Workload("tiny_transformer"), CHOICE[1]))
    panel.look()
    panel.wait()
    assert "It &lt;does&gt; not run." in panel._page.html
    assert not panel.disabled
    assert looked


def test_the_explorer_asks_about_the_first_variant_of_torch_compile_that_is_listed(looked):
    explorer = explore("tiny_cnn", variants=["onnxruntime", "compile:mode=max-autotune", "compile"])
    explorer.why.look()
    explorer.why.wait()
    assert looked == [("tiny_cnn", "compile:mode=max-autotune")]
