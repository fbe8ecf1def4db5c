"""A whole study with real workers: the phases, the rounds, the twins, and what reaches the comparison."""

from __future__ import annotations

import itertools
import json
import sys
import time

import cloudpickle
import pytest

import optkit
from optkit.comparison import Comparison
from optkit.engines import Compile
from optkit.events import FirstCall, PhaseBegan, PhaseEnded, Samples, StudyEnded, StudyStarted, VariantFinished
from optkit.rows import COLUMNS
from optkit.study import Study
from optkit.workload import Workload

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
ROUNDS = 3
SLEEP_S = 2.0


def sleeping(graph, example_inputs):
    """Take two seconds to compile, and do nothing."""
    time.sleep(SLEEP_S)
    return graph.forward


NAMES = ["eager", "eager+no_grad+threads=1", "compile:backend=aot_eager", "compile:backend=sleeping()"]


@pytest.fixture(scope="module")
def events(mark, private, disabled):
    """Measure once; every test of this file looks at what was told."""
    study = Study(
        Workload("tiny_transformer", batch_size=2),
        [*NAMES[1:3], Compile(backend=sleeping)],
        budget_s=60,
        rounds=(ROUNDS, ROUNDS),
        seed=5,
    )
    return list(study)


@pytest.fixture(scope="module")
def comparison(events):
    return Comparison(events)


def of(events, type_, variant="eager", *, twin=False, **fields):
    return [
        event
        for event in events
        if isinstance(event, type_)
        and (event.variant, event.twin) == (variant, twin)
        and all(getattr(event, name) == value for name, value in fields.items())
    ]


def test_a_model_with_keyword_inputs_and_a_tuple_as_output_is_measured(comparison):
    assert [(row["variant"], row["status"]) for row in comparison.rows()] == [(name, "ok") for name in NAMES]
    assert all(tuple(row) == COLUMNS for row in comparison.rows())
    assert all(row["median_s"] > 0 and row["rounds"] == ROUNDS for row in comparison.rows())
    assert comparison.ended_because == "rounds"


def test_the_inputs_are_described(events):
    build = of(events, PhaseEnded, phase="build")[0]
    assert build.details["inputs"] == "tokens=2×32 int64, mask=2×32 bool"
    assert build.details["parameters"] > 1000
    assert of(events, PhaseEnded, NAMES[1], phase="build")[0].details["threads"] == 1


@pytest.mark.parametrize("variant", NAMES)
def test_each_variant_goes_through_its_phases_in_order(events, variant):
    phases = [event.phase for event in of(events, PhaseBegan, variant) if event.phase != "import"]
    once = [phase for phase, _ in itertools.groupby(phases)]
    expected = ["build", "prepare", "first_call", "early_calls", "settle", "preliminary", "rounds"]
    expected += ["throughput", "memory", "checks", *(["headroom"] if variant == "eager" else [])]
    assert once in (expected, [*expected, "confirm"])  # one of them was the finalist
    assert phases.count("rounds") == ROUNDS
    assert len(of(events, FirstCall, variant)) == len(of(events, Samples, variant, kind="early")) == 1


def test_time_never_runs_backwards_and_the_ends_are_told(events):
    assert isinstance(events[0], StudyStarted)
    assert isinstance(events[-1], StudyEnded)
    times = [event.at_s for event in events]
    assert times == sorted(times)
    assert [event.variant for event in events if isinstance(event, VariantFinished)] == NAMES


@pytest.mark.parametrize("variant", NAMES)
def test_the_calls_of_a_variant_are_numbered_without_overlap(events, variant):
    after = 2  # the first call is over
    of_first_worker = [samples for samples in of(events, Samples, variant) if samples.kind != "confirm"]
    for samples in of_first_worker:
        assert samples.first_call >= after
        after = samples.first_call + len(samples.durations_ns) * samples.calls_per_sample


def test_every_turn_has_at_least_ten_calls_and_a_tenth_of_a_second(events):
    turns = [event for event in events if isinstance(event, Samples) and event.kind in ("round", "preliminary")]
    assert all(len(turn.durations_ns) * turn.calls_per_sample >= 10 for turn in turns)
    spent = [sum(turn.durations_ns) for turn in turns]
    assert min(spent) > 0.09e9  # the loop around the calls has its share of the 100 ms


