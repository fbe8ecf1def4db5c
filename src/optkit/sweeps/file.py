"""A sweep in a TOML file: what `optkit sweep FILE` reads.

::

    variants = ["recommended"]
    budget_s = 60                      # and other fields of optkit.Plan

    [[workloads]]
    model = ["resnet18", "mobilenet_v2"]
    batch_size = [1, 8]                # lists are multiplied: four workloads

    [[workloads]]
    name = "mine"
    model = "package.module:build"     # a function without arguments that returns a model
    inputs = "package.module:inputs"   # one that returns its inputs
"""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from optkit.errors import UsageError
from optkit.study import Plan
from optkit.sweeps import items
from optkit.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEYS = ("name", "model", "inputs", "batch_size", "shape", "device", "call", "weights")
MULTIPLIED = ("model", "batch_size", "device")
"""A list in one of these stands for several workloads."""


class Asked(NamedTuple):
    """What a file asks for: workloads (by name, where all have one), variants, and fields of a plan."""

    workloads: list[Workload] | dict[str, Workload]
    variants: list[str]
    plan: Plan


def read(path: str | Path) -> Asked:
    """Return what a file asks for.

    Raises
    ------
    UsageError
        If it cannot be read, is no TOML, or holds something that is not known.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            told = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; give a TOML file with [[workloads]].") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}; see `optkit sweep --help` for an example.") from error
    fields = {field.name for field in dataclasses.fields(Plan)}
    unknown = sorted(told.keys() - fields - {"workloads", "variants"})
    if unknown:
        known = ", ".join(["workloads", "variants", *sorted(fields)])
        raise UsageError(f"{path} has {unknown[0]!r}, which is not known; what can stand there is {known}.")
    plan = Plan(**{name: value for name, value in told.items() if name in fields})
    return Asked(_workloads(told.get("workloads"), path), _variants(told.get("variants", "recommended"), path), plan)


def _variants(told: Any, path: Path) -> list[str]:
    found = [told] if isinstance(told, str) else told
    if not (isinstance(found, list) and found and all(isinstance(one, str) for one in found)):
        raise UsageError(f'variants in {path} must be texts, e.g. ["compile", "onnxruntime"], not {told!r}.')
    return found


def _workloads(told: Any, path: Path) -> list[Workload] | dict[str, Workload]:
    if not (isinstance(told, list) and told and all(isinstance(one, dict) for one in told)):
        raise UsageError(f"{path} has no [[workloads]]; give at least one, with a model.")
    several = [pair for table in told for pair in _expanded(table, path)]
    workloads = [workload for _, workload in several]
    if not any(name for name, _ in several):
        return workloads
    usual = items.names(workloads)
    names = items.unlike([name or other for (name, _), other in zip(several, usual, strict=True)])
    return dict(zip(names, workloads, strict=True))


def _expanded(table: Mapping[str, Any], path: Path) -> Iterator[tuple[str, Workload]]:
    """Yield the workloads that one table stands for, each with its name, which may be empty."""
    unknown = sorted(table.keys() - set(KEYS))
    if unknown:
        raise UsageError(f"A workload in {path} has {unknown[0]!r}, which is not known; it can have {', '.join(KEYS)}.")
    if "model" not in table:
        raise UsageError(f"A workload in {path} has no model; give a name, or module:function that builds one.")
    lists = {
        name: table[name] if isinstance(table[name], list) else [table[name]] for name in MULTIPLIED if name in table
    }
    rest = {name: value for name, value in table.items() if name not in (*MULTIPLIED, "name")}
    for chosen in itertools.product(*lists.values()):
        one = dict(zip(lists, chosen, strict=True))
        told = [
            f"{one[name]}" if name == "model" else f"{name.replace('_size', '')} {one[name]}"
            for name in lists
            if len(lists[name]) > 1
        ]
        name = str(table.get("name", ""))
        yield ", ".join([name, *told]) if name else "", _workload(one | rest, path)


def _workload(given: Mapping[str, Any], path: Path) -> Workload:
    model, inputs = given["model"], given.get("inputs")
    if not isinstance(model, str):
        raise UsageError(f"A model in {path} must be a text, not {model!r}.")
    rest = {name: value for name, value in given.items() if name not in ("model", "inputs")}
    if ":" not in model:
        if inputs is not None:
            raise UsageError(f"inputs in {path} are for a model of your own; {model} has batch_size and shape.")
        return Workload(model, **rest)
    if not isinstance(inputs, str) or ":" not in inputs:
        raise UsageError(f"{model} in {path} needs inputs, as module:function that returns them.")
    return Workload(_named_in(model, path), _named_in(inputs, path)(), **rest)


def _named_in(told: str, path: Path) -> Any:
    """Return what ``module:name`` says, looking beside the file too."""
    module, _, name = told.partition(":")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{told} in {path} cannot be had: {error}; give module:function as it is imported.") from error
    if not callable(found):
        raise UsageError(f"{told} in {path} is no function.")
    return found
