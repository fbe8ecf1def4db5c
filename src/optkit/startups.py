"""How long a fresh process takes to its first result, by the way it starts: cold, from a cache, from a file.

Each way is tried once, in a new interpreter that is not forked from anything, one after the other. What a way starts
from was made before it, by a worker or by the cold process.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import by_value, fresh_process, private, script
from optkit.engines import OnnxRuntime
from optkit.engines.onnxruntime import CPU_PROVIDER, LEVELS, THREADS
from optkit.errors import UsageError
from optkit.investigation import INTERRUPTIONS, LIMIT_S, Investigation
from optkit.machine import Monitor
from optkit.presets import resolve
from optkit.startup_advice import COLD, FILE, MODEL, NO_TORCH, PORTABLE, WARM, WARM_HEADER, WAYS
from optkit.startup_table import FreshStart, StartupMatrix
from optkit.takeaway import UNCOMPARED
from optkit.variant import BASELINE
from optkit.worker.endings import WorkerFailedError
from optkit.workload import workload_from
from optkit.zoo import TINY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from optkit.presets import VariantLike
    from optkit.variant import Variant

__all__ = ["WAYS", "FreshStart", "StartupMatrix", "startup_matrix"]

DEFAULT = ("eager", "compile", "aotinductor", "torchscript", "onnxruntime")
HEADERS = "torchinductor_*/precompiled_headers"
NOTHING_SAVED = "torch.compiler.save_cache_artifacts had nothing to save: torch caches no graph of this variant."
UNREPEATABLE = "Eager's own outputs cannot be repeated, so no outputs were compared."


def startup_matrix(
    model: Any,
    inputs: Any = None,
    variants: VariantLike | Iterable[VariantLike] | None = None,
    *,
    batch_size: int = 1,
    shape: Sequence[int] | None = None,
    device: Any = None,
    call: str | None = None,
    weights: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> StartupMatrix:
    """Measure how long a fresh process takes to its first result, for each way to start a model.

    Parameters
    ----------
    model, inputs, batch_size, shape, device, call, weights
        See `optkit.Workload`; a `Workload` is taken as a model as well.
    variants
        In any form; None: eager, compile, and every engine that loads a file. What is compiled is started with an empty
        cache, with the cache directory that this leaves, with the header beside it (on a CPU), and with torch's
        portable artifacts; an ONNX file with and without torch.
    tell
        Is told what is being done, in words; ``print`` will do.

    Returns
    -------
    StartupMatrix
        Also where a way cannot be gone here, or fails: its row says why, and the others go on; and where an interrupt
        ends it early.

    Raises
    ------
    UsageError
        If the model does not run with its inputs, or a variant makes no sense.
    """
    given = {"batch_size": batch_size, "shape": shape, "device": device, "call": call, "weights": weights}
    return start_each_way(Investigation(workload_from(model, inputs, **given), tell=tell), variants)


def start_each_way(looking: Investigation, variants: VariantLike | Iterable[VariantLike] | None) -> StartupMatrix:
    """Do it with the workers of an investigation; see `startup_matrix`."""
    here = looking.environment.placed(looking.device)
    chosen = resolve(DEFAULT if variants is None else variants, here)
    matrix = StartupMatrix(looking.workload.name, looking.device)
    with looking:
        starts = Starts(looking, looking.crew.host.folder / "starts")
        try:
            matrix.uncompared = starts.keep()
            for variant in chosen:
                for row in starts.of(variant):
                    matrix.rows.append(row)
        except INTERRUPTIONS:
            if not matrix.rows:
                raise
            matrix.stopped = True
    return matrix


@dataclass
class Starts:
    """Starts processes, one after the other, in folders of their own below `folder`."""

    looking: Investigation
    folder: Path
    kept: dict[str, Any] = field(default_factory=dict)
    compares: bool = True
    monitor: Monitor = field(default_factory=lambda: Monitor((os.getpid(),)))
    count: int = 0

    def keep(self) -> str | None:
        """Have eager's outputs written; return why they are nothing to compare with, or None."""
        private.folder(self.folder)
        path = self.folder / "kept"
        worker = self.looking.worker(BASELINE)
        with self.looking.explained(BASELINE):
            repeated = worker.ask({"do": "reference", "path": str(self.folder / "reference")}, LIMIT_S)
            told = worker.ask({"do": "keep", "path": str(path)}, LIMIT_S)
        worker.end()
        self.kept = {"kept": str(path), "is_plain": told["is_plain"]}
        self.compares = repeated["agreement"] not in UNCOMPARED
        return None if self.compares else UNREPEATABLE

    def of(self, variant: Variant) -> Iterator[FreshStart]:
        """Start a variant in each way that there is for it."""
        blocked = variant.blocked(self.looking.environment.placed(self.looking.device))
        ways = ways_of(variant, self.looking.device)
        if blocked is not None:
            yield from _skipped(variant, ways, blocked)
        elif variant.engine.runs_file:
            yield from self._of_file(variant, ways)
        elif variant.engine.compiles:
            yield from self._compiled(variant, ways[1:])
        else:
            yield self._start(variant, MODEL)

    def _compiled(self, variant: Variant, ways: Sequence[str]) -> Iterator[FreshStart]:
        left, artifacts = self._next(), self.folder / f"artifacts-{self.count}"
        cold = self._start(variant, COLD, left, save_artifacts=str(artifacts))
        yield cold
        cache = left / fresh_process.CACHE
        if cold.status != "ok" or not _size(cache):
            why = "Compiling left nothing in the cache directory" if cold.status == "ok" else "The cold start failed"
            yield from _skipped(variant, ways, f"{why}, so there is nothing to start from.")
            return
        for way in ways:
            if way == PORTABLE:
                yield self._portable(variant, artifacts, cold.facts.get("unsaved"))
            elif way == WARM:
                folder = self._next()
                shutil.copytree(cache, folder / fresh_process.CACHE)
                yield self._start(variant, way, folder, artifact_bytes=_size(cache))
            else:
                yield self._with_header(variant, left)

    def _portable(self, variant: Variant, artifacts: Path, unsaved: str | None) -> FreshStart:
        """Start with torch's portable artifacts, where the cold process had some to save."""
        if unsaved is not None:
            return FreshStart(PORTABLE, str(variant), "failed", unsaved)
        if not artifacts.exists():
            return next(_skipped(variant, [PORTABLE], NOTHING_SAVED))
        return self._start(variant, PORTABLE, artifacts=str(artifacts), artifact_bytes=artifacts.stat().st_size)

    def _with_header(self, variant: Variant, left: Path) -> FreshStart:
        """Start with all that the cold process left on the disk, also outside its cache directory."""
        temporary = left / fresh_process.TEMPORARY
        headers = list(temporary.glob(HEADERS))
        if not headers:
            return next(_skipped(variant, [WARM_HEADER], "Inductor precompiled no header: it compiled no C++."))
        folder = self._next()
        shutil.copytree(left / fresh_process.CACHE, folder / fresh_process.CACHE)
        for one in headers:
            shutil.copytree(one, folder / fresh_process.TEMPORARY / one.relative_to(temporary))
        size = _size(left / fresh_process.CACHE) + sum(map(_size, headers))
        return self._start(variant, WARM_HEADER, folder, artifact_bytes=size)

    def _of_file(self, variant: Variant, ways: Sequence[str]) -> Iterator[FreshStart]:
        engine: Any = variant.engine
        facts: dict[str, Any] = {}
        folder = None
        try:
            if engine.exports:
                folder, answer = self.looking.exported(variant)
                facts = answer["details"]["facts"]
            engine.check_file()
        except UsageError as error:
            reason = re.sub(r" Graph diff:(?=\)?\.?$)", "", str(error.__cause__ or error))
            yield from (FreshStart(way, str(variant), "failed", reason) for way in ways)
            return
        file = Path(engine.path) if folder is None else folder / engine.artifact_name
        size = _size(folder or file)
        feed = str(self.folder / f"feed-{self.count}.npz") if NO_TORCH in ways else None
        signature = facts.get("signature", {})
        row = self._start(
            variant, FILE, exported=None if folder is None else str(folder), feed=feed,
            keywords=signature.get("keywords"), artifact_bytes=size,
        )  # fmt: skip
        yield row
        if NO_TORCH in ways and row.status != "ok":
            yield from _skipped(variant, [NO_TORCH], "Its inputs are written by the start with torch, which failed.")
        elif NO_TORCH in ways:
            yield self._without_torch(variant, file, feed, signature.get("names"), row)

    def _without_torch(
        self, variant: Variant, file: Path, feed: str | None, names: list[str] | None, beside: FreshStart
    ) -> FreshStart:
        """Run an ONNX file as the start with torch did, with as many threads."""
        engine = variant.engine
        assert isinstance(engine, OnnxRuntime)
        self.looking.tell(f"{variant}: {NO_TORCH}")
        outputs = str(self.folder / f"outputs-{self.count}.npz")
        task = {
            "do": "serve", "file": str(file), "feed": feed, "names": names, "outputs": outputs,
            "level": LEVELS[engine.optimization], "provider": engine.provider or CPU_PROVIDER,
            "options": dict(engine.options) | {THREADS: beside.facts["threads"]},
        }  # fmt: skip
        try:
            start = self._watched(task, self._next())
            _, told = fresh_process.run({"do": "compare", "outputs": outputs, **self.kept}, self._next(), LIMIT_S)
        except WorkerFailedError as error:
            return FreshStart(NO_TORCH, str(variant), "failed", error.reason)
        return self._row(variant, NO_TORCH, start, told["distance"], beside.artifact_bytes)

    def _start(
        self, variant: Variant, way: str, folder: Path | None = None, *, artifact_bytes: int | None = None, **given: Any
    ) -> FreshStart:
        """Start a process that has torch; `given` is what is special about its task."""
        self.looking.tell(f"{variant}: {way}")
        folder = folder or self._next()
        pickled = self.folder / "variant"
        private.write_bytes(pickled, by_value.dumps(variant))
        spec = self.looking.spec
        task = {
            "do": "load", "modules": _modules(variant, self.looking.device), "workload": spec, "variant": str(pickled),
            "torchvision": not variant.engine.runs_file and spec["model"] is not None and spec["model"] not in TINY,
            "device": self.looking.device, "exported": None, "artifacts": None, "save_artifacts": None, "feed": None,
            "keywords": None, **self.kept, **given,
        }  # fmt: skip
        try:
            start = self._watched(task, folder)
        except WorkerFailedError as error:
            return FreshStart(way, str(variant), "failed", error.reason)
        return self._row(variant, way, start, start.told["distance"], artifact_bytes)

    def _watched(self, task: dict[str, Any], folder: Path) -> fresh_process.Start:
        """Start a process, and add what others did meanwhile to what it told."""
        task = task | {"import_path": self.looking.workload.import_path}
        self.monitor.read()
        start = fresh_process.start(task, folder, LIMIT_S, lambda: self.looking.is_stopping)
        start.told.update(self.monitor.read())
        return start

    def _row(
        self, variant: Variant, way: str, start: fresh_process.Start, distance: float | None, size: int | None
    ) -> FreshStart:
        is_compared = self.compares and not variant.train  # in training mode outputs are random
        facts = {name: start.told[name] for name in FACTS if start.told.get(name) not in (None, {})}
        return FreshStart(
            way, str(variant), "ok", None, start.seconds, start.total_s, distance if is_compared else None,
            agreement(distance, script.tolerance(variant)) if is_compared else None, size, facts,
        )  # fmt: skip

    def _next(self) -> Path:
        self.count += 1
        return self.folder / str(self.count)


