"""How long a study will take, said before it is run. Coarse: nobody knows how long a model compiles. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from optkit import probe
from optkit.phases import LAST_PHASES, STARTING_PHASES
from optkit.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.comparison import Comparison
    from optkit.environment import Environment
    from optkit.study import Plan

IMPORT_S, PROBE_S = (3.0, 10.0), (8.0, 25.0)
START_S = {"eager": (0.5, 3.0), "graph": (1.0, 10.0), "inductor": (4.0, 45.0), "autotuned": (8.0, 180.0)}
"""Seconds from a worker to its steady calls, by what it has to do: seen on two shared CPUs, tiny models to ResNets."""
AFTER_S = (1.5, 6.0)
"""Seconds a variant for throughput, memory and checks; the warm start is about as long as half a cold one at most."""


class Estimate(NamedTuple):
    """Seconds of the whole study: at least, and at most as far as models of usual size go."""

    low_s: float
    high_s: float

    @property
    def said(self) -> str:
        """The estimate in words."""
        low, high = (_minutes(seconds) for seconds in self)
        return f"about {high}" if low == high else f"about {low} to {high}"


def of(variants: Sequence[Variant], plan: Plan, environment: Environment) -> Estimate:
    """Return the estimate: the budget, or what starting takes where that is more, and the passes after it."""
    ends = []
    for end in (0, 1):
        starts = [START_S["eager"][end]] * 2 + [START_S[_kind(variant)][end] for variant in variants]
        probing = any(variant.engine.probes_cpu for variant in variants) and not probe.is_kept(environment)
        begun_s = IMPORT_S[end] + sum(starts) + (PROBE_S[end] if probing else 0.0)
        # Rounds end at the budget, or before it where all is decided; whatever was started late goes past it.
        rounds_s = max(plan.budget_s if end else min(plan.budget_s, 2 * begun_s), begun_s)
        warm_s = 0.5 * sum(starts) if plan.warm else 0.0
        ends.append(rounds_s + (1 + len(variants)) * AFTER_S[end] + warm_s)
    return Estimate(*ends)


def _kind(variant: Variant) -> str:
    engine = variant.engine
    if not (engine.compiles or engine.exports):
        return "eager"
    if not engine.probes_cpu:
        return "graph"
    return "autotuned" if "autotune" in str(variant) else "inductor"


def _minutes(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004
        return f"{round(seconds, -1):.0f} s"
    return f"{seconds / 60:.0f} min"


def left_s(comparison: Comparison, budget_s: float, elapsed_s: float) -> float | None:
    """Return about how many seconds a running study will still take; None where that cannot be said.

    Parameters
    ----------
    comparison
        What is known so far.
    budget_s, elapsed_s
        The budget of the study, and how long it has been running.
    """
    now, started = comparison.now, comparison.started
    if started is None or now is None or now.phase in LAST_PHASES:
        return None
    coming = [name for name, m in comparison.measurements.items() if m.status == "waiting"]
    coming_s = sum(_typical(*START_S[_kind_of(name)]) for name in coming)
    if now.phase in STARTING_PHASES:
        likely_s, longest_s = _typical(*START_S[_kind_of(now.variant)]), START_S[_kind_of(now.variant)][1]
        spent_s = elapsed_s - now.at_s
        if spent_s > longest_s:  # whoever is slower than that can be slower still
            return None
        coming_s += max(likely_s - spent_s, likely_s / 2)
    elif elapsed_s >= budget_s and not coming:
        return None
    after_s = len(comparison.measurements) * _typical(*AFTER_S)
    return max(budget_s - elapsed_s, coming_s) + after_s


def _kind_of(name: str) -> str:
    return _kind(Variant.read(name))


def _typical(low_s: float, high_s: float) -> float:
    """Return the geometric mean of two ends."""
    return math.sqrt(low_s * high_s)
