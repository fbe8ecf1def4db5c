"""Sweeps on this machine: what is asked, kept, told and resumed. Studies are made up; nothing is measured."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest

import optkit
from optkit.errors import UsageError
from optkit.store import Store
from optkit.sweeps import Sweep, SweepResult, leaderboard, node, result, sweep
from optkit.sweeps.leaderboard import COLUMNS, FRONT_COLUMNS
from optkit.sweeps.sweeping import collect
from optkit.workload import Workload
from stories import ended, failed
from stub_studies import Slow, events, noted, quick, refusing

VARIANTS = ["compile", "onnxruntime"]


def sizes(*batches):
    return [Workload("tiny_cnn", batch_size=size) for size in batches]


def run(workloads, variants=VARIANTS, *, make=noted, **given):
    return collect(Sweep(workloads, variants, make=make, **given))


def test_each_workload_is_measured_in_a_study_of_its_own_in_the_order_given(begun):
    frame = run(sizes(4, 1, 2)).to_frame()
    assert list(frame.columns) == list(result.COLUMNS)
    assert list(frame.columns[:2]) == ["machine", "workload"]
    assert list(dict.fromkeys(frame["workload"])) == [f"tiny_cnn, batch {size}" for size in (4, 1, 2)]
    assert list(frame["variant"]) == ["eager", "compile", "onnxruntime"] * 3
    assert set(frame["status"]) == {"ok"}
    assert frame["run_id"].nunique() == 3


def test_a_sweep_yields_every_event_of_every_study_as_it_happens(begun):
    told = list(Sweep(sizes(1, 2), VARIANTS, make=quick))
    assert {one.number for one in told if one.kind == "event"} == {0, 1}
    assert [type(one.event).__name__ for one in told if one.number == 0][::1000] == ["StudyStarted"]
    assert type(told[-1].event).__name__ == "StudyEnded"


def test_every_event_is_in_the_history_before_it_is_seen(begun):
    told = iter(Sweep(sizes(1), VARIANTS, make=quick))
    seen = [one for one in told if one.kind == "event"][:7]
    with Store() as store:
        assert store.events(seen[0].event.run_id)[:7] == [one.event for one in seen]


def test_a_sweep_that_is_run_again_measures_only_what_is_not_there(begun):
    first = run(sizes(1, 2))
    again = run(sizes(1, 2, 4))
    assert len(list(begun.iterdir())) == 3
    assert again.known == {0, 1}
    assert [one.run_id for one in again.comparisons[:2]] == [one.run_id for one in first.comparisons]
    assert list(again.to_frame()["status"]) == ["ok"] * 9


def test_it_measures_anew_what_is_asked_otherwise_or_again(begun):
    run(sizes(1))
    for given in ({"again": True}, {"budget_s": 7}, {"seed": 3}):
        assert not run(sizes(1), **given).known, given
    assert not run(sizes(1), ["compile"]).known
    assert run(sizes(1)).known == {0}


@pytest.mark.parametrize("machine", [
    {"cpu": "another"}, {"versions": {"torch": "2.9"}}, {"variables": {"OMP_NUM_THREADS": "1"}}, {"cxx_compiler": ""},
])  # fmt: skip
def test_a_study_of_another_machine_or_other_versions_is_not_taken_for_one_of_this(begun, machine):
    run(sizes(1), make=lambda *given: events(*given, machine=machine))
    assert not run(sizes(1)).known


def test_a_study_that_was_stopped_is_made_anew(begun):
    run(sizes(1), make=lambda *given: events(*given, because="stopped"))
    assert not run(sizes(1)).known


def test_a_study_that_cannot_be_made_is_told_with_its_reason_and_the_rest_goes_on(begun):
    found = run(sizes(1, 2, 4), make=refusing)
    assert found.refused == {1: "It needs a machine that is not here."}
    frame = found.to_frame()
    assert list(frame["status"]) == ["ok"] * 3 + ["failed"] * 3 + ["ok"] * 3
    assert set(frame["reason"].dropna()) == {"It needs a machine that is not here."}
    assert "tiny_cnn, batch 2: It needs a machine that is not here." in found.answer()


def test_leaving_a_sweep_early_ends_the_run_that_is_measured_and_keeps_what_is_known(begun):
    told = iter(Sweep(sizes(1, 2), VARIANTS, make=Slow))
    event = next(one for one in told if one.kind == "event")
    told.close()
    assert optkit.load(event.event.run_id).ended_because == "stopped"


def test_an_interrupt_ends_a_sweep_and_what_was_measured_is_returned(begun):
    def interrupted(workload, variants, plan):
        told = events(workload, variants, plan)
        yield from told if workload.batch_size == 1 else told[:4]
        if workload.batch_size != 1:
            raise KeyboardInterrupt

    found = run(sizes(1, 2, 4), make=interrupted)
    assert [found.state(number) for number in range(3)] == ["done", "stopped", "waiting"]
    assert found.answer().endswith("1 of 3 is not measured. 1 of 3 is stopped early.")
    assert run(sizes(1, 2, 4)).known == {0}


def test_a_sweep_can_be_stopped_from_elsewhere(begun):
    sweep = Sweep(sizes(1, 2), VARIANTS, make=Slow)
    for told in sweep:
        if told.kind == "event":
            sweep.stop()
    assert [sweep.result.state(number) for number in range(2)] == ["stopped", "waiting"]


def test_a_sweep_that_is_stopped_while_a_study_is_made_does_not_run_it(begun):
    def made(*given):
        sweep.stop()
        return noted(*given)

    sweep = Sweep(sizes(1, 2), VARIANTS, make=made)
    assert [one.kind for one in sweep] == ["waiting"]
    assert sweep.result.state(0) == "waiting"


@pytest.mark.parametrize("error", [UsageError("The node has no room."), RuntimeError("broken")])
def test_a_study_that_is_given_up_in_the_middle_is_failed_wherever_it_is_shown(begun, error):
    def given_up(*given):
        yield from events(*given)[:8]
        raise error

    found = run(sizes(1), make=given_up)
    assert found.state(0) == "refused"
    assert set(found.to_frame()["status"]) == {"failed"}
    assert found.to_frame()["reason"].str.contains(str(error)).all()
    assert found.leaders()[0]["state"] == "interrupted"
    assert not run(sizes(1)).known


def test_a_study_whose_baseline_failed_is_made_anew(begun):
    found = run(sizes(1, 2), make=without_eager)
    assert found.state(0) == "failed"
    assert "2 could not be measured, such as tiny_cnn, batch 1: There is no answer: It broke." in found.answer()
    assert "nothing could be measured" in found.answer()
    assert not run(sizes(1, 2)).known


def without_eager(*given):
    return [*events(*given)[:3], failed("eager"), ended("baseline_failed")]


def test_without_a_history_everything_is_measured_and_that_is_said(begun, monkeypatch):
    (begun.parent / "home").write_text("no begun")
    sweep = Sweep(sizes(1), VARIANTS, make=quick)
    assert collect(sweep).count("done") == 1
    assert sweep.not_kept


def test_names_say_what_tells_workloads_apart(begun):
    given = [Workload("tiny_cnn"), Workload("tiny_cnn", batch_size=8), Workload("tiny_cnn"), "tiny_transformer"]
    names = [item.name for item in Sweep(given, ["compile"]).items]
    assert names == ["tiny_cnn, batch 1 (1)", "tiny_cnn, batch 8", "tiny_cnn, batch 1 (2)", "tiny_transformer"]
    assert [item.name for item in Sweep(sizes(7), ["compile"]).items] == ["tiny_cnn, batch 7"]
    assert [item.name for item in Sweep({"mine": "tiny_cnn", "yours": "tiny_cnn"}, ["compile"]).items] == [
        "mine",
        "yours",
    ]


@pytest.mark.parametrize("workloads", [[], {}, 7, [7], [object()]])
def test_what_is_no_workload_is_refused_with_a_sentence(workloads):
    with pytest.raises(UsageError, match=r"workload"):
        Sweep(workloads, ["compile"])


def test_a_client_that_is_none_is_refused_before_anything_is_measured():
    with pytest.raises(UsageError, match=r"dask\.distributed\.Client, not str"):
        Sweep("tiny_cnn", ["compile"], "tcp://somewhere")


def test_an_unknown_variant_or_field_of_a_plan_is_refused():
    with pytest.raises(UsageError, match="compil"):
        Sweep("tiny_cnn", ["compil"])
    with pytest.raises(TypeError, match="budget"):
        sweep("tiny_cnn", ["compile"], budget=3)


def test_the_leaderboard_has_a_row_a_workload_with_its_best_variant(begun):
    frame = run(sizes(1, 2)).leaderboard()
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["best"]) == ["onnxruntime"] * 2
    assert frame["speedup"].round(1).tolist() == [4.0, 4.0]


def test_where_nothing_is_decided_no_variant_is_called_best_and_none_is_beaten(begun):
    found = run(sizes(1), make=lambda *given: events(*given, count=3))
    (row,) = found.leaders()
    assert (row["best"], row["verdict"], row["rivals"]) == ("eager", "inconclusive", ("compile", "onnxruntime"))
    assert "it cannot be told what is best" in found.answer()
    assert "nothing beats" not in found.answer()
    assert found.pareto()["on_front"].all()


def test_where_nothing_is_faster_eager_is_said_to_be_the_best(begun):
    found = run(sizes(1), make=lambda *given: events(*given, factor=0.5))
    (row,) = found.leaders()
    assert (row["best"], row["verdict"], row["rivals"]) == ("eager", "baseline", ())
    assert "nothing beats eager for 1" in found.answer()


def test_variants_that_are_equally_fast_are_named_beside_the_best(begun):
    found = run(sizes(1), ["compile", "onnxruntime", "torchscript"], make=lambda *given: events(*given, factor=1.0001))
    assert found.leaders()[0]["best"] == "eager"
    found = run(sizes(1), make=lambda w, v, p: twice(events(w, v, p)))
    (row,) = found.leaders()
    assert (row["verdict"], len(row["rivals"])) == ("faster", 1)
    assert "others may be as fast for 1" in found.answer()


def twice(told):
    """Return a study in which both variants are equally fast: what one was given, the other gets."""
    of = [e for e in told if getattr(e, "kind", None) == "round" and e.variant == "compile"]
    same = iter([dataclasses.replace(e, variant="onnxruntime") for e in of])
    return [next(same) if getattr(e, "kind", None) == "round" and e.variant == "onnxruntime" else e for e in told]


def test_where_only_eager_could_be_measured_nothing_is_said_of_the_others(begun):
    found = run(sizes(1), ["compile"], make=lambda *given: events(*given, broken=["compile"]))
    assert found.leaders()[0]["verdict"] is None
    assert "for 1 nothing but the baseline could be measured" in found.answer()


def test_a_variant_of_unknown_cost_is_not_beaten():
    assert leaderboard._less(None, 2.0, 1.1) is None
    assert leaderboard._less(None, None, 1.1) == 0
    assert [leaderboard._less(one, 2.0, 1.1) for one in (1.0, 1.9, 2.0, 2.1, 3.0)] == [1, 0, 0, 0, -1]


def test_what_each_variant_costs_says_which_are_worth_it(begun):
    frame = run(sizes(1)).pareto()
    assert list(frame.columns) == list(FRONT_COLUMNS)
    assert list(frame["variant"]) == ["eager", "compile", "onnxruntime"]
    assert list(frame["beaten_by"].dropna()) == ["onnxruntime"] * 2
    assert list(frame["on_front"]) == [False, False, True]


def test_a_result_can_be_had_by_name_and_by_place(begun):
    found = run(sizes(1, 2))
    assert found.comparison("tiny_cnn, batch 2") is found.comparisons[1] is found.comparison(-1)
    with pytest.raises(UsageError, match="tiny_cnn, batch 1"):
        found.comparison("resnet18")


def test_a_result_is_taken_away_as_json_csv_and_a_report(begun, tmp_path):
    found = run(sizes(1, 2), make=refusing)
    told = json.loads(found.to_json(tmp_path / "sweep.json"))
    assert [one["state"] for one in told["studies"]] == ["done", "refused"]
    assert [row["status"] for row in told["rows"]] == ["ok"] * 3 + ["failed"] * 3
    assert told["leaderboard"][0]["best"] == "onnxruntime"
    assert len(found.to_csv().splitlines()) == 7
    page = found.to_html(tmp_path / "sweep.html")
    assert (tmp_path / "sweep.html").read_text() == page
    for words in ("onnxruntime", "tiny_cnn, batch 1", "<svg", "It needs a machine that is not here."):
        assert words in page
    assert "<script" not in page


def test_names_of_others_are_escaped_wherever_a_sweep_is_shown(begun, tmp_path):
    found = run({"<img src=x onerror=alert(1)>": "tiny_cnn"})
    for shown in (found.to_html(), found._repr_mimebundle_()["text/html"], found.svg(), found.svg("pareto")):
        assert "<img" not in shown
        assert "&lt;img" in shown


def test_a_result_of_nothing_shows_itself_too():
    empty = SweepResult(Sweep("tiny_cnn", ["compile"]).items)
    assert "1 of 1 is not measured" in repr(empty)
    assert "<svg" in empty.svg("pareto")
    assert list(empty.to_frame()["status"]) == ["waiting", "waiting"]
    with pytest.raises(UsageError, match="leaders, pareto"):
        empty.svg("latency")


def test_what_a_killed_node_left_is_removed_and_what_is_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(node.tempfile, "tempdir", str(tmp_path))
    left, new = tmp_path / f"{node.PREFIX}dead", tmp_path / f"{node.PREFIX}just-made"
    for folder in (left, new):
        folder.mkdir()
        (folder / "workload").touch()
    with node._folder() as used:
        for folder in (left, used):
            os.utime(folder, (0, 0))
        with node._folder() as other:
            assert (left.exists(), new.exists(), used.exists(), other.exists()) == (False, True, True, True)
    assert list(tmp_path.iterdir()) == [new]


@pytest.mark.worker
def test_a_real_sweep_measures_and_compares(begun):
    found = sweep(sizes(1, 2), ["eager+no_grad"], budget_s=20, rounds=(1, 2))
    frame = found.to_frame()
    assert list(frame["variant"]) == ["eager", "eager+no_grad"] * 2
    assert set(frame["status"]) == {"ok"}
    assert frame["median_s"].gt(0).all()
    assert sweep(sizes(1, 2), ["eager+no_grad"], budget_s=20, rounds=(1, 2)).known == {0, 1}
    assert isinstance(found.comparisons[0].origin.workload, Workload)