def of_round(events, number):
    return [e for e in events if isinstance(e, PhaseBegan) and (e.phase, e.round_number) == ("rounds", number)]


def test_each_round_visits_every_worker_once_in_another_order(events):
    orders = [[(event.variant, event.twin) for event in of_round(events, number)] for number in range(1, ROUNDS + 1)]
    everyone = sorted([*((name, False) for name in NAMES), ("eager", True)])
    assert [sorted(order) for order in orders] == [everyone] * ROUNDS
    assert len({tuple(order) for order in orders}) > 1


def test_the_baseline_is_measured_twice_and_the_twin_is_no_row(events, comparison):
    assert len(of(events, FirstCall, twin=True)) == 1
    assert len(of(events, Samples, twin=True, kind="round")) == ROUNDS
    assert list(comparison.measurements) == NAMES
    assert len(comparison.baseline.twin.ratios) == ROUNDS


def test_compiling_is_in_the_first_call_and_in_no_other(comparison):
    measurement = comparison.measurements["compile:backend=sleeping()"]
    assert measurement.first_call_s >= SLEEP_S
    later = [*measurement.early_s, *measurement.settle_s, *measurement.samples_s]
    later += [value for values in measurement.preliminary_samples_s.values() for value in values]
    assert max(later) < SLEEP_S


def test_what_turns_compiling_off_in_this_process_is_not_inherited_and_is_named(comparison):
    compiled = {name: comparison.measurements[name].graphs for name in NAMES}
    assert compiled["eager"] is None
    assert compiled["compile:backend=aot_eager"] >= 1
    scrubbed = comparison.started.environment["scrubbed"]
    assert {"TORCH_COMPILE_DISABLE", "TORCHDYNAMO_DISABLE"} <= set(scrubbed)


def test_the_first_call_of_a_compiling_variant_takes_longer_than_its_median(comparison):
    compiling = comparison.measurements["compile:backend=aot_eager"]
    assert compiling.first_call_s > compiling.median_s


def test_the_events_are_json(events, comparison):
    told = [json.loads(json.dumps(event.to_json(), allow_nan=False)) for event in events]
    assert Comparison(map(optkit.events.Event.from_json, told)).to_json() == comparison.to_json()


@pytest.mark.parametrize(
    ("model", "inputs", "said"),
    [
        ("tiny_cnn", ("text",), "tiny_cnn does not run with these inputs. TypeError"),
        (lambda: 1 / 0, (1,), "<lambda> cannot be built. ZeroDivisionError: division by zero"),
    ],
)
def test_a_model_that_does_not_run_as_it_is_is_an_error_of_one_sentence(model, inputs, said, mark, private):
    with pytest.raises(optkit.WorkloadError) as caught:
        optkit.compare(model, inputs, variants="eager+no_grad", budget_s=5, rounds=(1, 1))
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


SCRIPT = """
import torch
import optkit

class Halver(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(3, 2)
        self.seen = None

    def score(self, x):
        assert type(self).__module__ == "__main__"
        assert not self.training, "the worker calls eval()"
        assert x.shape[0] != self.seen, "the same batch twice in a row"
        self.seen = x.shape[0]
        return self.line(x) / 2

print("begins")
comparison = optkit.compare(
    Halver(), [torch.ones(1, 3), torch.ones(2, 3)], "eager+no_grad", call="score", budget_s=5, rounds=(1, 1)
)
assert [m.status for m in comparison.measurements.values()] == ["ok", "ok"], comparison.rows()
assert comparison.started.workload["model"] == "Halver"
assert comparison.started.workload["batches"] == 2
"""


def test_a_class_of_a_script_without_main_guard_is_measured_batch_by_batch_through_its_own_method(run_python):
    assert run_python(SCRIPT) == "begins\n"  # once: nobody imports the script again


def test_inductor_itself_compiles_and_its_look_at_the_cpu_is_timed_apart(mark, private):
    comparison = optkit.compare("tiny_cnn", variants="compile", budget_s=60, rounds=(1, 1))
    measurement = comparison.measurements["compile"]
    if measurement.status == "skipped":
        pytest.skip(measurement.reason)
    assert (measurement.status, measurement.graphs, measurement.facts["graph_breaks"]) == ("ok", 1, 0)
    assert measurement.seconds["probe"] > 0
    assert measurement.first_call_s > measurement.median_s
