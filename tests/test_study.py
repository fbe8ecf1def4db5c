"""Plans, and what a study refuses before anything runs."""

from __future__ import annotations

import dataclasses

import pytest

import optkit
from optkit import study as module
from optkit.comparison import Comparison
from optkit.errors import UsageError, VariantError, WorkloadError
from optkit.events import StudyEnded, VariantFailed
from optkit.study import Plan, Study, check_workload, collect, compare
from optkit.variant import Variant
from optkit.workload import Workload
from stories import bring_up, ended, started


@pytest.mark.parametrize("name", ["budget_s", "target", "compile_limit_s"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "60", None, True])
def test_a_plan_wants_numbers_above_zero(name, value):
    with pytest.raises(UsageError, match=f"{name} must be a number above 0, not "):
        Plan(**{name: value})


@pytest.mark.parametrize(
    "rounds", [(0, 3), (5, 3), (-1, -1), (2.5, 3), (1, 2, 3), (3,), 3, ("1", "2"), None, (True, 2)]
)
def test_rounds_must_be_two_whole_numbers_in_order(rounds):
    with pytest.raises(UsageError, match="rounds must be two whole numbers, the first at most the second, not "):
        Plan(rounds=rounds)


def test_rounds_may_come_as_a_list_from_json():
    assert Plan(rounds=[3, 5]) == Plan(rounds=(3, 5))


def test_a_plan_is_immutable_and_takes_keywords_only():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Plan().budget_s = 3
    with pytest.raises(TypeError):
        Plan(60)


def test_fields_of_a_plan_may_be_given_in_its_place():
    assert Study("tiny_cnn", "compile", budget_s=7, rounds=(3, 3)).plan == Plan(budget_s=7, rounds=(3, 3))


@pytest.mark.parametrize("make", [Study, optkit.compare])
def test_an_unknown_keyword_argument_is_a_type_error_that_lists_the_fields(make):
    with pytest.raises(TypeError, match="no argument 'budget'; a plan has batch_sizes, budget_s, cold, compile"):
        make("tiny_cnn", budget=3)


def test_a_plan_and_fields_of_one_together_are_a_type_error():
    with pytest.raises(TypeError, match="not both"):
        Study("tiny_cnn", plan=Plan(), budget_s=3)


@pytest.mark.parametrize("make", [Study, optkit.compare])
def test_what_makes_no_sense_is_told_before_anything_runs(make, monkeypatch):
    monkeypatch.setattr(module, "Run", None)  # starting one would fail
    with pytest.raises(WorkloadError, match="no model 'resnet5'"):
        make("resnet5")
    with pytest.raises(VariantError, match="no engine or preset 'fast'"):
        make("tiny_cnn", variants="fast")
    with pytest.raises(UsageError, match="budget_s"):
        make("tiny_cnn", budget_s=-1)


def test_an_accelerator_that_is_not_there_is_told_before_anything_runs(monkeypatch, environment):
    monkeypatch.setattr(module.environment, "detect", lambda: environment)
    with pytest.raises(WorkloadError, match="has no CUDA"):
        Study(Workload("tiny_cnn", device="cuda"))


def test_the_baseline_is_not_measured_once_more_as_a_variant():
    assert [str(v) for v in Study("tiny_cnn", ["eager", "compile", "eager+no_grad"]).variants] == [
        "compile",
        "eager+no_grad",
    ]


def story_of_a_baseline_that(phase, *, raised):
    failure = VariantFailed(
        at_s=1.0, variant="eager", phase=phase, reason="TypeError: it takes two inputs.", raised=raised
    )
    return [started("compile"), *bring_up("eager")[:3], failure, StudyEnded(at_s=2.0, because="baseline_failed")]


@pytest.mark.parametrize(
    ("phase", "said"),
    [("build", "Net cannot be built. TypeError"), ("first_call", "Net does not run with these inputs. TypeError")],
)
def test_a_model_that_raises_as_it_is_becomes_an_error_of_one_sentence(phase, said):
    with pytest.raises(WorkloadError, match=said):
        check_workload(Comparison(story_of_a_baseline_that(phase, raised=True)))


def test_a_baseline_that_was_killed_is_a_result_and_not_an_error():
    check_workload(Comparison(story_of_a_baseline_that("first_call", raised=False)))


class Telling:
    """A study that tells a story."""

    workload, variants, known = Workload("tiny_cnn"), [Variant.parse("compile")], ()

    def __init__(self, events):
        self.events = events

    def __iter__(self):
        return iter(self.events)


def test_collect_tells_each_event_with_the_comparison_that_knows_it_already():
    told = []
    study = Telling(story_of_a_baseline_that("build", raised=False))
    collect(study, lambda event, comparison: told.append((event, comparison)))
    assert [event for event, _ in told] == story_of_a_baseline_that("build", raised=False)
    assert told[-1][1].ended_because == "baseline_failed"


def test_an_interrupt_returns_what_was_measured_until_then():
    def interrupted():
        yield started("compile")
        yield from bring_up("eager")
        raise KeyboardInterrupt

    comparison = collect(Telling(interrupted()))
    assert comparison.ended_because == "stopped"
    assert comparison.baseline.first_call_s == 0.5
    assert comparison.baseline.status == "stopped"


def test_a_comparison_knows_what_was_measured_so_that_it_can_be_taken_away():
    study = Telling([started("compile"), *bring_up("eager"), ended()])
    comparison = collect(study)
    assert comparison.origin == (study.workload, {"compile": study.variants[0]})
    assert comparison.measurements["compile"].origin is comparison.origin


def test_a_second_study_at_the_same_time_is_refused(monkeypatch):
    monkeypatch.setattr(Study, "_measure", lambda _: iter([1, 2]))
    first, second = iter(Study("tiny_cnn", "compile:backend=eager")), iter(Study("tiny_cnn", "compile:backend=eager"))
    next(first)
    with pytest.raises(UsageError, match="Another study is running"):
        next(second)
    first.close()
    assert list(Study("tiny_cnn", "compile:backend=eager")) == [1, 2]


def test_arguments_beside_a_workload_are_refused_rather_than_ignored():
    with pytest.raises(UsageError, match="has its inputs, device and so on already"):
        compare(Workload("tiny_cnn"), batch_size=32)


def test_a_variant_cannot_be_started_otherwise_than_cold():
    assert Plan(cold=True, warm=True).warm
    with pytest.raises(UsageError, match="leave cold out"):
        Plan(cold=False)


@pytest.mark.parametrize("sizes", [8, (0,), (1.5,), (True,), "8"])
def test_batch_sizes_that_make_no_sense_are_refused(sizes):
    with pytest.raises(UsageError, match="batch_sizes must be whole numbers above 0"):
        Plan(batch_sizes=sizes)
