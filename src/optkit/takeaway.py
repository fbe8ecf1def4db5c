"""Taking an answer away: which variant is meant, and whether it may leave. What is done with it is done elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from optkit.errors import UsageError
from optkit.patterns import PATTERNS
from optkit.variant import Variant
from optkit.verdicts import PASSING
from optkit.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from optkit.comparison import Comparison
    from optkit.measurement import Measurement

UNCOMPARED = ("nondeterministic", "stateful")
"""Agreements that say nothing against a variant: eager's own outputs cannot be repeated."""


class Origin(NamedTuple):
    """What was measured, in the process that has it: a stream of events knows neither a model nor a callable."""

    workload: Workload
    variants: Mapping[str, Variant]


def named(variant: Variant | str) -> Variant | str:
    """Return the variant of a pattern where its name is given, and anything else as it is."""
    return PATTERNS[variant].variant if isinstance(variant, str) and variant in PATTERNS else variant


def chosen(comparison: Comparison, variant: Variant | str | None) -> Measurement:
    """Return the measurement that is meant: the best one for None, a pattern's by its name.

    Raises
    ------
    UsageError
        If it was not measured.
    """
    if variant is None:
        return comparison.best()
    name = str(named(variant))
    if name not in comparison.measurements:
        name = str(Variant.parse(name)) if "()" not in name else name
    if name not in comparison.measurements:
        measured = ", ".join(comparison.measurements) or "none"
        raise UsageError(f"{name} was not measured; measure it first, or give one of those that were: {measured}.")
    return comparison.measurements[name]


def usable(measurement: Measurement) -> Variant:
    """Return the variant of a measurement, unless it failed or its outputs are wrong.

    Raises
    ------
    UsageError
        If it must not be taken away, or it uses a callable that only the process that measured it had.
    """
    name = str(measurement)
    if measurement.median_s is None:
        why = f": {measurement.reason}" if measurement.reason else "."
        raise UsageError(f"{name} was not measured to its end, so it cannot be taken away{why}")
    if measurement.agreement not in (None, *PASSING, *UNCOMPARED):
        why = "" if measurement.check is None else measurement.check.details.get("why", "")
        raise UsageError(f"The outputs of {name} are not those of eager, so it cannot be taken away. {why}".rstrip())
    known = {} if measurement.origin is None else measurement.origin.variants
    if name in known:
        return known[name]
    variant = Variant.parse(name)
    if getattr(variant.engine, "trust", False):  # who wrote the record trusts the file, and that need not be the user
        raise UsageError(f"{name} runs a program, and this is only a record of it; measure it here to take it away.")
    return variant


def check_empty(folder: Path) -> None:
    """Raise a UsageError unless a folder is empty, or not there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is no empty folder; give the name of a new one.")


def workload_of(origin: Origin | None, record: Mapping[str, Any]) -> Workload | None:
    """Return what was measured: as this process has it, or the model of the zoo that a record names; else None."""
    if origin is not None:
        return origin.workload
    if record.get("source") != "zoo" or record.get("batch_size") is None:
        return None
    return Workload(
        record["model"],
        batch_size=record["batch_size"],
        shape=record["shape"],
        device=record["device"],
        call=record["call"],
        weights=record["weights"],
    )
