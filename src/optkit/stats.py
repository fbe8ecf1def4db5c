"""Statistics of interleaved rounds. Pure functions on floats; numpy only.

A *ratio* is one number a round: median time of the baseline over median time of the variant, both measured within
that round, so that whatever slowed the machine for a while slowed both. Sources: the percentile bootstrap (Efron and
Tibshirani, 1993, chapter 13) over rounds, not over calls, because calls within a round share its disturbance; the
interval from order statistics (David and Nagaraja, 2003, section 7.1), which costs nothing while a study is live.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESAMPLES = 10_000
MINIMUM_CALLS = {90: 64, 95: 130, 99: 662}
"""Calls below which a percentile is not given: with fewer, two of them need not lie beyond it (99 % confidence)."""

FEWEST_ROUNDS_WITH_WARMUP, FENCE = 8, 0.02
FEWEST_VALUES_WITH_OUTLIERS = 10


def median(values: Sequence[float]) -> float:
    """Return the median of at least one value."""
    return float(statistics.median(values))  # of few values a tenth of what numpy takes


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third quartile of at least one value."""
    low, high = np.percentile(values, [25, 75])
    return float(low), float(high)


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of positive values: the mean that suits ratios."""
    return math.prod(values) ** (1 / len(values))


def paired_ratios(baseline: Mapping[int, float], variant: Mapping[int, float]) -> list[float]:
    """Return baseline over variant for each round that both have, in the order of the rounds."""
    return [baseline[number] / variant[number] for number in sorted(baseline.keys() & variant.keys())]


def bootstrap_interval(values: Sequence[float], confidence: float, seed: int = 0) -> tuple[float, float]:
    """Return the percentile-bootstrap interval of the median of `values` (one value a round)."""
    rounds = np.asarray(values, dtype=float)
    picks = np.random.default_rng(seed).integers(0, len(rounds), size=(RESAMPLES, len(rounds)))
    tail = 50 * (1 - confidence)
    low, high = np.percentile(np.median(rounds[picks], axis=1), [tail, 100 - tail])
    return float(low), float(high)


def interval_between(
    earlier: Sequence[float], later: Sequence[float], confidence: float, seed: int = 0
) -> tuple[float, float] | None:
    """Return the percentile-bootstrap interval of the ratio of two medians, of rounds that are not paired.

    None where one of them has too few values for any interval of its own; see `order_interval`.
    """
    if order_interval(earlier, 0.95) is None or order_interval(later, 0.95) is None:
        return None
    generator, tail = np.random.default_rng(seed), 50 * (1 - confidence)
    medians = []
    for values in (np.asarray(earlier, dtype=float), np.asarray(later, dtype=float)):
        picks = generator.integers(0, len(values), size=(RESAMPLES, len(values)))
        medians.append(np.median(values[picks], axis=1))
    low, high = np.percentile(medians[0] / medians[1], [tail, 100 - tail])
    return float(low), float(high)


def order_interval(values: Sequence[float], confidence: float) -> tuple[float, float] | None:
    """Return the interval of the median from order statistics, or None where there are too few values for one.

    The interval between the k-th smallest and k-th largest of n values holds the median with probability
    1 - 2·P(B ≤ k - 1), B binomial(n, 1/2); the largest k that keeps `confidence` is used. It is conservative.
    """
    ordered = sorted(values)
    n, tail, k = len(ordered), 0.0, 0
    while k < n // 2 and tail + math.comb(n, k) / 2**n <= (1 - confidence) / 2:
        tail += math.comb(n, k) / 2**n
        k += 1
    return (ordered[k - 1], ordered[n - k]) if k else None


def percentile(values: Sequence[float], rank: int) -> float | None:
    """Return the 90th, 95th or 99th percentile, or None where there are too few values to tell."""
    return float(np.percentile(values, rank)) if len(values) >= MINIMUM_CALLS[rank] else None


def tukey_fences(values: Sequence[float]) -> tuple[float, float]:
    """Return Q1 - 1.5·IQR and Q3 + 1.5·IQR (Tukey, Exploratory Data Analysis, 1977)."""
    q1, q3 = np.percentile(values, [25, 75])
    return float(q1 - 1.5 * (q3 - q1)), float(q3 + 1.5 * (q3 - q1))


def count_outliers(values: Sequence[float]) -> int:
    """Return how many values lie outside Tukey's fences, 0 of fewer than 10. They are counted, never removed."""
    if len(values) < FEWEST_VALUES_WITH_OUTLIERS:
        return 0
    low, high = tukey_fences(values)
    return sum(not low <= value <= high for value in values)


def warmup_rounds(ratios: Sequence[float]) -> int:
    """Return how many leading rounds are warm-up that remained, given one paired ratio a round, in order.

    Those before the first whose ratio lies within Tukey's fences of the later half of the rounds; at most a quarter of
    all, and none of fewer than 8. The idea is pyperf's: warm-up values lie beyond Q3 + 1.5·IQR of what follows. The
    fences are at least 2 % away from the median, so that a very quiet machine drops no rounds for a thousandth.
    """
    if len(ratios) < FEWEST_ROUNDS_WITH_WARMUP:
        return 0
    later = ratios[len(ratios) // 2 :]
    low, high = tukey_fences(later)
    middle = median(later)
    low, high = min(low, middle * (1 - FENCE)), max(high, middle * (1 + FENCE))
    for number in range(len(ratios) // 4):
        if low <= ratios[number] <= high:
            return number
    return len(ratios) // 4


def stretched(interval: tuple[float, float], by: float) -> tuple[float, float]:
    """Return an interval of ratios stretched by this much, a difference of logarithms, at both ends."""
    return interval[0] * math.exp(-by), interval[1] * math.exp(by)


def widened(interval: tuple[float, float], *values: float) -> tuple[float, float]:
    """Return the interval stretched to include the values."""
    return min([interval[0], *values]), max([interval[1], *values])


def pooled_band(ratios: Sequence[float], extra: Sequence[float] = ()) -> float | None:
    """Return how far the ratio of two equal workers strays from 1, or None where there are too few rounds to tell.

    The largest distance from 1 of the ends of the 95 % interval of the median of `ratios` (order statistics), and of
    `extra`, the estimates of workers forked afresh.
    """
    interval = order_interval(ratios, 0.95)
    return None if interval is None else max(abs(1 - value) for value in (*interval, *extra))


def is_steady(earlier: Sequence[float], later: Sequence[float]) -> bool:
    """Whether two adjacent windows of calls agree: the warm-up is over.

    The rule is pyperf's: the first value lies within Q3 + 1.5·IQR, the quartiles differ by at most 5 %, the median
    absolute deviation by at most 10 % (here: of the median, so that a perfectly quiet window can pass).
    """
    first, second = np.asarray(earlier, dtype=float), np.asarray(later, dtype=float)
    q1, middle, q3 = np.percentile(first, [25, 50, 75])
    other_q1, other_middle, other_q3 = np.percentile(second, [25, 50, 75])
    spread = abs(np.median(abs(first - middle)) - np.median(abs(second - other_middle)))
    return bool(
        first[0] <= q3 + 1.5 * (q3 - q1)
        and abs(q1 - other_q1) <= 0.05 * q1
        and abs(q3 - other_q3) <= 0.05 * q3
        and spread <= 0.10 * middle
    )
