"""A comparison as it is at one moment, of which everything is worked out once. Pure.

A study may go on in another thread while its report is written, and every part of that must tell the same numbers. It
also asks for the same medians thousands of times.
"""

from __future__ import annotations

import copy
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, cast

from optkit.measurement import Measurement

if TYPE_CHECKING:
    from optkit.comparison import Comparison
    from optkit.verdicts import Doubt, Verdict


class _Still(Measurement):
    """A measurement that takes in no more events."""

    @cached_property
    def median_s(self) -> float | None:
        return super().median_s

    @cached_property
    def all_ratios(self) -> list[float]:
        return super().all_ratios

    @cached_property
    def confirmed_speedup(self) -> float | None:
        return super().confirmed_speedup

    @cached_property
    def samples_s(self) -> list[float]:
        return super().samples_s

    @cached_property
    def noise(self) -> float | None:
        return super().noise

    @cached_property
    def verdict(self) -> Verdict | None:
        return super().verdict

    @cached_property
    def remedies(self) -> dict[Doubt, str]:
        return super().remedies


def take(c: Comparison) -> Comparison:
    """Return a copy that no event changes."""
    still = copy.copy(c)
    around = still.surroundings = copy.copy(c.surroundings)
    copies: dict[int, _Still] = {}
    for m in c.measurements.values():
        for one in (m, *([m.twin] if m.twin is not None else [])):
            copies[id(one)] = _Still(**{field.name: getattr(one, field.name) for field in fields(one) if field.init})
    for one in copies.values():
        one.surroundings = around
        one.baseline, one.twin = copies.get(id(one.baseline)), copies.get(id(one.twin))
    still.measurements = {name: cast("Measurement", copies[id(m)]) for name, m in c.measurements.items()}
    around.measurements = still.measurements
    return still
