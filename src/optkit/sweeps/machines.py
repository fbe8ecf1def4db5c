"""What to call a machine in tables, so that two that differ are never called alike. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.environment import MACHINE

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS = ("(R)", "(TM)", " CPU", " Processor")


def facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be alike for two records to be of the same kind of machine, with the same software."""
    known = {name: environment.get(name) for name in (*MACHINE, "variables", "cxx_compiler", "python_headers")}
    versions: Mapping[str, Any] = environment.get("versions") or {}
    # What hands out studies takes no part in them.
    return known | {"versions": {name: one for name, one in versions.items() if name != "distributed"}}


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records are of the same kind of machine, with the same software and variables."""
    return _key(facts(one)) == _key(facts(other))


def names(records: Mapping[int, tuple[Mapping[str, Any], str]]) -> dict[int, str]:
    """Return a name for the machine of each record, given with the device that was used.

    Machines of the same kind with the same software have one name. Where two others would share one, what differs
    between them is added.
    """
    keys = {number: _key(facts(record) | {"device": _kind(device)}) for number, (record, device) in records.items()}
    kinds: dict[str, tuple[Mapping[str, Any], str]] = {}
    for number, key in keys.items():
        kinds.setdefault(key, records[number])
    said = {key: _name(record, device) for key, (record, device) in kinds.items()}
    for name in set(said.values()):
        alike = [key for key in said if said[key] == name]
        if len(alike) > 1:
            said |= _told_apart(name, {key: kinds[key][0] for key in alike})
    return {number: said[key] for number, key in keys.items()}


def _key(known: Mapping[str, Any]) -> str:
    return json.dumps(known, sort_keys=True, default=str)


def _kind(device: str) -> str:
    return device.partition(":")[0]


def _name(record: Mapping[str, Any], device: str) -> str:
    accelerators = [str(one.get("name", "accelerator")) for one in record.get("accelerators") or ()]
    if _kind(device) == "cuda" and accelerators:
        return text.one_line(accelerators[0])
    cpu = str(record.get("cpu") or "a machine")
    for word in _WORDS:
        cpu = cpu.replace(word, "")
    count = record.get("cpu_quota") or record.get("cpus")
    return text.one_line(f"{cpu}, {count:g} CPU{'s' * (count != 1)}" if count else cpu)


def _told_apart(name: str, kinds: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return names with the first fact that tells all of them apart, or numbers."""
    for fact in ("torch", "python", "cpus"):
        values = [one.get(fact) or (one.get("versions") or {}).get(fact) for one in kinds.values()]
        if len(set(map(str, values))) == len(kinds):
            return {key: f"{name}, {fact} {value}" for key, value in zip(kinds, values, strict=True)}
    return {key: f"{name} ({number})" for number, key in enumerate(kinds, start=1)}
