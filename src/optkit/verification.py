"""Is a recipe still what was measured? Loaded in fresh processes, checked, measured again; what changed is said."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import environment, lock, recipes, text
from optkit.engines.artifact import check_members, is_inside
from optkit.errors import UsageError
from optkit.kept_workload import KeptWorkload
from optkit.recipe_run import CODE, MODEL, RECORD
from optkit.study import Study, collect
from optkit.takeaway import UNCOMPARED, workload_of
from optkit.variant import Variant
from optkit.verdicts import PASSING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from optkit.comparison import Comparison
    from optkit.measurement import Measurement
    from optkit.workload import Workload

FORM: dict[str, Any] = {
    "variant": str, "artifact": str | None, "by_torch": bool, "compares": bool, "cpu_flags": list, "workload": dict,
    "environment": dict, "versions": dict, "files": dict, "programs": dict, "measured": dict,
}  # fmt: skip
"""What of a record is read here."""
DAMAGED = "{} is no record of a recipe, or it is damaged; save the recipe again."


@dataclass
class Verification:
    """What was found.

    Attributes
    ----------
    folder
        The recipe's.
    changes
        What is not as it was when the recipe was saved, a sentence each.
    found
        What the recipe's own check found: ``load_s``, ``first_call_s``, ``distance`` (relative to the outputs' size);
        empty where it did not come to that.
    refused
        Why there are no numbers, in one sentence; None where there are.
    comparison
        The new measurement beside eager; None where it was refused.
    saved
        What was measured when the recipe was saved.
    variant
        The text of what was measured again.
    compares
        Whether outputs can be compared: eager's own can be repeated.
    """

    folder: Path
    changes: list[str] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None
    comparison: Comparison | None = None
    saved: dict[str, Any] = field(default_factory=dict)
    variant: str = ""
    compares: bool = True

    @property
    def measurement(self) -> Measurement | None:
        """The variant's new measurement; None where there is none."""
        return None if self.comparison is None else self.comparison.measurements.get(self.variant)

    @property
    def overlaps(self) -> bool | None:
        """Whether the new speed-up's 95 % interval overlaps that of the study; None where one is not known."""
        new = None if self.measurement is None else self.measurement.interval(0.95)
        low, high = self.saved.get("speedup_low"), self.saved.get("speedup_high")
        if new is None or low is None or high is None:
            return None
        return bool(new[0] <= high and low <= new[1])

    @property
    def holds(self) -> bool | None:
        """Whether the recipe loads, gives eager's outputs and is not surely slower; None where that cannot be told."""
        new = self.measurement
        if self.refused is not None or (new is not None and new.status == "failed"):
            return False
        if new is None or new.status != "ok":
            return None
        if new.agreement not in (PASSING if self.compares else (*PASSING, *UNCOMPARED)):
            return None if new.agreement is None else False
        if new is new.baseline:
            return True
        interval, low = new.interval(0.95), self.saved.get("speedup_low")
        return None if interval is None or low is None else interval[1] >= low

    def to_json(self) -> dict[str, Any]:
        """Return what was found as a JSON object."""
        return {
            "schema": 1,
            "folder": str(self.folder),
            "variant": self.variant,
            "holds": self.holds,
            "refused": self.refused,
            "changes": self.changes,
            "check": self.found,
            "saved": self.saved,
            "overlaps": self.overlaps,
            "comparison": None if self.comparison is None else json.loads(self.comparison.to_json()),
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return what was found in a few sentences."""
        if self.refused is not None:
            return [self.refused, *self.changes]
        then = self.saved.get("first_call_s")
        first = (
            f"Loaded in {text.duration(self.found['load_s'])}, first call {text.duration(self.found['first_call_s'])}"
        )
        first += (
            "." if then is None else f"; in the study, with an empty cache, the first call took {text.duration(then)}."
        )
        changes = self.changes or ["Nothing that matters has changed since it was saved."]
        ends = {True: "It holds.", False: "It does not hold.", None: "Whether it holds cannot be told: measure longer."}
        return [*changes, self._outputs(), first, self._speed(), ends[self.holds]]

    def _outputs(self) -> str:
        if not self.compares:
            return "Eager's own outputs could not be repeated when it was saved, so outputs are not compared."
        far, new = self.found.get("distance"), self.measurement
        near = f", within {far:.1g} of their size" if far else ""
        now = None if new is None else new.agreement
        against = "were not compared with eager's of now" if now is None else f"are {now} to eager's of now"
        return f"Outputs are those that eager gave when it was saved{near}; they {against}."

    def _speed(self) -> str:
        new = self.measurement
        assert new is not None
        if new is new.baseline:
            return f"{self.variant} is the baseline itself, which nothing is compared with."
        if new.speedup is None:
            return f"{self.variant} was not measured to its end: {new.reason or 'the budget was used up'}"
        now, then = _interval(new.speedup, new.interval(0.95)), "not known"
        if self.saved.get("speedup") is not None:
            low, high = self.saved["speedup_low"], self.saved["speedup_high"]
            then = _interval(self.saved["speedup"], None if low is None else (low, high))
        told = {True: "the intervals overlap", False: "the intervals do not overlap", None: "an interval is missing"}
        return f"{self.variant} is {now} eager now, and was {then} when it was measured: {told[self.overlaps]}."


def _interval(speedup: float, interval: tuple[float, float] | None) -> str:
    known = "" if interval is None else f" ({interval[0]:.2f}-{interval[1]:.2f})"
    return f"{speedup:.2f}x{known}"


def verify(
    folder: str | Path,
    *,
    budget_s: float = 60.0,
    measure: Callable[[Study], Comparison] = collect,
) -> Verification:
    """Load a recipe in fresh processes, check it, and measure it again.

    A recipe is a program, as a script is: this runs its ``run.py``, and loads its model, with your rights. Verify only
    those of people whose programs you would run. Its record is not trusted: what it names must lie in its folder.

    Parameters
    ----------
    folder
        What `Comparison.save_recipe` wrote.
    budget_s
        Of the new measurement; see `Plan`.
    measure
        Runs the study that measures it again.

    Returns
    -------
    Verification
        Also where something was altered: `Verification.refused` says so, and there are no numbers.

    Raises
    ------
    UsageError
        If there is no recipe in the folder.
    """
    folder = Path(folder)
    record = _read(folder)
    here = environment.detect()
    result = Verification(folder, _changes(record, here.to_json(), folder), saved=record["measured"])
    result.variant = record["variant"]
    try:
        _check_archives(record, folder)
        result.found = recipes.prove(folder)
    except UsageError as error:
        result.refused = str(error)
        return result
    variant = _variant(record, folder.resolve())
    result.variant, result.compares = str(variant), record["compares"]
    exported = {result.variant: folder.resolve()} if variant.engine.exports else {}
    study = Study(_workload(record, folder), [variant], exported=exported, budget_s=budget_s)
    result.comparison = measure(study)
    return result


def _read(folder: Path) -> dict[str, Any]:
    """Return the record of a recipe, with its texts plain; every file that it names lies in the folder."""
    path = folder / RECORD
    if not path.is_file():
        raise UsageError(f"There is no recipe in {folder}; give a folder that comparison.save_recipe has written.")
    try:
        record = dict(text.plain_json(json.loads(path.read_text(encoding="utf-8"))))
        known, by = record["schema"] == recipes.SCHEMA, record["optkit"]
        is_whole = not known or all(isinstance(record[name], kind) for name, kind in FORM.items())
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(DAMAGED.format(path)) from error
    if not known:
        raise UsageError(f"{folder} was written by another version of optkit, {by}; save the recipe again.")
    if not is_whole:
        raise UsageError(DAMAGED.format(path))
    names = [*record["files"], *record["programs"], *([] if record["artifact"] is None else [record["artifact"]])]
    for name in names:
        if not is_inside(name):
            raise UsageError(f"{path} names {name!r}, which is not in its folder; do not use this recipe.")
    return record


def _check_archives(record: Mapping[str, Any], folder: Path) -> None:
    """Raise a UsageError where an archive of the recipe would be unpacked elsewhere, or without end."""
    for path in (folder / name for name in record["files"]):
        with contextlib.suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(path) as archive:
            check_members(archive, path)


def _variant(record: Mapping[str, Any], folder: Path) -> Variant:
    """Return what to measure; a file of the user's own is the one in the folder now."""
    variant = Variant.parse(record["variant"])
    if getattr(variant.engine, "path", None) is None:
        return variant
    engine: Any = variant.engine
    return dataclasses.replace(variant, engine=dataclasses.replace(engine, path=str(folder / record["artifact"])))


def _workload(record: Mapping[str, Any], folder: Path) -> Workload:
    told = record["workload"]
    if told["source"] == "zoo":
        zoo = workload_of(None, told)
        if zoo is not None:
            return zoo
    code = str((folder / CODE).resolve())
    return KeptWorkload(told, (folder / MODEL).resolve(), by_torch=record["by_torch"], import_path=(code,))


def _changes(record: Mapping[str, Any], here: Mapping[str, Any], folder: Path) -> list[str]:
    """Return what is another here than where the recipe was saved, a sentence each."""
    then = record["environment"]
    found = [
        f"The {name} is another: {_shown(then.get(key))} then, {_shown(here.get(key))} now."
        for key, name in environment.MACHINE.items()
        if then.get(key) != here.get(key)
    ]
    if other := set(recipes.cpu_flags(environment.detect())) ^ set(record["cpu_flags"]):
        found.append(f"The processor's instructions differ: {', '.join(sorted(other))}.")
    python = then["versions"].get("python"), here["versions"].get("python")
    if python[0] != python[1]:
        found.append(f"Python was {python[0]} and is {python[1]}.")
    installed = lock.lock(record["versions"])
    found += [
        f"{name} was {version} and is {installed.get(name, 'not installed')}."
        for name, version in record["versions"].items()
        if installed.get(name) != version
    ]
    found += [
        f"{name} was edited since it was saved."
        for name, digest in record["programs"].items()
        if not (folder / name).is_file() or recipes.digest(folder / name) != digest
    ]
    return found


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one.get("name", one)) if isinstance(one, dict) else str(one) for one in value) or "none"
    return "none" if value is None else str(value)
