"""Statistics of interleaved rounds. Pure functions on floats; numpy only.

A *ratio* is one number a round: median time of the baseline over median time of the variant, both measured within
that round, so that whatever slowed the machine for a while slowed both. Sources: the percentile bootstrap (Efron and
Tibshirani, 1993, chapter 13) over rounds, not over calls, because calls within a round share its disturbance; the
interval from order statistics (David and Nagaraja, 2003, section 7.1), which costs nothing while a study is live.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESAMPLES = 10_000
MINIMUM_CALLS = {90: 64, 95: 130, 99: 662}
"""Calls below which a percentile is not given: with fewer, two of them need not lie beyond it (99 % confidence)."""


def median(values: Sequence[float]) -> float:
    """Return the median of at least one value."""
    return float(np.median(values))


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
