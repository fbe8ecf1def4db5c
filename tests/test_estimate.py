"""The estimate before Run: coarse, but it knows what takes long."""

from __future__ import annotations

import pytest

from optkit import estimate, probe
from optkit.comparison import Comparison
from optkit.estimate import Estimate, left_s
from optkit.events import PhaseBegan
from optkit.study import Plan
from optkit.variant import Variant
from stories import bring_up, started


@pytest.fixture
def of(environment, monkeypatch):
    monkeypatch.setattr(probe, "is_kept", lambda _: True)
    return lambda *variants, **plan: estimate.of([Variant.parse(v) for v in variants], Plan(**plan), environment)


def test_more_variants_take_longer(of):
    assert of("compile", budget_s=10) < of("compile", "compile:freezing=true", budget_s=10)


def test_the_budget_is_the_most_that_eager_variants_take_but_for_what_comes_after(of):
    found = of("eager+no_grad", budget_s=120)
    assert found.low_s < 120 <= found.high_s < 140


def test_what_compiles_can_take_longer_than_the_budget(of):
    assert of("compile", "compile:mode=max-autotune", budget_s=10).high_s > 100


def test_a_warm_start_adds_to_it(of):
    assert of("compile", budget_s=10, warm=True) > of("compile", budget_s=10)


def test_the_look_at_the_cpu_adds_to_it_where_it_was_not_kept(of, environment, monkeypatch):
    kept = of("compile", budget_s=10)
    monkeypatch.setattr(probe, "is_kept", lambda _: False)
    assert estimate.of([Variant.parse("compile")], Plan(budget_s=10), environment) > kept


@pytest.mark.parametrize(
    ("seconds", "said"),
    [((20, 44), "about 20 s to 40 s"), ((61, 62), "about 60 s"), ((80, 200), "about 80 s to 3 min")],
)
def test_it_is_said_in_round_numbers(seconds, said):
    assert Estimate(*seconds).said == said


def rounds_of(*variants):
    now = PhaseBegan(at_s=4.0, variant="eager", phase="rounds", round_number=4, round_limit=30)
    return Comparison([started("compile"), *(event for one in variants for event in bring_up(one)), now])


def test_what_is_left_is_the_budget_and_the_passes_after_it():
    running = rounds_of("eager", "compile")
    assert left_s(running, 30.0, 10.0) == pytest.approx(26, abs=0.1)  # 20 s, and two variants' passes
    assert left_s(running, 30.0, 15.0) == pytest.approx(21, abs=0.1)


def test_variants_that_wait_and_the_one_that_is_brought_up_count_with_what_their_start_usually_takes():
    names = [f"compile:mode=max-autotune+threads={i}" for i in range(1, 10)]
    beginning = PhaseBegan(at_s=36.0, variant=names[0], phase="first_call")
    waiting = Comparison([started(*names), *bring_up("eager"), beginning])
    assert left_s(waiting, 30.0, 40.0) > 9 * 30


def test_of_a_variant_that_takes_longer_than_any_usually_does_nobody_says_when_it_ends():
    beginning = PhaseBegan(at_s=5.0, variant="compile", phase="first_call")
    compiling = Comparison([started("compile"), *bring_up("eager"), beginning])
    assert left_s(compiling, 10.0, 6.0) > left_s(compiling, 10.0, 12.0) > 5
    assert left_s(compiling, 10.0, 60.0) is None


def test_past_the_budget_and_in_the_last_phases_nobody_says_how_long():
    running = rounds_of("eager", "compile")
    assert left_s(running, 30.0, 31.0) is None
    running.fold(PhaseBegan(at_s=9.0, variant="compile", phase="checks"))
    assert left_s(running, 30.0, 9.0) is None
    assert left_s(Comparison(), 30.0, 0.0) is None
