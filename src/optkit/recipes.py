"""A recipe: a folder with all that running a variant elsewhere needs, which proves itself. Written here, see `verify`.

Everything is made anew in workers, as in a study: the file is exported, or the model is compiled and the cache kept;
eager gives the outputs that the recipe must give. The finished folder runs its own check before it gets its name.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optkit
from optkit import environment, lock, own_code, private, recipe_extras, recipe_run, takeaway
from optkit.crew import Crew
from optkit.environment import is_scrubbed
from optkit.errors import UsageError
from optkit.events import PhaseEnded, VariantFailed
from optkit.kept_workload import KeptWorkload
from optkit.machine_lock import machine_lock
from optkit.member import Member
from optkit.recipe_run import CACHE, CODE, INPUTS, MODEL, RECORD, Contents
from optkit.study import Plan, alone
from optkit.worker import endings
from optkit.worker.endings import WorkerFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.comparison import Comparison
    from optkit.environment import Environment
    from optkit.measurement import Measurement
    from optkit.variant import Variant
    from optkit.workload import Workload

SCHEMA = 1
LIMIT_S = 600.0
CPU_FLAG_KINDS = ("avx", "amx", "fma", "f16c", "asimd", "sve", "bf16", "i8mm")
"""Beginnings of the processor's flags that decide which code a compiler writes."""
PROGRAMS = ("run.py", "serve.py", "recipe.ipynb")


def save(comparison: Comparison, folder: Path, variant: Variant | str | None, workload: Workload | None) -> Path:
    """Write a recipe; see `Comparison.save_recipe`."""
    measurement = takeaway.chosen(comparison, variant)
    chosen = takeaway.usable(measurement)
    workload = workload or takeaway.workload_of(measurement.origin, measurement.workload)
    if "()" in str(chosen):
        raise UsageError(
            f"{chosen} uses a callable of yours, which a recipe cannot hold; register it with torch by name."
        )
    if workload is None:
        raise UsageError("The model is not in this process any more; pass workload=optkit.Workload(model, inputs).")
    if isinstance(workload, KeptWorkload):
        raise UsageError("This was measured of a recipe, which is in a folder already; copy that.")
    takeaway.check_empty(folder)
    _check_same(workload.describe(environment.detect()), measurement.workload)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        alone(),
        machine_lock(),
        tempfile.TemporaryDirectory(prefix=".optkit-", dir=folder.parent) as made,
    ):  # renamed when it is whole
        _write(Path(made) / "recipe", measurement, chosen, workload)
        if folder.exists():
            folder.rmdir()
        (Path(made) / "recipe").rename(folder)
    return folder


def _check_same(given: dict[str, Any], measured: Mapping[str, Any]) -> None:
    """Raise a UsageError where a workload is not the one that was measured, as far as the record tells."""
    other = [name for name in given.keys() & measured.keys() if given[name] != measured[name]]
    if other:
        told = ", ".join(f"{name} {measured[name]!r}, not {given[name]!r}" for name in sorted(other))
        raise UsageError(f"This is not what was measured, which has {told}; give the same workload.")


