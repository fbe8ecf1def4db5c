"""Questions: a tab for each, one answered at a time, and what is said meanwhile."""

from __future__ import annotations

import threading

import pytest

from optkit import diagnosis, replay, replay_items
from optkit.diagnosis import Diagnosis
from optkit.errors import UsageError
from optkit.replay import Replay
from optkit.variant import Variant
from optkit.widgets import explore
from optkit.widgets.questions import Questions
from optkit.worker.endings import StoppedError
from optkit.workload import Workload

EVIDENCE = dict.fromkeys(
    ("calls", "compiles", "graphs", "graph_breaks", "breaks_counted", "breaks_explained", "functions_resumed",
     "recompiles", "skipped_functions", "cudagraph_skips"), 1,
)  # fmt: skip
WAIT_S = 20


def panel(model="tiny_cnn"):
    compiled = Variant.parse("compile")
    return Questions(lambda: Workload(model), lambda: compiled, lambda: (compiled,))


@pytest.fixture
def looked(monkeypatch):
    """Have nothing run: note what is looked at, and answer with nothing found, or an error."""
    asked = []

    def look(looking, variant):
        looking.tell("looking <hard>")
        asked.append((looking.workload.name, str(variant)))
        if looking.workload.name == "tiny_transformer":
            raise UsageError("It <does> not run.")
        return Diagnosis(looking.workload.name, str(variant), [], EVIDENCE)

    monkeypatch.setattr(diagnosis, "look", look)
    return asked


def press(question, name):
    """Click a button, as the browser tells it."""
    question._receive(question, {"op": name}, [])


def run_is_disabled(explorer) -> bool:
    return next(button["disabled"] for button in explorer._buttons if button["name"] == "run")


def test_a_press_shows_the_answer(looked):
    why = panel().why
    press(why, "ask")
    assert why.wait().is_clean
    assert looked == [("tiny_cnn", "compile")]
    assert "Nothing found in compile of tiny_cnn" in why._answer
    assert "tiny_cnn: answered in" in why._status
    assert not why.disabled
    why.clear()
    assert (why.answer, why._answer) == (None, "")


def test_an_error_is_shown_as_text_and_the_button_is_ready_again(looked):
    why = panel("tiny_transformer").why
    why.look()
    assert why.wait() is None
    assert "It &lt;does&gt; not run." in why._status
    assert not why.disabled
    assert looked


def test_a_workload_that_makes_no_sense_is_said_at_once():
    why = panel("no_such_model").why
    why.look()
    assert why.wait() is None
    assert "no_such_model" in why._status
    assert not why.busy


def test_while_one_is_answered_no_other_can_be_asked_and_stop_ends_it(monkeypatch):
    begun = threading.Event()

    def look(looking, _variant):
        looking.tell("looking <hard>")
        begun.set()
        while not looking.is_stopping:
            threading.Event().wait(0.01)
        raise StoppedError

    monkeypatch.setattr(diagnosis, "look", look)
    all_of = panel()
    all_of.why.look()
    assert begun.wait(WAIT_S)
    assert all_of.busy
    assert all_of.disabled
    assert "looking &lt;hard&gt;" in all_of.why._status
    press(all_of.why, "stop")
    all_of.why.wait()
    assert "Stopped before there was an answer." in all_of.why._status
    assert not any((all_of.busy, all_of.disabled))


def test_the_explorer_asks_about_the_first_variant_of_torch_compile_that_is_listed(looked):
    explorer = explore("tiny_cnn", variants=["onnxruntime", "compile:mode=max-autotune", "compile"])
    explorer.questions.why.look()
    explorer.questions.why.wait()
    assert looked == [("tiny_cnn", "compile:mode=max-autotune")]


def test_the_explorer_runs_no_study_while_a_question_is_answered(monkeypatch):
    explorer = explore("tiny_cnn")
    seen = []

    def look(looking, variant):
        seen.append(run_is_disabled(explorer))
        return Diagnosis(looking.workload.name, str(variant), [], EVIDENCE)

    monkeypatch.setattr(diagnosis, "look", look)
    explorer.questions.why.look()
    explorer.questions.why.wait()
    assert seen == [True]
    assert not run_is_disabled(explorer)


def test_sizes_are_batch_sizes_or_shapes(monkeypatch):
    asked = []

    def call_each(looking, items):
        asked.append(items)
        return Replay(looking.workload.name, looking.device, [])

    monkeypatch.setattr(replay, "call_each", call_each)
    shapes = panel().shapes
    shapes.value = " 4, 8X3x32x32,"
    shapes.look()
    shapes.wait()
    assert asked == [replay_items.read([4, (8, 3, 32, 32)])]
    shapes.value = "4 by 3"
    shapes.look()
    shapes.wait()
    assert "are no sizes; give batch sizes" in shapes._status
