"""A seeded simulation of a noisy machine: the truth is in the interval, and no difference is claimed where none is.

The machine drifts by 10 % over a study, a neighbour slows everything 1.5 to 3 times for seconds on end, and calls have
a heavy tail. A study is measured twice: one variant after the other, as people do, and in rounds, as optkit does.
"""

from __future__ import annotations

import numpy as np
import pytest

from optkit import stats
from optkit.verdicts import Verdict, decide

STUDIES = 300
TURN_S, CALLS = 0.12, 10
TRUTH = 1.1
RESAMPLES = 1000


@pytest.fixture(scope="module", autouse=True)
def _fewer_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stats, "RESAMPLES", RESAMPLES)
        yield


class Machine:
    """Slows calls down by when they are made."""

    def __init__(self, rng, length_s, *, bursts):
        self.rng = rng
        self.drift = rng.choice([-0.1, 0.1]) / length_s
        begins = np.cumsum(rng.exponential(2.0, 200))
        self.bursts = [(b, b + rng.uniform(0.2, 2.0), rng.uniform(1.5, 3.0)) for b in begins] if bursts else []

    def slowdown(self, at_s):
        slow = 1 + self.drift * at_s
        for begin, end, factor in self.bursts:
            if begin <= at_s < end:
                slow *= factor
        return slow

    def turn(self, at_s, typical):
        """Return the median of the calls of a turn, which has a disturbance of its own."""
        own = self.slowdown(at_s) * self.rng.lognormal(0, 0.01)
        return float(np.median(typical * own * (1 + self.rng.exponential(0.02, CALLS))))


def in_rounds(rng, rounds, typicals, *, bursts):
    """Return the medians of each variant, by round."""
    machine = Machine(rng, rounds * len(typicals) * TURN_S, bursts=bursts)
    medians = [{} for _ in typicals]
    at_s = 0.0
    for number in range(rounds):
        for variant in rng.permutation(len(typicals)):
            medians[variant][number] = machine.turn(at_s, typicals[variant])
            at_s += TURN_S
    return medians


def one_after_the_other(rng, rounds, typicals, *, bursts):
    machine = Machine(rng, rounds * len(typicals) * TURN_S, bursts=bursts)
    turns = iter(np.arange(rounds * len(typicals)) * TURN_S)
    return [{number: machine.turn(next(turns), typical) for number in range(rounds)} for typical in typicals]


def covered(measure, rounds, *, bursts):
    """Return the share of studies whose 95 % interval holds the true ratio, and the median error."""
    rng = np.random.default_rng(7)
    held, errors = [], []
    for seed in range(STUDIES):
        baseline, variant = measure(rng, rounds, (TRUTH, 1.0), bursts=bursts)
        ratios = stats.paired_ratios(baseline, variant)
        low, high = stats.bootstrap_interval(ratios, 0.95, seed)
        held.append(low <= TRUTH <= high)
        errors.append(abs(stats.median(ratios) / TRUTH - 1))
    return np.mean(held), np.median(errors)


@pytest.mark.parametrize("bursts", [False, True])
@pytest.mark.parametrize(("rounds", "least"), [(10, 0.87), (20, 0.90), (30, 0.90)])
def test_the_interval_over_rounds_holds_the_truth_under_drift_and_bursts(rounds, least, bursts):
    share, error = covered(in_rounds, rounds, bursts=bursts)
    assert share >= least
    assert error < 0.01


def test_measured_one_after_the_other_the_interval_misses_the_truth():
    share, error = covered(one_after_the_other, 20, bursts=False)
    assert share < 0.2
    assert error > 0.02


def test_two_equal_variants_are_hardly_ever_called_different_and_a_difference_of_ten_percent_is_found():
    rng = np.random.default_rng(11)
    claims, found = 0, 0
    for seed in range(STUDIES):
        a, twin, equal, slower = in_rounds(rng, 20, (1.0, 1.0, 1.0, 1.1), bursts=True)
        noise = stats.pooled_band(stats.paired_ratios(a, twin))
        verdicts = []
        for variant in (equal, slower):
            ratios = stats.paired_ratios(a, variant)
            kept = ratios[stats.warmup_rounds(ratios) :]
            verdicts.append(decide(stats.bootstrap_interval(kept, 0.99, seed), len(kept), noise))
        claims += verdicts[0] in (Verdict.FASTER, Verdict.SLOWER)
        found += verdicts[1] is Verdict.SLOWER
    assert claims <= STUDIES / 40
    assert found > STUDIES / 2


def test_leaving_out_leading_rounds_does_no_harm_where_there_was_no_warm_up_and_helps_where_there_was():
    rng = np.random.default_rng(3)
    plain, trimmed, dropped = [], [], 0
    for _ in range(STUDIES):
        ratios = list(TRUTH * rng.lognormal(0, 0.02, 20))
        count = stats.warmup_rounds(ratios)
        dropped += count > 0
        plain.append(stats.median(ratios) - TRUTH)
        trimmed.append(stats.median(ratios[count:]) - TRUTH)
    assert dropped < STUDIES / 4
    assert abs(np.mean(trimmed)) < 0.002
    assert np.std(trimmed) < 1.1 * np.std(plain)
    warm = [stats.warmup_rounds([1.3, 1.2, 1.15, *rng.lognormal(0, 0.01, 17)]) for _ in range(STUDIES)]
    assert np.mean(np.asarray(warm) >= 3) > 0.95