def _write(folder: Path, measurement: Measurement, variant: Variant, workload: Workload) -> None:
    folder.mkdir()
    here = environment.detect()
    spec = _keep_model(folder, workload)
    facts = _make(folder, variant, workload, here)
    packages = _packages(variant, workload, folder)
    compares = measurement.agreement not in takeaway.UNCOMPARED and not variant.train
    contents = Contents(
        variant=variant,
        title=workload.name,
        method=workload.call,
        device=workload.place(here),
        artifact=variant.engine.artifact_name,
        facts=facts["export"],
        zoo=tuple(workload.model_code()) if workload.is_zoo else (),
        by_torch=spec["payload_by_torch"],
        has_cache=(folder / CACHE).exists(),
        has_code=(folder / CODE).exists(),
        is_plain=facts["is_plain"],
        has_keywords=workload.has_keywords,
        has_torchvision=not workload.is_zoo and "torchvision" in packages,
        compares=compares,
    )
    (folder / "run.py").write_text(recipe_run.run(contents), encoding="utf-8")
    (folder / "serve.py").write_text(recipe_extras.SERVE, encoding="utf-8")
    (folder / "recipe.ipynb").write_text(recipe_extras.notebook(contents), encoding="utf-8")
    locked = lock.lock(packages)
    (folder / "requirements.txt").write_text(lock.requirements(locked), encoding="utf-8")
    record = _record(contents, measurement, workload, here) | {"versions": locked}
    record |= {name: facts[name] for name in ("torch", "device_name")}
    (folder / "README.md").write_text(recipe_extras.readme(contents, record), encoding="utf-8")
    record["files"] = {str(path.relative_to(folder)): digest(path) for path in _held(folder)}
    record["programs"] = {name: digest(folder / name) for name in PROGRAMS}
    (folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    record["saved"] = prove(folder, "--eager")
    (folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")
    _give_rights(folder)


def _give_rights(folder: Path) -> None:
    """Give everything the rights that the user's umask gave the record: workers wrote for this user alone."""
    usual = stat.S_IMODE((folder / RECORD).stat().st_mode)
    entering = usual | (usual & 0o444) >> 2  # who may read a file may enter its folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(entering if path.is_dir() else usual)


def _keep_model(folder: Path, workload: Workload) -> dict[str, Any]:
    """Put the model, its source and its inputs into the folder, but for what the zoo builds."""
    spec = workload.pack(folder)
    if spec["payload"] is None:
        return spec
    Path(spec["payload"]).rename(folder / MODEL)
    copied = own_code.copy(own_code.modules_of(_pickled(workload)), folder / CODE)
    if taken := {Path(name).stem for name in PROGRAMS} & {path.parts[0].removesuffix(".py") for path in copied}:
        raise UsageError(f"A recipe has a program called {taken.pop()}.py itself; rename your module of that name.")
    return spec


def _pickled(workload: Workload) -> tuple[Any, ...]:
    return workload.model, workload.batches, workload.evaluate


def _make(folder: Path, variant: Variant, workload: Workload, here: Environment) -> dict[str, Any]:
    """Export or compile in workers, and put what comes of it into the folder; return what they said."""
    crew = Crew(workload, Plan(budget_s=1.0), here, workload.place(here), 1, is_portable=True)
    member = Member(variant)
    facts: dict[str, Any] = {"export": {}}
    with crew.host:
        crew.pack()
        crew.start()
        for event in crew.bring_up(member):
            if isinstance(event, VariantFailed):
                raise UsageError(f"{variant} failed now, while it was saved: {event.reason}")
            if isinstance(event, PhaseEnded) and event.phase == "export":
                facts["export"] = event.details.get("facts", {})
        assert member.worker is not None
        try:
            facts |= member.worker.ask({"do": "keep", "path": str(folder / INPUTS)}, LIMIT_S)
        except WorkerFailedError as error:
            raise UsageError(f"{variant} failed now, while it was saved: {error.reason}") from error
        if member.artifact is not None:
            shutil.copytree(member.artifact, folder, dirs_exist_ok=True)
        elif (path := getattr(variant.engine, "path", None)) is not None:
            _copy_own(Path(path), folder, str(variant.engine.artifact_name))
        elif variant.engine.compiles and any(member.worker.cache.iterdir()):
            _zip(member.worker.cache, folder / CACHE)
    return facts


def _copy_own(path: Path, folder: Path, name: str) -> None:
    """Copy the user's own file under the recipe's name for it; what an ONNX file keeps beside it, under its own."""
    shutil.copyfile(path, folder / name)
    beside = path.with_name(f"{path.name}.data")
    if beside.is_file():
        shutil.copyfile(beside, folder / beside.name)


def _zip(cache: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in sorted(cache.rglob("*")):
            if one.is_file():
                archive.write(one, one.relative_to(cache))


def _packages(variant: Variant, workload: Workload, folder: Path) -> list[str]:
    """Return the packages that the recipe's programs import."""
    packages = ["torch", "numpy"]
    if variant.engine.name == "onnxruntime":
        packages.append("onnxruntime")
    if variant.quantize is not None:
        packages.append("torchao")
    if workload.is_zoo:
        packages += ["optkit", "torchvision"]
    if (folder / MODEL).exists():
        packages += sorted(own_code.packages_of(_pickled(workload)))
        if b"cloudpickle" in (folder / MODEL).read_bytes():  # something of the main program was sent by value
            packages.append("cloudpickle")
    return packages


def _record(contents: Contents, measurement: Measurement, workload: Workload, here: Environment) -> dict[str, Any]:
    """Return what `RECORD` says, but for what is known only when the rest is written."""
    check = measurement.check
    interval = measurement.interval(0.95)
    return {
        "schema": SCHEMA,
        "optkit": optkit.__version__,
        "saved_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "variant": str(contents.variant),
        "workload": workload.describe(here),
        "artifact": contents.artifact,
        "by_torch": contents.by_torch,
        "cpu_flag_kinds": CPU_FLAG_KINDS,
        "cpu_flags": cpu_flags(here),
        "for_this_processor": contents.variant.engine.name == "aotinductor",
        "compares": contents.compares,
        "environment": here.to_json(),
        "measured": {
            "speedup": measurement.speedup,
            "speedup_low": None if interval is None else interval[0],
            "speedup_high": None if interval is None else interval[1],
            "median_s": measurement.median_s,
            "first_call_s": measurement.first_call_s,
            "verdict": None if measurement.verdict is None else str(measurement.verdict),
            "agreement": measurement.agreement,
            "max_abs_error": None if check is None else check.max_abs_error,
            "doubts": {doubt.name: remedy for doubt, remedy in measurement.remedies.items()},
        },
    }


def _held(folder: Path) -> list[Path]:
    """Return the files that decide what is computed: all but the programs, which are the user's to change."""
    texts = {folder / name for name in (*PROGRAMS, "README.md", "requirements.txt", RECORD)}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in texts)


def cpu_flags(here: Environment) -> list[str]:
    """Return what the processor can do of that which decides the code a compiler writes."""
    return sorted(flag for flag in here.cpu_flags if flag.startswith(CPU_FLAG_KINDS))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prove(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a recipe's own check in a fresh process, from another working folder; return what it found.

    Raises
    ------
    UsageError
        If it ends otherwise; the message is its last line, or what ended it.
    """
    environ = {name: value for name, value in os.environ.items() if not is_scrubbed(name)}
    with tempfile.TemporaryDirectory(prefix="optkit-") as empty:
        command = [sys.executable, "-P", str(folder.resolve() / "run.py"), "--check", *arguments]
        process = subprocess.Popen(
            command, cwd=empty, env=environ | {"TMPDIR": empty}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True, umask=private.UMASK,
        )  # fmt: skip
        try:
            stdout, stderr = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise UsageError(f"run.py did not end within {LIMIT_S:.0f} s; save the recipe again.") from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and whatever it has started
            process.wait()
    lines = [line for line in endings.printed(stderr).splitlines() if line.strip()] or ["It printed nothing."]
    if process.returncode != 0:
        ended = f" (it was ended by signal {-process.returncode})" if process.returncode < 0 else ""
        raise UsageError(f"{lines[-1]}{ended}")
    try:
        found = _found(json.loads(stdout.splitlines()[-1]))
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        raise UsageError("run.py --check did not end in what it found; save the recipe again.") from None
    return found


def _found(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recipe's own check has found, as numbers, whatever it printed."""
    distance = told["distance"]
    numbers = {name: float(told[name]) for name in ("load_s", "first_call_s")}
    return numbers | {"distance": None if distance is None else float(distance)}
