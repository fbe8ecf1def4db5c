"""The rules by which a number is called faster, slower, the same, or not yet known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optkit.verdicts import FEWEST_DECIDING_ROUNDS, Doubt, Verdict, decide

ENDS = st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)).map(sorted).map(tuple)


@pytest.mark.parametrize(
    ("interval", "noise", "verdict"),
    [
        ((1.03, 1.10), 0.0, Verdict.FASTER),
        ((1.01, 1.10), 0.0, Verdict.INCONCLUSIVE),
        ((1.02, 1.10), 0.0, Verdict.INCONCLUSIVE),
        ((0.80, 0.97), 0.0, Verdict.SLOWER),
        ((0.80, 0.99), 0.0, Verdict.INCONCLUSIVE),
        ((0.99, 1.01), 0.0, Verdict.SAME),
        ((0.97, 1.01), 0.0, Verdict.INCONCLUSIVE),
        ((0.90, 1.20), 0.0, Verdict.INCONCLUSIVE),
        ((1.03, 1.10), 0.05, Verdict.INCONCLUSIVE),
        ((1.06, 1.10), 0.05, Verdict.FASTER),
        ((0.96, 1.04), 0.05, Verdict.SAME),
        ((0.80, 0.94), 0.05, Verdict.SLOWER),
    ],
)
def test_the_whole_interval_must_lie_on_one_side_of_margin_and_noise(interval, noise, verdict):
    assert decide(interval, 20, noise) is verdict


@given(ENDS, st.integers(0, FEWEST_DECIDING_ROUNDS - 1), st.floats(0, 0.5))
def test_fewer_than_ten_rounds_decide_nothing(interval, rounds, noise):
    assert decide(interval, rounds, noise) is Verdict.INCONCLUSIVE


@given(ENDS, st.floats(0, 0.5))
def test_swapping_the_two_sides_swaps_the_verdict(interval, noise):
    low, high = interval
    swapped = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    one, other = decide((low, high), 20, noise), decide((1 / high, 1 / low), 20, noise)
    edges = [abs(end * (1 + max(0.02, noise)) ** sign - 1) for end in interval for sign in (1, -1)]
    if min(edges) > 1e-9:  # exactly on the edge, rounding decides
        assert other is swapped.get(one, one)


@given(ENDS, st.floats(0, 0.5), st.floats(0, 0.5))
def test_more_noise_never_turns_a_verdict_into_faster_or_slower(interval, noise, more):
    before, after = decide(interval, 20, noise), decide(interval, 20, noise + more)
    if after in (Verdict.FASTER, Verdict.SLOWER):
        assert before is after


@pytest.mark.parametrize("doubt", list(Doubt), ids=lambda doubt: doubt.name)
def test_every_doubt_says_what_it_means(doubt):
    assert len(doubt.value.split()) > 2


def test_verdicts_are_lower_case_strings():
    assert [str(verdict) for verdict in Verdict] == ["baseline", "faster", "slower", "same", "inconclusive"]
