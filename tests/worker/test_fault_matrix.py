"""Every harm in every other phase (`test_faults` has the first call and the rounds): a row, and the others go on."""

from __future__ import annotations

import functools

import pytest

from harms import HARM, RAISED, backend_that, name_of
from optkit import crew
from optkit.comparison import Comparison
from optkit.events import PhaseBegan
from optkit.runs import load
from optkit.study import Study
from processes import wait_until_gone

pytestmark = [pytest.mark.worker, pytest.mark.slow]
PHASES = ["build", "prepare", "early_calls", "settle", "preliminary", "throughput", "memory", "checks"]
AFTER_ROUNDS = ("throughput", "memory", "checks")


@pytest.fixture(scope="module")
def comparison_of(mark, private, patch, tmp_path_factory):
    """Return a function that measures all harms of a phase at once, with a healthy variant beside them."""
    patch.setattr(crew, "PATIENCE_S", 8.0)
    patch.setattr(crew, "PATIENCE", 1.0)
    patch.setattr(crew, "SETTLE_SHARE", 0.0)

    @functools.cache
    def measure(phase):
        flags = tmp_path_factory.mktemp("flags")
        variants = [backend_that(harm, phase, str(flags)) for harm in HARM]
        study = Study("tiny_cnn", [*variants, "compile:backend=eager"], budget_s=300, rounds=(3, 3), compile_limit_s=12)
        folded = Comparison()
        for event in study:
            folded.fold(event)
            if isinstance(event, PhaseBegan) and event.variant.endswith(f"_in_{event.phase}()"):
                (flags / event.variant).touch()
        wait_until_gone(mark, 5)
        assert list(private.glob("optkit-*")) == []
        return folded

    return measure


@pytest.mark.parametrize("harm", HARM, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("phase", PHASES)
def test_harm_is_a_row_that_says_what_happened_and_when(harm, phase, comparison_of):
    """What happens after the rounds takes nothing from them: the row has its numbers, and says what it lacks."""
    measurement = comparison_of(phase).measurements[name_of(harm, phase)]
    if phase == "checks":
        assert (measurement.status, measurement.agreement) == ("ok", "failed")
        said = measurement.check.details["why"]
    elif phase in AFTER_ROUNDS:
        assert measurement.status == "ok"
        said = measurement.reason
    else:
        assert (measurement.status, measurement.failed_phase) == ("failed", phase)
        assert measurement.raised is (harm in RAISED)
        said = measurement.reason
    assert HARM[harm] in said
    assert "\n" not in said
    assert (measurement.rounds == 3) is (phase in AFTER_ROUNDS)


@pytest.mark.parametrize("phase", PHASES)
def test_the_others_are_measured_to_the_end_and_all_of_it_is_kept(phase, comparison_of):
    comparison = comparison_of(phase)
    assert comparison.ended_because == "rounds"
    for name in ("eager", "compile:backend=eager"):
        measurement = comparison.measurements[name]
        assert (measurement.status, measurement.reason, measurement.rounds) == ("ok", None, 3)
        assert measurement.agreement == "equal"
    assert load(comparison.run_id).to_json() == comparison.to_json()
