"""The fault matrix: whatever a variant does to its process, it is a row, and the others go on.

A custom backend does the harm, so that only its variant is hit: in its first call, or in its first round. Which of the
two it is, is decided by a file that this process makes at the moment the phase begins, not by counting calls.
"""

from __future__ import annotations

import os
import signal
import sys

import cloudpickle
import pytest

from harms import HARM, RAISED, backend_that, explode, name_of, shout, shout_and_die
from optkit import crew
from optkit.comparison import Comparison
from optkit.engines import Compile
from optkit.events import PhaseBegan
from optkit.rows import row
from optkit.study import Study
from optkit.worker.endings import TAIL_BYTES

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
PHASES = ["first_call", "rounds"]
CASES = [(harm, phase) for phase in PHASES for harm in HARM]


def failing_to_compile(graph, example_inputs):
    raise RuntimeError("no such instruction")


VICTIM = "eager+no_grad"
HEALTHY = ["eager", "compile:backend=eager", "compile:backend=shout_in_first_call()"]


@pytest.fixture(scope="module")
def comparison(mark, private, patch, tmp_path_factory):
    """Measure everything at once, and kill one worker from outside in its second round."""
    flags = tmp_path_factory.mktemp("flags")
    patch.setattr(crew, "PATIENCE_S", 8.0)
    patch.setattr(crew, "PATIENCE", 1.0)
    patch.setattr(crew, "SETTLE_SHARE", 0.0)  # 20 calls to warm up will do
    variants = [backend_that(harm, phase, str(flags)) for harm, phase in CASES]
    variants += [Compile(backend=failing_to_compile), VICTIM]
    variants += ["compile:backend=eager", backend_that(shout, "first_call", str(flags))]
    study = Study("tiny_cnn", variants, budget_s=300, rounds=(3, 3), compile_limit_s=15)
    folded = Comparison()
    workers = {}
    for event in study:
        folded.fold(event)
        if isinstance(event, PhaseBegan):
            workers.setdefault((event.variant, event.twin), study._run.host.workers[-1:])
            if event.variant.endswith(f"_in_{event.phase}()") and event.round_number in (None, 1):
                (flags / event.variant).touch()
            if (event.variant, event.phase, event.round_number) == (VICTIM, "rounds", 2):
                os.kill(workers[VICTIM, False][0].pid, signal.SIGKILL)
    return folded


@pytest.mark.parametrize(("harm", "phase"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_harm_is_a_row_that_says_what_happened_and_when(harm, phase, comparison):
    measurement = comparison.measurements[name_of(harm, phase)]
    assert (measurement.status, measurement.failed_phase) == ("failed", phase)
    assert HARM[harm] in measurement.reason
    assert "\n" not in measurement.reason
    assert len(measurement.reason) < 500
    assert len(measurement.details) < 20_000 + TAIL_BYTES + 500
    assert measurement.raised is (harm in RAISED)


@pytest.mark.parametrize("harm", HARM)
def test_what_was_measured_before_the_harm_is_kept(harm, comparison):
    measurement = comparison.measurements[name_of(harm, "rounds")]
    assert measurement.first_call_s > 0
    assert len(measurement.early_s) == 2
    assert sorted(measurement.preliminary_samples_s) != []
    assert measurement.median_s > 0
    assert row(measurement)["rounds"] is None


@pytest.mark.parametrize("name", HEALTHY)
def test_the_others_are_measured_to_the_end(name, comparison):
    measurement = comparison.measurements[name]
    assert (measurement.status, measurement.reason, measurement.rounds) == ("ok", None, 3)


def test_the_rest_of_a_long_message_is_in_the_details(comparison):
    for phase in PHASES:
        details = comparison.measurements[name_of(explode, phase)].details
        assert "ValueError" in details
        assert "in explode" in details


@pytest.mark.parametrize("phase", PHASES)
def test_of_ten_megabytes_of_output_the_end_is_kept(phase, comparison):
    details = comparison.measurements[name_of(shout_and_die, phase)].details
    assert details.startswith("[")
    assert "the last words" in details


def test_a_backend_that_cannot_compile_is_a_failed_first_call(comparison):
    measurement = comparison.measurements["compile:backend=failing_to_compile()"]
    assert (measurement.status, measurement.failed_phase, measurement.raised) == ("failed", "first_call", True)
    assert "no such instruction" in measurement.reason


def test_a_worker_killed_from_outside_in_its_second_round_keeps_its_first(comparison):
    measurement = comparison.measurements[VICTIM]
    assert (measurement.status, measurement.failed_phase) == ("failed", "rounds")
    assert "SIGKILL" in measurement.reason
    assert measurement.rounds == 1


def test_the_study_comes_to_its_usual_end(comparison):
    assert comparison.ended_because == "rounds"
    assert comparison.baseline.status == "ok"
    assert str(comparison.best()) == "eager"
