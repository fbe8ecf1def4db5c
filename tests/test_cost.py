"""Start-up times and break-even, held against adding the calls up one by one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optkit.cost import BreakEven, Startup, break_even

EAGER = Startup(1.0, 0.0, 0.5, 0.0, 0.2, (0.1, 0.1))
SECONDS = st.floats(0.001, 50)


def starts(first_call_s):
    return Startup(2.0, 4.0, 0.5, 0.1, first_call_s, (0.1, 0.05))


def brute_force(baseline, variant, steady_s, speedup):
    """Add call after call until the variant is not behind."""
    for calls in range(1, 1_000_000):
        if variant.cumulative_s(calls, steady_s / speedup) <= baseline.cumulative_s(calls, steady_s) + 1e-9:
            return calls
    return math.inf


def test_the_total_ends_with_the_first_answer_and_the_parts_tell_all():
    start = starts(10.0)
    assert start.total_s == pytest.approx(16.6)
    assert sum(start.parts.values()) == pytest.approx(16.75)


def test_cumulative_time_takes_the_first_calls_as_they_were_and_the_others_as_steady():
    assert EAGER.cumulative_s(1, 0.05) == pytest.approx(1.7)
    assert EAGER.cumulative_s(3, 0.05) == pytest.approx(1.9)
    assert EAGER.cumulative_s(10, 0.05) == pytest.approx(1.9 + 7 * 0.05)


@settings(deadline=None, max_examples=50)
@given(first_call_s=SECONDS, steady_s=st.floats(0.05, 1), speedup=st.floats(1.05, 5))
def test_break_even_is_what_adding_up_calls_gives(first_call_s, steady_s, speedup):
    found = break_even(EAGER, starts(first_call_s), (steady_s,) * 3, speedup, (speedup * 0.99, speedup * 1.01))
    exact = brute_force(EAGER, starts(first_call_s), steady_s, speedup)
    assert found.calls == pytest.approx(exact, abs=1)
    assert found.low <= exact <= found.high


def test_a_variant_that_is_slower_for_sure_never_pays_off():
    found = break_even(EAGER, starts(10.0), (0.1, 0.1, 0.1), 0.8, (0.75, 0.85))
    assert (found.is_never, found.calls, found.said) == (True, math.inf, "never")


def test_it_stays_open_where_the_speed_up_may_be_none():
    found = break_even(EAGER, starts(10.0), (0.1, 0.1, 0.1), 1.02, (0.98, 1.06))
    assert found.high == math.inf
    assert math.isfinite(found.low)
    assert not found.is_never
    assert found.said.endswith("perhaps never")


def test_without_an_interval_nothing_is_claimed():
    assert break_even(EAGER, starts(10.0), (0.1, 0.1, 0.1), 2.0, None) == BreakEven(None)
    assert BreakEven(None).said == "unknown"


def test_what_starts_sooner_and_runs_faster_pays_off_from_the_first_call():
    sooner = Startup(1.0, 0.0, 0.1, 0.0, 0.01, (0.01, 0.01))
    found = break_even(EAGER, sooner, (0.1, 0.1, 0.1), 2.0, (1.9, 2.1))
    assert (found.calls, found.said) == (1, "1 call")


def test_a_start_that_was_long_by_chance_widens_the_interval():
    found = break_even(EAGER, starts(10.0), (0.1, 0.1, 0.1), 2.0, (2.0, 2.0))
    assert found.low < found.calls < found.high


def test_counts_are_told_with_two_digits():
    assert BreakEven(1234, 1187, 2051).said == "1,200 calls (1,200–2,100)"
