"""What a measured variant costs besides its calls: read from a measurement. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from optkit import cost, stats
from optkit.cost import BreakEven, Startup
from optkit.errors import VariantError
from optkit.variant import Variant

if TYPE_CHECKING:
    from optkit.measurement import Measurement


FLOOR_TOLERANCE = 0.95
"""A call that takes less than this share of the least time shows that the least time is wrong."""
CACHE_FACTS = ("hits", "misses", "bypasses")


def startup(m: Measurement, *, warm: bool = False) -> Startup | None:
    """Return how a fresh process starts; None where that is not known.

    Cold is with an empty cache, warm with one that an earlier process has filled.
    """
    if warm:
        if m.warm is None:
            return None
        first, *early = (ns / 1e9 for ns in m.warm.durations_ns)
        return Startup(_import_s(m, warm=True), m.warm.probe_s, m.warm.build_s, m.warm.prepare_s, first, tuple(early))
    if m.first_call_s is None:
        return None
    seconds = m.seconds
    return Startup(
        _import_s(m), _probe_s(m), seconds.get("build", 0.0), m.prepare_s or 0.0, m.first_call_s,
        tuple(m.early_s),
    )  # fmt: skip


def break_even(m: Measurement, *, warm: bool = False) -> BreakEven:
    """Return after how many calls the variant has caught up with the baseline; see `optkit.cost.BreakEven`."""
    baseline = m.baseline
    theirs = None if baseline is None else startup(baseline, warm=warm)
    mine = startup(m, warm=warm)
    if baseline is None or baseline is m or theirs is None or mine is None or m.speedup is None:
        return BreakEven(None)
    return cost.break_even(theirs, mine, _steady_s(baseline), m.speedup, m.interval())


def _steady_s(baseline: Measurement) -> tuple[float, float, float]:
    """Return low, typical and high seconds of a steady call: the outermost quartiles of all workers of the baseline.

    One process can be slower than another for as long as it lives, by where its memory lies.
    """
    typical = baseline.median_s or 0.0
    workers = [one for one in (baseline, baseline.twin) if one is not None]
    confirmed = [[value for times in one.confirm_samples_s.values() for value in times] for one in workers]
    seen = [stats.quartiles(values) for values in (*(one.samples_s for one in workers), *confirmed) if values]
    return min([typical, *(low for low, _ in seen)]), typical, max([typical, *(high for _, high in seen)])


def cumulative_s(m: Measurement, calls: float, *, warm: bool = False) -> float | None:
    """Return the seconds from the start of a process to the end of this many calls; None where that is not known."""
    start = startup(m, warm=warm)
    return None if start is None or m.median_s is None else start.cumulative_s(calls, m.median_s)


def floor_s(m: Measurement) -> tuple[float, str] | None:
    """Return the least seconds in which this machine could do a call, and what limits it; None where that is unknown.

    The roofline (Williams, Waterman and Patterson, 2009): whichever takes longer of the arithmetic at the rate of a
    large matrix product, and of the bytes at the rate of copying; what is only read, at the rate of reading.
    """
    around = m.surroundings
    work, rates = around.work, around.rates.get(m.threads)
    if work is None or rates is None:
        return None
    size = work.read_bytes + work.written_bytes
    both, excess = min(work.read_bytes, work.written_bytes), work.read_bytes - work.written_bytes
    copying = _rate_at(rates.copy_bytes_per_s, size / 2)  # a copy touches as much again as it reads
    reading = max(copying, _rate_at(rates.read_bytes_per_s, size)) if excess > 0 else copying
    moving_s = 2 * both / copying + abs(excess) / reading
    counting_s = work.flops / rates.flops_per_s
    return (counting_s, "arithmetic") if counting_s >= moving_s else (moving_s, "memory")


def headroom(m: Measurement) -> float | None:
    """Return the median over the least time; None where that is not known, or some variant shows it to be wrong."""
    found = floor_s(m)
    if found is None or m.median_s is None or found[0] <= 0 or _is_reduced(m) or beats_floor(m):
        return None
    return max(1.0, m.median_s / found[0])


def beats_floor(m: Measurement) -> bool:
    """Whether some variant with as many threads is faster than the least time, which then is wrong.

    Either the rates were measured on a busy machine, or a variant has a smarter algorithm.
    """
    found = floor_s(m)
    if found is None:
        return False
    others = [one for one in m.surroundings.measurements.values() if one.threads == m.threads and not _is_reduced(one)]
    return min([one.median_s for one in others if one.median_s], default=found[0]) < FLOOR_TOLERANCE * found[0]


def _is_reduced(m: Measurement) -> bool:
    """Whether the variant computes in less precision than the floor is of."""
    try:
        return Variant.read(m.variant).is_reduced
    except VariantError:
        return False


def record(m: Measurement) -> dict[str, Any]:
    """Return start-up, break-even and throughput as JSON; what is infinite is only in words."""
    starts = {"cold": startup(m), "warm": startup(m, warm=True)}
    evens = {name: break_even(m, warm=name == "warm") for name in starts}
    return {
        "startup_s": {name: None if start is None else start.parts for name, start in starts.items()},
        "break_even": {
            name: {
                "calls": _finite(even.calls),
                "low": _finite(even.low),
                "high": _finite(even.high),
                "said": even.said,
            }
            for name, even in evens.items()
        },
        "throughput_per_s": {str(size or "own"): m.throughput_per_s(size) for size in m.throughputs},
        "cache": {
            "cold": {name: m.facts.get(f"cache_{name}") for name in CACHE_FACTS},
            "warm": None if m.warm is None else {name: m.warm.facts.get(f"cache_{name}") for name in CACHE_FACTS},
        },
    }


def _finite(number: float | None) -> float | None:
    return None if number is None or math.isinf(number) else number


def _rate_at(pairs: tuple[tuple[int, float], ...], size: float) -> float:
    """Return the rate at a size, on a straight line between the two sizes tried around it, all in logarithms."""
    sizes, rates = np.log(pairs).T
    return math.exp(float(np.interp(math.log(max(size, 1.0)), sizes, rates)))


def _import_s(m: Measurement, *, warm: bool = False) -> float:
    """Return the time of those imports that the variant needs; an unknown engine is taken to need them all.

    A process that loads a file builds no model: nothing is imported for that.
    """
    modules_s = m.surroundings.modules_s
    try:
        engine = Variant.read(m.variant).engine
        loads = engine.runs_file and (warm or not engine.exports)
        needed = engine.loading_modules if loads else (*engine.modules, *m.modules)
    except VariantError:
        needed = tuple(modules_s)
    return sum(seconds for name, seconds in modules_s.items() if name in needed)


def _probe_s(m: Measurement) -> float:
    """Return what Inductor's look at the CPU costs on a fresh machine, for a variant that takes it.

    That is what is learnt once, and the look that each process takes at it.
    """
    own_s = m.seconds.get("probe")
    return 0.0 if own_s is None else own_s + (m.surroundings.probe_s or 0.0)
