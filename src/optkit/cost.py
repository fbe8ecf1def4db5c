"""What a speed-up costs: the start-up of a process, and after how many calls it has paid for itself. Pure.

Cumulative times are those of a fresh process that is started, makes its calls and is asked for nothing else: imports,
building, preparing, calls 1 to 3 as they were timed, and the steady median for each call after them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

STARTUP_SPREAD = 0.1
"""A start is timed once; intervals allow for it having been this much longer or shorter by chance."""

TIMED_SINGLY = 3
"""Calls whose own times are known; every later one is counted with the steady median."""


@dataclass(frozen=True)
class Startup:
    """Seconds that a fresh process spends until it runs steadily, in the order they are spent.

    Attributes
    ----------
    import_s
        Importing torch, and what of it this technique needs besides.
    probe_s
        Inductor's look at the CPU; 0 in a warm start, or where the technique has no use for it.
    build_s, prepare_s
        Building the model (weights included) and preparing the callable.
    first_call_s
        The first call, in which torch compiles.
    early_s
        Calls 2 and 3.
    """

    import_s: float
    probe_s: float
    build_s: float
    prepare_s: float
    first_call_s: float
    early_s: tuple[float, ...] = ()

    @property
    def before_calls_s(self) -> float:
        """Seconds before the first call."""
        return self.import_s + self.probe_s + self.build_s + self.prepare_s

    @property
    def total_s(self) -> float:
        """Seconds until the first answer."""
        return self.before_calls_s + self.first_call_s

    @property
    def parts(self) -> dict[str, float]:
        """Seconds by part, calls 2 and 3 last; they are not in `total_s`."""
        return {
            "import": self.import_s,
            "probe": self.probe_s,
            "build": self.build_s,
            "prepare": self.prepare_s,
            "first call": self.first_call_s,
            "calls 2–3": sum(self.early_s),
        }

    @property
    def own_s(self) -> float:
        """Seconds besides imports, calls 2 and 3 included: what may have been longer or shorter by chance."""
        return self.total_s - self.import_s + sum(self.early_s)

    def cumulative_s(self, calls: float, steady_s: float) -> float:
        """Return the seconds from the start of the process to the end of this many calls."""
        singly = [self.first_call_s, *self.early_s]
        timed = min(int(calls), len(singly))
        return self.before_calls_s + sum(singly[:timed]) + max(calls - len(singly), 0) * steady_s


class BreakEven(NamedTuple):
    """After how many calls a variant's cumulative time is no longer than the baseline's.

    `calls` is infinite where it never is, and None where that cannot be told. `low` and `high` are the ends of the
    interval; an infinite `high` says that it may never be.
    """

    calls: float | None
    low: float | None = None
    high: float | None = None

    @property
    def is_never(self) -> bool:
        """Whether the variant never catches up, whatever is true within the intervals."""
        return self.low == math.inf

    @property
    def said(self) -> str:
        """The answer in words."""
        if self.low is None or self.high is None:
            return "unknown"
        if self.is_never:
            return "never"
        if math.isinf(self.high):
            return "cannot be told" if self.low <= 1 else f"{_count(self.low)} calls at the earliest, perhaps never"
        if self.high <= 1:
            return "1 call"
        return f"{_count(self.calls)} call{'s' * (_count(self.calls) != '1')} ({_count(self.low)}–{_count(self.high)})"


def break_even(
    baseline: Startup,
    variant: Startup,
    baseline_s: tuple[float, float, float],
    speedup: float,
    interval: tuple[float, float] | None,
) -> BreakEven:
    """Return the first number of calls at which the variant has caught up with the baseline.

    Parameters
    ----------
    baseline, variant
        How each starts.
    baseline_s
        Seconds of a steady call of the baseline: low, typical, high.
    speedup, interval
        Of the variant over the baseline, with its 95 % interval; None where there were too few rounds for one.
    """
    if interval is None:
        return BreakEven(None)
    typical = _crossing(baseline, variant, baseline_s[1], speedup)
    # The start-up of each may have been longer or shorter by chance. Imports are timed once for all and cancel out.
    spread_s = STARTUP_SPREAD * (baseline.own_s + variant.own_s)
    ends = [
        _crossing(baseline, variant, steady_s, speed, handicap_s)
        for steady_s in baseline_s
        for speed in interval
        for handicap_s in (-spread_s, spread_s)
    ]
    return BreakEven(typical, min([typical, *ends]), max([typical, *ends]))


def _crossing(baseline: Startup, variant: Startup, steady_s: float, speedup: float, handicap_s: float = 0.0) -> float:
    """Return the first number of calls at which the variant is not behind; infinite where there is none."""
    for calls in range(1, TIMED_SINGLY + 1):
        behind_s = handicap_s + _behind_s(baseline, variant, calls, steady_s, speedup)
        if behind_s <= 0:
            return float(calls)
    gain_s = steady_s - steady_s / speedup
    return TIMED_SINGLY + math.ceil(behind_s / gain_s) if gain_s > 0 else math.inf


def _behind_s(baseline: Startup, variant: Startup, calls: int, steady_s: float, speedup: float) -> float:
    return variant.cumulative_s(calls, steady_s / speedup) - baseline.cumulative_s(calls, steady_s)


def _count(calls: float | None) -> str:
    """Write a number of calls with two digits that count: it is never known better."""
    if calls is None or math.isinf(calls):
        return "∞"
    digits = max(0, len(str(int(calls))) - 2)
    return f"{round(int(calls), -digits):,}"
