"""Statistics of rounds."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optkit import stats

RATIO = st.floats(0.01, 100)
RATIOS = st.lists(RATIO, min_size=1, max_size=40)
CONFIDENCE = st.sampled_from([0.5, 0.9, 0.95, 0.99])


def coverage(n: int, k: int) -> Fraction:
    """Exact probability that the interval from the k-th smallest to the k-th largest of n values holds the median."""
    return 1 - 2 * Fraction(sum(comb(n, i) for i in range(k)), 2**n)


@given(RATIOS)
def test_the_median_lies_in_the_middle(values):
    middle = stats.median(values)
    assert 2 * sum(value < middle for value in values) <= len(values)
    assert 2 * sum(value > middle for value in values) <= len(values)


@given(
    st.dictionaries(st.integers(1, 20), RATIO, max_size=8),
    st.dictionaries(st.integers(1, 20), RATIO, max_size=8),
)
def test_ratios_are_made_of_the_rounds_that_both_have(baseline, variant):
    both = sorted(set(baseline) & set(variant))
    assert stats.paired_ratios(baseline, variant) == [baseline[number] / variant[number] for number in both]


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 8, 10, 19, 20, 30, 75])
def test_the_order_interval_is_the_narrowest_that_covers_as_promised(n, confidence):
    interval = stats.order_interval(range(1, n + 1), confidence)
    promised = Fraction(confidence)
    if interval is None:
        assert coverage(n, 1) < promised
        return
    low, high = interval
    assert low + high == n + 1  # the k-th smallest and the k-th largest
    assert coverage(n, low) >= promised
    if low < n // 2:
        assert coverage(n, low + 1) < promised


def test_an_interval_wants_six_rounds_at_95_percent_and_eight_at_99():
    known = [
        [stats.order_interval(range(n), confidence) is not None for n in (5, 6, 7, 8)] for confidence in (0.95, 0.99)
    ]
    assert known == [[False, True, True, True], [False, False, False, True]]


@given(RATIOS, CONFIDENCE)
def test_the_order_interval_holds_the_median_and_does_not_depend_on_the_order(values, confidence):
    interval = stats.order_interval(values, confidence)
    assert interval == stats.order_interval(values[::-1], confidence)
    if interval is not None:
        assert interval[0] <= stats.median(values) <= interval[1]


@settings(max_examples=25, deadline=None)
@given(RATIOS, CONFIDENCE)
@example([1.0] * 20, 0.95)
def test_the_bootstrap_interval_holds_the_median_and_stays_within_the_values(values, confidence):
    low, high = stats.bootstrap_interval(values, confidence)
    slack = 1e-12 * max(values)
    assert min(values) - slack <= low <= stats.median(values) + slack
    assert stats.median(values) - slack <= high <= max(values) + slack


def test_the_bootstrap_interval_is_decided_by_its_seed():
    values = list(np.random.default_rng(1).normal(1, 0.1, 30))
    assert stats.bootstrap_interval(values, 0.95, 3) == stats.bootstrap_interval(values, 0.95, 3)
    found = {stats.bootstrap_interval(values, 0.37, seed) for seed in range(20)}
    assert len(found) > 1


def test_more_confidence_makes_a_wider_interval_and_more_rounds_a_narrower_one():
    random = np.random.default_rng(7)
    few, many = list(random.normal(1, 0.05, 10)), list(random.normal(1, 0.05, 400))
    for interval in (stats.bootstrap_interval, stats.order_interval):
        (low, high), (lower, higher) = interval(few, 0.9), interval(few, 0.99)
        assert lower <= low < high <= higher
        assert higher - lower > high - low
        narrow_low, narrow_high = interval(many, 0.9)
        assert narrow_high - narrow_low < high - low


def test_the_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    held = 0
    for seed in range(60):
        low, high = stats.bootstrap_interval(random.normal(1.2, 0.05, 20), 0.95, seed)
        held += low <= 1.2 <= high
    assert held >= 51  # of 57 expected; a chance of some 1 % at the 92 % that a bootstrap of 20 really covers


@pytest.mark.parametrize("rank", [90, 95, 99])
def test_a_percentile_wants_so_many_calls_that_two_lie_beyond_it_with_99_percent_confidence(rank):
    def at_most_one_beyond(n):
        below = Fraction(rank, 100)
        return below**n + n * (1 - below) * below ** (n - 1)

    enough = stats.MINIMUM_CALLS[rank]
    assert at_most_one_beyond(enough) <= Fraction(1, 100) < at_most_one_beyond(enough - 1)
    values = list(range(enough))
    assert stats.percentile(values, rank) == pytest.approx(rank / 100 * (enough - 1))
    assert stats.percentile(values[:-1], rank) is None


def test_quiet_calls_are_steady():
    window = [1.0, 1.01, 0.99, 1.0] * 5
    assert stats.is_steady(window, window[::-1])
    assert stats.is_steady([5.0] * 20, [5.0] * 20)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 10))
@settings(max_examples=50)
def test_steadiness_does_not_depend_on_the_unit(seed, scale):
    calls = np.random.default_rng(seed).normal(1, 0.03, 40)
    assert stats.is_steady(calls[:20], calls[20:]) == stats.is_steady(calls[:20] * 1024, calls[20:] * 1024)


@pytest.mark.parametrize(
    ("name", "earlier", "later"),
    [
        ("a ramp", np.linspace(2, 1.5, 20), np.linspace(1.5, 1, 20)),
        ("a step", np.full(20, 2.0), np.full(20, 1.0)),
        ("a slow first call", np.r_[9.0, np.tile([1.0, 1.01], 10)[:19]], np.tile([1.0, 1.01], 10)),
        ("another spread", np.tile([1.0, 1.0], 10), np.tile([0.7, 1.3], 10)),
    ],
)
def test_calls_that_still_change_are_not_steady(name, earlier, later):
    assert not stats.is_steady(earlier, later)


@given(RATIOS, st.lists(st.floats(0.2, 5.0), max_size=3))
def test_a_widened_interval_holds_what_it_was_and_what_was_seen(values, seen):
    low, high = stats.widened((min(values), max(values)), *seen)
    assert low == min([*values, *seen])
    assert high == max([*values, *seen])


@given(RATIOS)
def test_at_most_a_quarter_of_the_rounds_is_warm_up(ratios):
    assert 0 <= stats.warmup_rounds(ratios) <= len(ratios) // 4
    assert len(ratios) >= 8 or stats.warmup_rounds(ratios) == 0


def test_leading_rounds_far_from_the_later_ones_are_warm_up_and_later_ones_never():
    quiet = [1.0, 1.01, 0.99] * 6
    assert stats.warmup_rounds([1.4, 0.7, *quiet]) == 2
    assert stats.warmup_rounds([*quiet, 1.4]) == 0
    assert stats.warmup_rounds([1.001] + [1.0] * 19) == 0  # a very quiet machine


@given(st.lists(st.floats(1e-6, 10.0), max_size=60))
def test_outliers_are_those_beyond_the_fences(values):
    count = stats.count_outliers(values)
    assert 0 <= count <= len(values) / 2
    if len(values) >= 10:
        low, high = stats.tukey_fences(values)
        assert count == sum(value < low or value > high for value in values)


@given(RATIOS, st.lists(st.floats(0.5, 2.0), max_size=2))
def test_the_band_of_two_equal_workers_covers_rounds_and_fresh_workers(ratios, again):
    band = stats.pooled_band(ratios, again)
    if stats.order_interval(ratios, 0.95) is None:
        assert band is None
    else:
        assert band >= max((abs(1 - value) for value in again), default=0.0)
        assert band <= max(abs(1 - value) for value in [*ratios, *again])


@given(RATIOS, st.floats(0.5, 20.0))
def test_the_interval_scales_with_what_was_measured(ratios, factor):
    low, high = stats.bootstrap_interval(ratios, 0.95)
    scaled = stats.bootstrap_interval([ratio * factor for ratio in ratios], 0.95)
    assert scaled == pytest.approx((low * factor, high * factor))


@given(RATIOS)
def test_more_confidence_is_never_a_narrower_interval(ratios):
    low, high = stats.bootstrap_interval(ratios, 0.95)
    wider_low, wider_high = stats.bootstrap_interval(ratios, 0.99)
    assert wider_low <= low <= stats.median(ratios) <= high <= wider_high
