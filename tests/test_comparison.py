"""Comparisons: the fold of a study's events, and the answer read from it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from optkit.answers import ENDINGS
from optkit.comparison import Comparison
from optkit.errors import VariantError
from optkit.events import Event, MachineRead
from optkit.rows import COLUMNS
from optkit.variant import Variant
from optkit.workload import Workload
from stories import WORKLOAD, bring_up, checked, ended, failed, finished, one_of_each, rounds, skipped, started, turn

NAMES = ("compile", "compile:freezing=true", "eager+no_grad")


def story(*events, count=20, graphs=1, **medians_ms):
    told = [started(*NAMES), *bring_up("eager"), *bring_up("eager", twin=True), *bring_up("compile", graphs=graphs)]
    medians = {"eager": 2.0, "compile": 1.0, "eager+no_grad": 2.0} | medians_ms
    return [*told, *rounds(count, **medians), skipped("compile:freezing=true"), *events]


@pytest.fixture
def whole():
    return Comparison(story(*finished("eager", "compile", "eager+no_grad"), ended()))


@pytest.mark.parametrize("told", [one_of_each(), story(ended()), story()], ids=["each", "ended", "running"])
def test_folding_event_by_event_is_folding_all_at_once(told):
    growing = Comparison()
    for event in told:
        growing.fold(event)
    assert growing.to_json() == Comparison(told).to_json()


def test_a_comparison_read_back_from_json_is_the_same(whole):
    records = [json.dumps(event.to_json()) for event in story(*finished("eager", "compile", "eager+no_grad"), ended())]
    assert Comparison(Event.from_json(json.loads(record)) for record in records).to_json() == whole.to_json()


@pytest.mark.parametrize("length", range(len(one_of_each()) + 1))
def test_a_study_cut_off_anywhere_can_be_shown(length):
    comparison = Comparison(one_of_each()[:length])
    json.loads(comparison.to_json())
    assert comparison.answer()
    assert repr(comparison).startswith("<Comparison of")


def test_the_rows_are_the_variants_in_the_order_of_the_study_and_the_twin_is_none_of_them(whole):
    assert [row["variant"] for row in whole.rows()] == ["eager", *NAMES]
    assert list(whole.measurements) == ["eager", *NAMES]


def test_the_twins_calls_are_not_the_baselines():
    told = [started("compile"), turn("eager", 1, 1.0), turn("eager", 1, 50.0, twin=True)]
    assert Comparison(told).baseline.samples_s == [0.001]


def test_a_twin_that_fails_leaves_the_baseline_as_it_is():
    comparison = Comparison(story(failed("eager", "rounds", twin=True), *finished("eager"), ended()))
    assert comparison.baseline.status == "ok"


def test_events_of_an_unknown_variant_are_left_out():
    comparison = Comparison([started("compile"), turn("onnxruntime", 1, 1.0)])
    assert list(comparison.measurements) == ["eager", "compile"]


def test_those_ranked_begin_with_the_lowest_median_and_end_without_one(whole):
    assert [str(m) for m in whole.ranked()] == ["compile", "eager", "eager+no_grad", "compile:freezing=true"]


def test_the_best_is_the_fastest_that_is_called_faster(whole):
    assert str(whole.best()) == "compile"
    assert "compile is 2.00× faster than eager" in whole.answer()
    assert "Its first call takes 500 ms" in whole.answer()


def test_the_best_is_the_baseline_where_nothing_beats_it():
    comparison = Comparison(story(ended(), compile=4.0))
    assert str(comparison.best()) == "eager"
    assert comparison.answer().startswith("Nothing beats eager: 2.00 ms a call.")


@pytest.mark.parametrize(
    "events",
    [story(ended(), graphs=0), story(failed("compile", "rounds"), ended())],
    ids=["not compiled", "failed"],
)
def test_the_best_is_never_one_that_failed_or_was_not_compiled(events):
    assert str(Comparison(events).best()) == "eager"


@pytest.mark.parametrize("agreement", ["different", "nan", "dtype", "nondeterministic", "failed"])
def test_the_best_is_never_one_with_other_outputs_and_the_answer_says_why(agreement):
    comparison = Comparison(story(checked("compile", agreement), ended()))
    assert str(comparison.best()) == "eager"
    assert "compile is 2.00× as fast, but its outputs are" in comparison.answer()


def test_the_best_within_an_error_is_one_that_is_known_to_lie_within_it():
    near = Comparison(story(checked("compile", "close", error=1e-3), ended()))
    assert str(near.best(max_error=1e-3)) == "compile"
    assert str(near.best(max_error=1e-4)) == "eager"
    assert str(Comparison(story(ended())).best(max_error=1.0)) == "eager"  # its outputs were not compared


def test_the_answer_says_how_the_outputs_compare():
    assert "Its outputs were not compared." in Comparison(story(ended())).answer()
    told = story(checked("compile", "close", error=2e-6), ended())
    assert "Its outputs are close to eager's (within 2e-06)." in Comparison(told).answer()
    assert "No fresh worker has confirmed it" in Comparison(told).answer()


def test_two_variants_can_be_compared_with_each_other():
    comparison = Comparison(story(ended(), **{"eager+no_grad": 1.0}))
    tied, faster = comparison.between("compile", "eager+no_grad"), comparison.between("compile", "eager")
    assert (tied.verdict, tied.speedup) == ("same", pytest.approx(1.0))
    assert (faster.verdict, faster.speedup) == ("faster", pytest.approx(2.0))
    assert comparison.between("compile", "compile:freezing=true") == (None, None, "inconclusive")


def test_what_is_as_fast_as_the_best_is_said():
    assert "eager+no_grad may be as fast." in Comparison(story(ended(), **{"eager+no_grad": 1.0})).answer()


def test_a_variable_that_switches_compiling_off_is_in_the_answer():
    told = story(ended())
    told[0].environment["disables_compile"] = ["TORCH_COMPILE_DISABLE"]
    comparison = Comparison(told)
    assert str(comparison.best()) == "eager"
    assert "TORCH_COMPILE_DISABLE is set, so torch.compile does nothing here." in comparison.answer()


def test_the_load_of_the_machine_is_in_the_document():
    reads = [MachineRead(at_s=at, load_1min=load, others_cpus=0.5, visible_cpus=2) for at, load in ((1, 0.1), (9, 2.0))]
    machine = json.loads(Comparison([started("compile"), *reads]).to_json())["environment"]
    assert (machine["load_1min_before"], machine["load_1min_after"], machine["others_cpus"]) == (0.1, 2.0, 0.5)


def test_each_doubt_is_in_the_document_with_its_remedy():
    document = json.loads(Comparison(story(checked("compile", "nan", why="It is NaN."), ended())).to_json())
    assert document["remedies"]["compile"] == {"OUTPUT_DIFFERS": "It is NaN."}
    assert document["rows"][1]["doubts"] == ["OUTPUT_DIFFERS"]


def test_what_is_undecided_is_said():
    comparison = Comparison(story(ended(), count=9, **{"eager+no_grad": 1.5}))
    assert "Inconclusive: compile and eager+no_grad may or may not beat eager" in comparison.answer()


def test_without_a_study_there_is_no_best():
    comparison = Comparison()
    with pytest.raises(ValueError, match="no study has begun"):
        comparison.best()
    assert comparison.answer() == "Nothing was measured yet."
    assert (comparison.run_id, comparison.noise, comparison.baseline, comparison.rows()) == (None, None, None, [])


def test_a_baseline_that_failed_is_the_answer():
    comparison = Comparison([started("compile"), failed("eager", "build"), ended("baseline_failed")])
    assert comparison.answer() == "There is no answer: It broke."
    assert comparison.best() is comparison.baseline


@pytest.mark.parametrize("because", ENDINGS)
def test_every_ending_has_words(because):
    comparison = Comparison([started("compile"), ended(because)])
    assert comparison.ended_because == because
    assert ENDINGS[because] in comparison.answer()


@pytest.mark.parametrize("told", [[], [started("compile")], one_of_each(), story(ended())])
def test_the_document_is_strict_json_with_the_keys_of_the_design(told, tmp_path):
    comparison = Comparison(told)

    def refuse(constant):
        raise AssertionError(constant)

    document = json.loads(comparison.to_json(tmp_path / "run.json"), parse_constant=refuse)
    assert {"schema", "run_id", "workload", "environment", "plan", "rows", "best", "ended_because"} <= set(document)
    assert document["schema"] == 1
    assert all(tuple(row) == COLUMNS for row in document["rows"])
    assert json.loads((tmp_path / "run.json").read_text()) == document


def test_the_document_says_what_was_found(whole):
    document = json.loads(whole.to_json())
    assert (document["run_id"], document["best"], document["ended_because"]) == ("run", "compile", "rounds")
    assert document["workload"] == WORKLOAD
    assert document["rows"][1]["doubts"] == []
    assert document["rows"][2]["median_s"] is None


def test_the_csv_is_the_table(tmp_path):
    comparison = Comparison(story(ended(), count=3, graphs=0))
    rows = list(csv.DictReader(io.StringIO(comparison.to_csv(tmp_path / "run.csv"))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["variant"] for row in rows] == ["eager", *NAMES]
    assert rows[1]["doubts"] == "NOT_COMPILED|TOO_FEW_CALLS"
    assert rows[2]["median_s"] == ""
    assert float(rows[1]["first_call_s"]) == 0.5
    assert (tmp_path / "run.csv").read_text() == comparison.to_csv()


def test_the_frame_is_the_table_with_missing_numbers(whole):
    frame = whole.to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert list(frame["variant"]) == ["eager", *NAMES]
    assert frame["median_s"].isna().tolist() == [False, False, True, False]
    assert frame["median_s"].dtype == float


def test_an_empty_comparison_has_an_empty_frame():
    assert tuple(Comparison().to_frame().columns) == COLUMNS


def test_the_code_runs_the_best_variant_on_a_model_of_ones_own(whole):
    assert whole.code().splitlines() == [
        "import torch",
        "model.eval()",
        "",
        "fast = torch.compile(model)",
        "with torch.inference_mode():",
        "    output = fast(*inputs)",
    ]


def test_a_custom_backend_has_no_code_and_says_so():
    name = "compile:backend=mine()"
    told = [started(name), *bring_up(name, graphs=1), *rounds(20, **{"eager": 2.0, name: 1.0}), ended()]
    comparison = Comparison(told)
    assert str(comparison.best()) == name
    assert "a Python callable of yours" in comparison.code()
    compile(comparison.code(), "code", "exec")


@pytest.mark.worker
@pytest.mark.parametrize("model", ["tiny_cnn", "tiny_transformer"])
def test_the_code_for_a_model_of_the_zoo_runs_as_it_stands(model, environment, run_python):
    workload = Workload(model, batch_size=3).describe(environment)
    name = "compile:backend=eager+no_grad"
    told = [started(name, workload=workload), *bring_up(name, graphs=1)]
    comparison = Comparison([*told, *rounds(20, **{"eager": 2.0, name: 1.0}), ended()])
    said = run_python(f"{comparison.code()}\nprint(len(output[0] if isinstance(output, tuple) else output))")
    assert said == "3\n"


@pytest.mark.worker
def test_the_code_for_a_model_of_ones_own_runs_where_model_and_inputs_are(run_python):
    name = "compile:backend=eager"
    told = [started(name), *bring_up(name, graphs=1), *rounds(20, **{"eager": 2.0, name: 1.0}), ended()]
    code = Comparison(told).code()
    before = "import torch\nmodel, inputs = torch.nn.Linear(3, 2).eval(), (torch.ones(5, 3),)\n"
    assert run_python(f"{before}{code}\nprint(tuple(output.shape))") == "(5, 2)\n"


def test_code_is_there_for_any_variant_and_a_slip_is_told():
    comparison = Comparison([started("compile"), *bring_up("eager"), *rounds(3, eager=2)])
    assert "torch.jit.trace" in comparison.code("torchscript")
    assert "torch.compile" in comparison.code(Variant.parse("compile"))
    with pytest.raises(VariantError, match="no engine or preset"):
        comparison.code("complie")