FACTS = (
    "libraries", "probe_s", "threads", "graphs", "graph_breaks", "cache_hits", "cache_misses", "unsaved", "has_torch",
    "others_cpus", "visible_cpus",
)  # fmt: skip


def ways_of(variant: Variant, device: str) -> tuple[str, ...]:
    """Return the ways in which a variant can be started, of `WAYS`."""
    engine = variant.engine
    if engine.runs_file:
        return (FILE, NO_TORCH) if isinstance(engine, OnnxRuntime) else (FILE,)
    if engine.compiles:
        return (COLD, WARM, *((WARM_HEADER,) if device == "cpu" else ()), PORTABLE)
    return (MODEL,)


def agreement(distance: float | None, tolerance: float) -> str:
    """Return what a distance from eager's outputs amounts to; None is an infinite one."""
    if distance is None or not distance <= tolerance:
        return "different"
    return "close" if distance else "equal"


def _skipped(variant: Variant, ways: Iterable[str], reason: str) -> Iterator[FreshStart]:
    return (FreshStart(way, str(variant), "skipped", reason) for way in ways)


def _modules(variant: Variant, device: str) -> list[str]:
    """Return what the process imports first, so that it is timed as an import wherever torch would do it."""
    engine = variant.engine
    names = list(engine.loading_modules if engine.runs_file else engine.modules)
    if engine.probes_cpu and device == "cpu":
        names.append("torch._inductor.cpu_vec_isa")  # has the function whose time is told apart
    return [*names, "onnxruntime"] if isinstance(engine, OnnxRuntime) else names


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
