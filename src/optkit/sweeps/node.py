"""What runs on a node of a cluster: a study, whose events are told as they happen. Needs no more than optkit's core.

The model is not unpickled here but in the study's own workers, as ever. Workers of dask are daemonic, and threads of
theirs run this: both are nothing to a study, which starts its zygote with `subprocess`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from optkit import environment
from optkit.environment import installed
from optkit.errors import OptkitError, UsageError
from optkit.events import StudyEnded
from optkit.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from optkit.events import Event
    from optkit.presets import VariantLike
    from optkit.study import Plan
    from optkit.sweeps.job import Job
    from optkit.workload import Workload

    StudyOf = Callable[[Workload, Iterable[VariantLike], Plan], Iterable[Event]]

RESOURCE = "optkit"
"""What a worker of dask offers once, if studies may run there: ``dask worker --resources optkit=1``."""
NANNYS = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": "65536",
}  # fmt: skip
"""What a nanny of dask sets, in its own process and in its worker's: studies would be measured with one thread."""
PREFIX, JUST_MADE_S = "optkit-sweep-node-", 60.0
_running: dict[str, dict[str, Any]] = {}
_stopped: set[str] = set()
_lock = threading.Lock()


def study_of(workload: Workload, variants: Iterable[VariantLike], plan: Plan) -> Study:
    """Return the study of one item. Its events are kept by whoever asked for it, not here."""
    return Study(workload, variants, plan, keep=False)


def measure(job: Job, payload: bytes | None, make: StudyOf = study_of) -> dict[str, Any]:
    """Measure one study in a worker of dask, telling its events to whoever listens to the sweep's topic.

    Returns
    -------
    dict
        ``told`` (all that was told, since some of it can be lost on the way) and ``refused``, a sentence where no study
        could be made.
    """
    undo_nanny()
    teller = _Teller(job)
    try:
        if job.version != version():
            raise UsageError(f"optkit is {version()} there, and {job.version} here; install the same version.")
        job.check_sources()
        with _folder() as folder:
            study = make(*job.unpacked(payload, folder))
            with _known(job, study):
                for event in study:
                    teller.tell(event)
    except OptkitError as error:
        return {"told": teller.told, "refused": str(error)}
    return {"told": teller.told, "refused": None}


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Yield a folder for the model, and remove it after; also those of nodes that were killed before they could."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), _locked(left):
            if time.time() - left.stat().st_mtime > JUST_MADE_S:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    with _locked(folder):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder for as long as this process uses it and lives; an OSError where another does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


class _Teller:
    """Tells what happens in a study to whoever listens to its sweep's topic; that it begins, at once."""

    def __init__(self, job: Job) -> None:
        from distributed import get_worker
        from distributed.utils import sync

        self._topic, self._worker = job.sweep, cast("Any", get_worker())
        self._begin = {"number": job.number, "attempt": secrets.token_hex(8), "node": self._worker.address}
        self.told: list[dict[str, Any]] = [self._begin | {"place": None, "body": "", "is_end": False}]
        # This waits until it has arrived. Whatever happens to this process from here on is then put to this study.
        cast("Any", sync)(self._worker.loop, self._worker.scheduler.log_event, topic=self._topic, msg=self.told[0])

    def tell(self, event: Event) -> None:
        """Tell an event; this does not wait."""
        body = json.dumps(event.to_json(), separators=(",", ":"), allow_nan=True)
        is_end = isinstance(event, StudyEnded)
        self.told.append(self._begin | {"place": len(self.told) - 1, "body": body, "is_end": is_end})
        self._worker.log_event(self._topic, self.told[-1])


class _known:  # noqa: N801 - used as a function
    """Make a study known while it runs, so that it can be stopped."""

    def __init__(self, job: Job, study: Any) -> None:
        self.key = f"{job.sweep} {job.number}"
        self.entry = {"sweep": job.sweep, "client": job.client, "study": study}

    def __enter__(self) -> None:
        with _lock:
            _running[self.key] = self.entry
            late = self.entry["sweep"] in _stopped
        if late:
            _stop(self.entry)

    def __exit__(self, *_: object) -> None:
        with _lock:
            _running.pop(self.key, None)


def _stop(entry: dict[str, Any]) -> None:
    stop = getattr(entry["study"], "stop", None)
    if stop is not None:
        stop()


def stop(sweep: str) -> None:
    """Stop what runs here of a sweep, and what begins later of it."""
    with _lock:
        _stopped.add(sweep)
        mine = [entry for entry in _running.values() if entry["sweep"] == sweep]
    for entry in mine:
        _stop(entry)


def stop_orphans(clients: list[str]) -> int:
    """Stop studies that were asked for by other clients than these, which are gone; return how many there were."""
    with _lock:
        orphans = [entry for entry in _running.values() if entry["client"] not in clients]
    for entry in orphans:
        _stop(entry)
    return len(orphans)


def undo_nanny() -> None:
    """Take back what a nanny of dask has set in this process, if all of it stands there as it sets it."""
    if all(os.environ.get(name) == value for name, value in NANNYS.items()):
        for name in NANNYS:
            del os.environ[name]


def look() -> dict[str, Any]:
    """Return what this node is, as a JSON object, and its version of optkit."""
    undo_nanny()
    return environment.detect().to_json() | {"optkit": version()}


def version() -> str | None:
    """Return the version of optkit here."""
    return installed("optkit")
