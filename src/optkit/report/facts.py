"""The facts of a report in tables of names and values: the study, the machine, its load, and the plan. Pure."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from optkit import answers, text
from optkit.report.parts import code, pairs, said, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optkit.comparison import Comparison

NAMES = {
    "cpu": "CPU",
    "cpus": "logical CPUs",
    "cores": "physical cores",
    "cpu_quota": "CPUs granted",
    "affinity": "numbers of its CPUs",
    "cuda": "CUDA",
    "cxx_compiler": "C++ compiler",
    "python_headers": "Python headers",
    "disables_compile": "switches compiling off",
    "scrubbed": "variables kept from workers",
    "load_1min_before": "load average before",
    "load_1min_after": "load average after",
    "others_cpus": "CPUs that others used",
    "visible_cpus": "out of",
    "throttled_s": "held back",
    "memory_available_bytes_before": "memory available",
}
UNITS: dict[str, Callable[[float], str]] = {"_bytes": text.size, "_s": text.duration}
"""How numbers are written, by how the name of their field ends."""


def model(c: Comparison) -> str:
    """Return the name of what was measured."""
    return str(c.started.workload.get("model", "a model")) if c.started else "Nothing was measured yet"


def when(c: Comparison) -> str:
    """Return when the study began, as far as its record tells a time at all."""
    with suppress(TypeError, ValueError, OverflowError, OSError):
        return f"{datetime.fromtimestamp(c.started.time_unix_s if c.started else 0, UTC):%Y-%m-%d %H:%M} UTC"
    return "at an unknown time"


def measured(c: Comparison) -> str:
    """Return what was measured, for how long, and how noisy the machine was."""
    if c.started is None:
        return ""
    threads = sorted({m.threads for m in c.measurements.values() if m.threads is not None})
    budget_s = c.started.plan.get("budget_s")
    study = {
        "baseline": code(c.baseline),
        "variants": str(len(c.measurements)),
        "threads in an operator": value(threads) if threads else "",
        "when": when(c),
        "run": code(c.run_id),
        "budget": _written("budget_s", budget_s),
        "it took": text.duration(c.elapsed_s),
        "why it ended": "it has not ended" if c.ended_because is None else answers.ENDINGS[c.ended_because],
        "noise of the machine": said(answers.machine(c) or "not known"),
    }
    return _columns(pairs("Model", _workload(c.started.workload)), pairs("Study", _told(study)))


def _workload(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    batches = record.get("batches", 1)
    known = {
        "model": code(record.get("model", "–")),
        "batch size": value(record["batch_size"]) if record.get("batch_size") else "",
        "shape of an input": value(record["shape"]) if record.get("shape") else "",
        "inputs": value("; ".join(record["inputs"])) if record.get("inputs") else "",
        "batches, in turn": value(batches) if batches != 1 else "",
        "method": code(record.get("call", "forward")),
        "device": code(record.get("device", "cpu")),
        "weights": value(record["weights"]) if record.get("weights") else "",
        "evaluated with": code(record["evaluate"]) if record.get("evaluate") else "",
    }
    return _told(known)


def environment(c: Comparison) -> str:
    """Return what the machine is, what was installed, how busy it was, and the variables that decide speed."""
    if c.started is None:
        return ""
    record = c.started.environment
    machine = {name: one for name, one in record.items() if name not in ("versions", "variables")}
    return _columns(
        pairs("Machine", _fields(machine)),
        pairs("Versions", [(name, value(one)) for name, one in (record.get("versions") or {}).items()]),
        pairs("Load", [(_spaced(name), _written(name, one)) for name, one in c.load().items() if one is not None]),
        pairs("Environment variables", [(name, value(one)) for name, one in (record.get("variables") or {}).items()]),
    )


def settings(c: Comparison) -> str:
    """Return the plan."""
    return "" if c.started is None else _columns(pairs("Plan", _fields(c.started.plan)))


def _fields(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the fields of a record that say something, with names in words."""
    return [(_spaced(name), _written(name, one)) for name, one in record.items() if one not in (None, "", (), [], {})]


def _spaced(name: str) -> str:
    if name in NAMES:
        return NAMES[name]
    for unit in UNITS:
        name = name.removesuffix(unit)  # which stands beside the number
    return name.replace("_", " ")


def _written(name: str, one: Any) -> str:
    stem = name.removesuffix("_before")
    write = next((write for unit, write in UNITS.items() if stem.endswith(unit)), None)
    is_number = isinstance(one, int | float) and not isinstance(one, bool)
    return said(write(one)) if write is not None and is_number and one else value(one)


def _told(rows: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, one) for name, one in rows.items() if one]


def _columns(*tables: str) -> str:
    """Return tables side by side where there is room."""
    return f'<div class="columns">{"".join(f"<div>{one}</div>" for one in tables if one)}</div>'
