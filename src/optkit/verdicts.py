"""Verdicts and doubts: the rules by which a number is called faster, slower, the same, or not yet known. Pure."""

from __future__ import annotations

from enum import Enum, StrEnum

MARGIN = 0.02
"""Ratios within 2 % of 1 are called the same, however sure we are of them."""

LARGEST_SAME = 0.05
"""Nothing is called the same within more than this, however wide the noise: that would be a claim nobody may make."""

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
    """A named reason not to take a number at face value; the value says what it means.

    The remedy, a sentence made from the settings in use, is in `optkit.Measurement.remedies`.
    """

    NOT_COMPILED = "nothing was compiled"
    FELL_BACK = "torch gave up compiling and ran eager"
    PARTLY_COMPILED = "only pieces were compiled"
    RECOMPILED = "it compiled again after the first call"
    CUDAGRAPHS_SKIPPED = "CUDA graphs were asked for and not used"
    FREEZING_IGNORED = "freezing was asked for and not done"
    CACHE_BYPASSED = "nothing of the compile is kept for the next start"
    OPSET_CHANGED = "another opset was written than was asked for"
    LEGACY = "the technique is deprecated"
    ONE_PATH = "a trace holds for one path through the model"
    MODE_IGNORED = "the backend has no modes"
    NOT_STEADY = "calls were still changing when the warm-up ended"
    NOISY_MACHINE = "the machine was busy or held back"
    NOT_INTERLEAVED = "it was not measured beside the others"
    TOO_FEW_CALLS = "there were fewer rounds than a verdict wants"
    THREADS_EXCEED_QUOTA = "more threads than CPUs"
    OUTPUT_DIFFERS = "its outputs are not the model's"
    NONDETERMINISTIC = "outputs cannot be repeated"
    STATEFUL = "calls change the model or its inputs"


PASSING = ("equal", "close", "reduced")
"""Agreements with eager's outputs that pass: bit by bit, within tolerance, within that of a reduced precision."""


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
    same = min(margin, LARGEST_SAME)
    if low >= 1 / (1 + same) and high <= 1 + same:
        return Verdict.SAME
    return Verdict.INCONCLUSIVE
