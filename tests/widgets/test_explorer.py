"""The Explorer without a browser: its parts, and studies that are told rather than run."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import signal
import threading
import time

import pytest

from optkit.comparison import Comparison
from optkit.errors import UsageError, VariantError, WorkloadError
from optkit.estimate import Estimate
from optkit.events import PhaseBegan, StudyEnded
from optkit.store import Store
from optkit.study import Plan, Study, alone
from optkit.variant import Variant
from optkit.widgets import explore
from optkit.widgets import explorer as module
from optkit.workload import Workload
from stories import bring_up, ended, failed, finished, rounds, started


class Told:
    """A study that tells a story; `stop` ends it, as a real one does."""

    workload, variants = Workload("tiny_cnn"), ()

    def __init__(self, events, *, hold=False):
        self.events, self.hold = events, hold
        self.stopped = threading.Event()
        self.skipped = None

    def __iter__(self):
        yield from self.events
        if self.hold:
            assert self.stopped.wait(60)
            yield StudyEnded(at_s=9.0, because="stopped")

    def stop(self):
        self.stopped.set()

    def estimate(self):
        return Estimate(60, 120)

    def left_s(self, comparison, elapsed_s):
        return 30.0

    def skip(self, variant):
        self.skipped = variant


STORY = [started("compile"), *bring_up("eager"), *bring_up("compile", graphs=1), *rounds(20, eager=10, compile=5)]
WHOLE = [*STORY, *finished("eager", "compile"), ended()]


@pytest.fixture
def tell(monkeypatch):
    """Return a function that makes the Explorer run a story; it returns what the study was asked to be."""
    asked = []

    def choose(events, **options):
        def study(workload, variants, plan):
            asked.append((workload, variants, plan))
            return Told(events, **options)

        monkeypatch.setattr(module, "Study", study)
        return asked

    return choose


def press(explorer, name):
    """Click a button, as the browser tells it."""
    explorer._receive(explorer, {"op": "press", "name": name}, [])


def disabled(explorer, name) -> bool:
    (found,) = [button for button in explorer._buttons if button["name"] == name]
    return found["disabled"]


def test_a_whole_study_ends_with_the_answer_the_table_and_the_code(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    comparison = explorer.wait()
    assert comparison is explorer.comparison
    assert str(comparison.best()) == "compile"
    assert "compile is 2.00× faster than eager" in explorer._answer
    assert explorer.code == comparison.code()
    assert explorer.code in explorer._answer.replace("&#x27;", "'")
    assert not disabled(explorer, "run")
    assert disabled(explorer, "stop")


def test_what_is_chosen_is_what_is_run(tell):
    asked = tell(WHOLE)
    explorer = explore(variants=["compile:backend=eager"], budget_s=33, seed=7)
    explorer.form.choose("model", "tiny_transformer")
    explorer.form.choose("batch_size", 4)
    explorer.variants.add(explorer.picker.variant)
    explorer.run()
    explorer.wait()
    workload, variants, plan = asked[-1]
    assert (workload.name, workload.batch_size) == ("tiny_transformer", 4)
    assert [str(variant) for variant in variants] == ["compile:backend=eager", "compile"]
    assert (plan.budget_s, plan.seed) == (33, 7)
    assert explorer.settings == {
        "model": "tiny_transformer", "batch_size": 4, "variants": ["compile:backend=eager", "compile"], "seed": 7,
        "budget_s": 33,
    }  # fmt: skip


def test_stop_ends_the_study_and_keeps_what_was_measured(tell):
    tell(STORY, hold=True)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    with pytest.raises(UsageError, match="A study is running"):
        explorer.run()
    assert explorer.running
    explorer.stop()
    comparison = explorer.wait()
    assert comparison.ended_because == "stopped"
    assert comparison.measurements["compile"].rounds == 20
    assert "Ended: it was stopped." in explorer._progress
    explorer.stop()  # nothing runs: nothing happens


def test_wait_returns_at_once_when_nothing_runs():
    assert explore().wait().measurements == {}


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_of_wait_ends_the_study_and_leaves_the_explorer_ready(tell):
    tell(STORY, hold=True)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    timer.start()
    comparison = explorer.wait()
    timer.join()
    assert comparison.ended_because == "stopped"
    assert not explorer.running
    assert not disabled(explorer, "run")
    assert disabled(explorer, "stop")
    tell(WHOLE)
    explorer.run()
    assert explorer.wait().ended_because == "rounds"


def test_it_can_be_awaited(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")

    async def run():
        explorer.run()
        return await explorer

    assert asyncio.run(run()).ended_because == "rounds"


def test_a_model_that_does_not_run_is_said_in_the_page_and_raised_by_wait(tell):
    tell([started("compile"), *bring_up("eager")[:2], failed("eager"), ended("baseline_failed")])
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    with pytest.raises(WorkloadError, match="does not run with these inputs"):
        explorer.wait()
    assert "does not run with these inputs. It broke." in explorer._answer


def test_a_study_without_a_call_leaves_no_plot_that_waits(tell):
    tell([started("compile"), failed("eager", "build"), ended("baseline_failed")])
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    with pytest.raises(WorkloadError):
        explorer.wait()
    assert explorer.plot.over


def test_a_workload_is_measured_as_it_is(tell):
    asked = tell(WHOLE)
    workload = Workload("resnet18", batch_size=2, shape=(3, 32, 32), device="cpu")
    explorer = explore(workload, variants="compile")
    explorer.run()
    explorer.wait()
    assert asked[0][0] is workload
    assert [field["name"] for field in explorer.form._fields if not field.get("rare")] == ["budget_s", "calls"]
    assert explorer.settings == {"variants": ["compile"], "budget_s": 120.0}


@pytest.mark.parametrize("more", [{"batch_size": 2}, {"device": "cpu"}, {"inputs": [1]}, {"shape": (3, 8, 8)}])
def test_a_workload_takes_no_second_inputs_or_device(more):
    with pytest.raises(UsageError, match="A Workload has its inputs"):
        explore(Workload("resnet18"), **more)


def test_inputs_need_a_model():
    with pytest.raises(UsageError, match="inputs without a model"):
        explore(inputs=[1])


def test_settings_choose_the_same_again():
    given = {
        "model": "resnet18", "batch_size": 2, "shape": [3, 64, 64], "device": "cpu", "variants": ["compile"],
        "rounds": [5, 6], "target": 0.1, "budget_s": 30,
    }  # fmt: skip
    settings = explore(**given).settings
    assert settings == given
    assert explore(**settings).settings == given


def test_an_empty_list_measures_the_baseline_alone(tell):
    asked = tell([started(), *bring_up("eager"), *rounds(20, eager=10), *finished("eager"), ended()])
    explorer = explore("tiny_cnn", variants=[])
    assert explorer.settings["variants"] == []
    explorer.run()
    explorer.wait()
    assert asked[0][1] == ["eager"]


def marks_of(explorer, text):
    (listed,) = [item["mark"] for item in explorer.variants._items if item["text"] == text]
    return listed


def test_list_plot_and_table_agree_on_marks_also_after_the_list_was_edited(tell):
    story = [started("compile:backend=eager", "compile"), *bring_up("compile", graphs=1), ended()]
    tell(story)
    explorer = explore("tiny_cnn", variants=["compile:backend=eager", "compile"])
    before = marks_of(explorer, "compile")
    explorer.variants.remove("compile:backend=eager")
    explorer.run()
    explorer.wait()
    explorer.variants.add(Variant.parse("eager+no_grad"))
    assert marks_of(explorer, "compile") == before
    assert f"{before}<code>compile</code>" in explorer._table
    assert module.Marks().assign("x", ["eager"], "eager")[0].shape == "square"
    assert explorer.plot._series["compile"].color in before
    assert marks_of(explorer, "eager+no_grad") not in explorer._table


def test_adding_the_baseline_says_that_it_is_measured_anyway():
    explorer = explore("tiny_cnn", variants=["compile"])
    explorer.picker.variant = "eager"
    press(explorer, "add")
    assert "eager is always measured, as the baseline." in explorer._notice
    explorer.picker.variant = "compile:backend=aot_eager"
    press(explorer, "add")
    assert explorer._notice == ""
    press(explorer, "no such")
    explorer.variants.remove("compile:backend=aot_eager")
    assert explorer.settings["variants"] == ["compile"]


def test_code_is_named_after_its_variant_where_nothing_beats_the_baseline(tell):
    tell([
        started("compile"), *bring_up("eager"), *bring_up("compile", graphs=1), *rounds(20, eager=10, compile=10),
        *finished("eager", "compile"), ended(),
    ])  # fmt: skip
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    explorer.wait()
    assert explorer._page_code.startswith('<details class="optkit-code" data-key="code eager" open>')


def test_controls_are_greyed_out_while_a_study_runs(tell):
    tell(STORY, hold=True)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    assert explorer.picker.disabled
    assert explorer.variants.disabled
    assert explorer.form.disabled
    explorer.stop()
    explorer.wait()
    assert not explorer.picker.disabled


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"model": "resnet81"}, WorkloadError),
        ({"variants": "fast"}, VariantError),
        ({"budget_s": 0}, UsageError),
        ({"plan": Plan(), "budget_s": 5}, TypeError),
        ({"colour": "red"}, TypeError),
    ],
)
def test_wrong_use_is_refused_when_the_explorer_is_made(arguments, error):
    with pytest.raises(error):
        explore(**arguments)


def test_a_disabled_form_takes_nothing_and_shows_what_it_has(monkeypatch):
    form = explore("tiny_cnn", budget_s=30).form
    form.disabled = True
    sent = []
    monkeypatch.setattr(form, "send", sent.append)
    form._receive(form, {"op": "set", "name": "budget_s", "value": 60}, [])
    assert (form.plan.budget_s, sent) == (30, [{"op": "redraw"}])


def test_a_form_refuses_what_makes_no_sense_and_keeps_what_it_had():
    form = explore("tiny_cnn", budget_s=30).form
    for name, value in (("budget_s", -5), ("batch_size", 0), ("batch_size", 1.5), ("model", "<b>"), ("colour", "red")):
        form._receive(form, {"op": "set", "name": name, "value": value}, [])
    assert (form.model, form.batch_size, form.plan.budget_s) == ("tiny_cnn", 1, 30)


def test_skip_ends_the_variant_that_is_brought_up_and_is_greyed_out_otherwise(tell):
    bringing = [started("compile"), *bring_up("eager"), PhaseBegan(at_s=2.0, variant="compile", phase="first_call")]
    tell(bringing, hold=True)
    explorer = explore("tiny_cnn", variants="compile")
    assert disabled(explorer, "skip")
    explorer.run()
    wait_for(lambda: not disabled(explorer, "skip"))
    press(explorer, "skip")
    assert explorer._runner.study.skipped == "compile"
    assert disabled(explorer, "skip")
    explorer.stop()
    explorer.wait()
    assert disabled(explorer, "skip")


def test_charts_costs_and_code_are_drawn_when_it_is_over_whatever_tab_is_open(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    assert "<svg" not in explorer._page_compare + explorer._page_cost
    explorer.run()
    explorer.wait()
    assert explorer._page_compare.count('role="img"') == 2
    assert explorer._page_cost.count('role="img"') == 4
    assert "torch.compile(model)" in explorer._page_code


def test_before_run_it_says_how_long_it_will_take(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    assert "Ready: it will take about 60 s to 2 min." in explorer._progress


def test_calls_per_process_change_the_answer_the_ranking_and_the_code(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    explorer.wait()
    assert "compile is 2.00× faster" in explorer._answer
    explorer.form.choose("calls", 2)
    assert "It cannot be told whether a process that makes 2 calls gains." in explorer._answer
    assert explorer._table.index("<code>eager</code>") < explorer._table.index("<code>compile</code>")
    assert "2 calls</button>" in explorer._table
    assert explorer.code == explorer.comparison.code("eager")
    explorer.form.choose("calls", 1_000_000)
    assert "A process that makes 1,000,000 calls is done first with compile" in explorer._answer
    explorer.form.choose("calls", None)
    assert explorer.calls is None
    assert "calls</button>" not in explorer._table


def test_settings_are_json_and_choose_the_same_again_also_in_an_explorer_that_is_there():
    explorer = explore("tiny_cnn", variants=["compile"], budget_s=30, calls=1000, batch_sizes=(1, 8), warm=True)
    settings = json.loads(json.dumps(explorer.settings))
    assert settings == explorer.settings
    other = explore("resnet18")
    other.settings = settings
    assert other.settings == settings == explore(**settings).settings
    assert [item["text"] for item in other.variants._items] == ["eager", "compile"]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"model": "resnet81"}, "resnet81"),
        ({"variants": "modes"}, "name no model"),
        ({"model": "tiny_cnn", "budget_s": -1}, "budget_s"),
        ({"model": "resnet18", "calls": 0}, "calls must be"),
        ({"model": "resnet18", "variants": ["no-such"], "rounds": [7, 9], "device": "cpu"}, "no-such"),
    ],
)
def test_settings_that_make_no_sense_change_nothing(settings, error):
    explorer = explore("tiny_cnn", variants=["compile"], budget_s=30)
    before = explorer.settings
    with pytest.raises(UsageError, match=error):
        explorer.settings = settings
    assert explorer.settings == before


def test_each_kind_of_file_is_sent_to_the_view_that_asked(tell, monkeypatch):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    explorer.wait()
    sent = []
    monkeypatch.setattr(explorer, "send", lambda content, buffers: sent.append((content, buffers[0])))
    for kind in ("html", "csv", "json", "ipynb"):
        explorer._receive(explorer, {"op": "save", "name": kind, "view": "optkit-1"}, [])
    assert [content["name"] for content, _ in sent] == ["run.html", "run.csv", "run.json", "run.ipynb"]
    assert {content["view"] for content, _ in sent} == {"optkit-1"}
    assert json.loads(sent[2][1])["best"] == "compile"
    assert sent[0][1].startswith(b"<!DOCTYPE html>")
    assert "tiny_cnn" in json.dumps(json.loads(sent[3][1])["cells"])


def test_a_run_while_another_study_is_going_on_costs_nothing_that_is_shown(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    before = explorer.wait()
    answer, table = explorer._answer, explorer._table
    with alone():
        press(explorer, "run")
        assert "Another study is running in this process" in explorer._notice
    assert (explorer.comparison, explorer._answer, explorer._table) == (before, answer, table)
    assert not explorer.running


def test_while_a_question_is_answered_nothing_is_run_or_replaced():
    explorer = explore("tiny_cnn")
    explorer.questions.busy = True
    with pytest.raises(UsageError, match="A question is being answered"):
        explorer.run()
    with pytest.raises(UsageError, match="A question is being answered"):
        explorer.comparison = Comparison(WHOLE)


def test_nothing_of_the_last_study_is_seen_once_the_next_has_begun(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    explorer.wait()
    tell([], hold=True)
    explorer.run()
    shown = [explorer._answer, explorer._table, explorer._page_compare, explorer._page_cost, explorer._page_code]
    assert not any("2.00×" in one or "<svg" in one for one in shown)
    assert not explorer.plot._series
    explorer.stop()
    explorer.wait()


def test_another_comparison_takes_the_place_of_all_that_was_shown_before(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    explorer.wait()
    explorer.questions.why._answer = "<p>An answer about another model.</p>"
    explorer.comparison = Comparison([started("eager+no_grad"), *bring_up("eager"), ended()])
    assert (explorer.plot._series, explorer.questions.why._answer) == ({}, "")


def test_what_is_no_mistake_of_the_users_is_named_and_ends_the_study(tell):
    def broken():
        yield from STORY
        raise AssertionError

    tell(broken())
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    with pytest.raises(AssertionError):
        explorer.wait()
    assert "optkit failed with AssertionError" in explorer._answer
    assert explorer.comparison.ended_because == "stopped"


def test_a_notebook_is_made_of_what_was_measured_whatever_is_chosen_since(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants="compile", calls=100)
    explorer.run()
    explorer.wait()
    explorer.form.choose("model", "tiny_transformer")
    cells = json.loads(explorer._file("ipynb").content)["cells"]
    (parameters,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert "budget_s = 10.0" in "".join(parameters["source"])


def test_settings_of_a_model_of_ones_own_leave_out_what_belongs_to_it():
    workload = Workload("resnet18", batch_size=2, device="cpu")
    explorer = explore(workload, variants=["compile"], calls=9)
    assert set(explorer.settings) == {"variants", "budget_s", "calls"}
    explorer.settings = explorer.settings


def test_calls_can_be_set_in_code_and_outlive_other_choices():
    explorer = explore("tiny_cnn")
    explorer.calls = 1000
    explorer.form.choose("budget_s", 50)
    assert explorer.settings["calls"] == 1000
    with pytest.raises(UsageError, match="calls must be a number"):
        explorer.calls = 0


def test_weights_are_forgotten_with_the_model_that_they_are_of():
    explorer = explore("resnet18", weights="DEFAULT", variants=["compile"])
    assert explorer.settings["weights"] == "DEFAULT"
    explorer.form.choose("model", "tiny_cnn")
    assert "weights" not in explorer.settings
    explorer._tab = "code"
    assert "tiny_cnn" in explorer._page_code


def test_a_question_is_never_asked_about_another_model_than_is_shown(tell):
    explorer = explore("resnet18", variants=["compile"])
    explorer.show(kept_run())
    explorer.questions.why.look()
    assert "The run that is shown is of tiny_cnn, and this Explorer has resnet18" in explorer.questions.why._status
    assert explorer.questions.why.answer is None


def test_questions_are_about_a_variant_that_is_listed(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants=["compile"])
    explorer.run()
    explorer.wait()
    explorer.variants.set(["compile:backend=aot_eager"])
    assert str(explorer._compiled()) == "compile:backend=aot_eager"


def test_a_value_that_is_refused_is_said_until_another_is_taken():
    form = explore("tiny_cnn").form
    form._receive(form, {"op": "set", "name": "budget_s", "value": 0}, [])
    assert form._warnings == ["budget_s cannot be 0; it stays as it was."]
    form._receive(form, {"op": "set", "name": "budget_s", "value": 9}, [])
    assert form._warnings == []


def test_a_past_run_says_that_it_is_one_until_the_next_study(tell):
    tell(WHOLE)
    explorer = explore("tiny_cnn", variants=["compile"])
    explorer.show(kept_run())
    assert "past run of 20" in explorer._head
    explorer.run()
    explorer.wait()
    assert "past run" not in explorer._head


def test_after_stop_it_says_that_it_is_stopping(tell):
    tell(STORY, hold=True)
    explorer = explore("tiny_cnn", variants="compile")
    explorer.run()
    wait_for(lambda: explorer.comparison.measurements)
    explorer._runner.is_stopping = True
    explorer._draw_controls()
    assert "Stopping …" in explorer._progress
    explorer.stop()
    explorer.wait()


def test_settings_with_weights_of_another_model_keep_them():
    explorer = explore("tiny_cnn", variants=["compile"])
    explorer.settings = {"model": "resnet18", "weights": "DEFAULT", "variants": ["compile:backend=aot_eager"]}
    assert explorer.settings["weights"] == "DEFAULT"


def kept_run():
    """Return the id of a run of tiny_cnn that is in the history."""
    study = Study("tiny_cnn", ["compile"], budget_s=7)
    record = study.workload.describe(study.environment)
    events = [started("compile", workload=record), *WHOLE[1:]]
    run_id = f"20260101-000000-{secrets.token_hex(4)}"
    events[0] = dataclasses.replace(events[0], run_id=run_id)
    with Store() as store:
        store.append(run_id, 0, events, None)
    return run_id


def test_a_past_run_is_listed_shown_and_measured_again(tell):
    run_id = kept_run()
    asked = tell(WHOLE)
    explorer = explore("resnet18")
    explorer._tab = "past"
    assert run_id in explorer._page_past
    explorer._receive(explorer, {"op": "past", "name": "show", "run": run_id}, [])
    assert explorer.comparison.run_id == run_id
    assert "compile is 2.00× faster than eager" in explorer._answer
    assert sum(points.shape[1] for parts in explorer.plot._kept.values() for points in parts) > 50
    assert explorer._runner is None  # looking is not measuring
    explorer._receive(explorer, {"op": "past", "name": "rerun", "run": run_id}, [])
    explorer.wait()
    workload, variants, plan = asked[-1]
    assert (workload.name, [str(one) for one in variants], plan.budget_s) == ("tiny_cnn", ["compile"], 10.0)
    assert explorer.settings["model"] == "tiny_cnn"


def test_a_run_that_is_not_kept_is_said_in_the_page():
    explorer = explore("tiny_cnn")
    explorer._receive(explorer, {"op": "past", "name": "show", "run": "no such <run>"}, [])
    assert "no such &lt;run&gt;" in explorer._notice
    assert "Choose variants" in explorer._answer


def test_whatever_a_browser_sends_breaks_nothing():
    explorer = explore("tiny_cnn")
    before = explorer.settings
    for content in ({}, {"op": "press"}, {"op": "save", "name": "exe"}, {"op": "past", "name": "show"}, {"op": []}):
        explorer._receive(explorer, content, [])
    assert explorer.settings == before


def wait_for(condition):
    """Wait until another thread has done something; a minute at most."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")
