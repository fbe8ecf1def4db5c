"""Verdicts and doubts: the rules by which a number is called faster, slower, the same, or not yet known. Pure."""

from __future__ import annotations

from enum import Enum, StrEnum

MARGIN = 0.02
"""Ratios within 2 % of 1 are called the same, however sure we are of them."""

DECIDING_ROUNDS = 20
FEWEST_DECIDING_ROUNDS = 10
"""A verdict wants 20 rounds; where the budget allows no more, 10 with the doubt TOO_FEW_CALLS."""


class Verdict(StrEnum):
    """How a variant compares with the baseline."""

    BASELINE = "baseline"
    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


class Doubt(Enum):
    """A reason not to take a number at face value; the value is its remedy, one sentence."""

    NOT_COMPILED = "torch.compile made no graph of this model, so these are eager's times; compile the original module."
    NOT_STEADY = "Calls were still changing when the warm-up ended; give a larger budget, or quieten the machine."
    TOO_FEW_CALLS = "There were fewer rounds than a verdict wants; give a larger budget."


def decide(interval: tuple[float, float], rounds: int, noise: float) -> Verdict:
    """Return the verdict for a 99 % interval of the speed-up.

    Parameters
    ----------
    interval
        Low and high end of the 99 % interval of baseline time over variant time.
    rounds
        How many rounds it rests on.
    noise
        How far the ratio of two equal workers was seen to stray from 1 in the same study.
    """
    margin = max(MARGIN, noise)
    low, high = interval
    if rounds < FEWEST_DECIDING_ROUNDS:
        return Verdict.INCONCLUSIVE
    if low > 1 + margin:
        return Verdict.FASTER
    if high < 1 / (1 + margin):
        return Verdict.SLOWER
    if low >= 1 / (1 + margin) and high <= 1 + margin:
        return Verdict.SAME
    return Verdict.INCONCLUSIVE
