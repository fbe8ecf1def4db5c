"""A study on its way to a node: packed where it is asked for, unpacked where it is measured."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cloudpickle

from optkit import environment, own_code, private
from optkit.errors import UsageError
from optkit.kept_workload import KeptWorkload
from optkit.study import Plan
from optkit.workload import Workload

if TYPE_CHECKING:
    from optkit.presets import VariantLike
    from optkit.sweeps.items import Item


@dataclass(frozen=True)
class Job:
    """A study to be measured elsewhere.

    Attributes
    ----------
    sweep, number, client
        Of which sweep it is which item, and the dask client that asked.
    record, spec
        What `Workload.describe` and `Workload.pack` say of the workload.
    variants
        Pickled, as they were given.
    plan
        Fields of `Plan`.
    version
        Of optkit, where it was asked for.
    sources
        Digits of the user's own modules that the model comes from, by their names.
    """

    sweep: str
    number: int
    client: str
    record: dict[str, Any]
    spec: dict[str, Any]
    variants: bytes
    plan: dict[str, Any]
    version: str | None
    sources: dict[str, str]

    def check_sources(self) -> None:
        """Raise a UsageError where a module of the user's own is another one here than where it was asked for."""
        for name, digits in self.sources.items():
            if _digest_here(name) not in (None, digits):
                said = f"The module {name} is another one on the node; send it again with client.upload_file."
                raise UsageError(said)

    def unpacked(self, payload: bytes | None, folder: Path) -> tuple[Workload, tuple[VariantLike, ...], Plan]:
        """Return what is to be measured; what holds the model is written to the folder, and read by workers."""
        return self._workload(payload, folder), cloudpickle.loads(self.variants), Plan(**self.plan)

    def _workload(self, payload: bytes | None, folder: Path) -> Workload:
        spec = self.spec
        if payload is None:
            shape = tuple(spec["shape"]) if spec["shape"] else None
            return Workload(
                spec["model"], batch_size=spec["batch_size"], shape=shape, device=self.record["device"],
                call=spec["call"], weights=spec["weights"],
            )  # fmt: skip
        path = folder / "workload"
        private.file(path)
        path.write_bytes(payload)
        return KeptWorkload(self.record, path, by_torch=spec["payload_by_torch"])


class Packed(NamedTuple):
    """A workload as it travels: what `Workload.describe` and `Workload.pack` say of it, and what holds the model."""

    record: dict[str, Any]
    spec: dict[str, Any]
    content: bytes | None
    sources: dict[str, str]


def pack(workload: Workload) -> Packed:
    """Return a workload as it travels; a UsageError where it cannot."""
    with tempfile.TemporaryDirectory(prefix="optkit-sweep-") as folder:
        spec = workload.pack(Path(folder))
        content = None if spec["payload"] is None else Path(spec["payload"]).read_bytes()
    here = environment.detect()
    # Which device None means is for the node to say.
    record = workload.describe(here.placed(workload.device or here.device)) | {"device": workload.device}
    return Packed(record, spec, content, _sources(workload))


def _sources(workload: Workload) -> dict[str, str]:
    try:
        files = own_code.closure(own_code.modules_of((workload.model, workload.evaluate)))
    except Exception:  # noqa: BLE001 - a model that cannot be asked; what is wrong with it, the study will say
        return {}
    return {name: digest(path) for name, path in files.items() if path.is_file()}


def _digest_here(module: str) -> str | None:
    """Return digits of a module's file; None where there is none: what is missing, the study's worker will say."""
    try:
        spec = importlib.util.find_spec(module)
        return None if spec is None or spec.origin is None else digest(Path(spec.origin))
    except (ImportError, ValueError, OSError):
        return None


def digest(path: Path) -> str:
    """Return digits of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def of(item: Item, packed: Packed, sweep: str, client: str) -> Job:
    """Return the job that measures an item."""
    variants, plan = cloudpickle.dumps(item.variants), dataclasses.asdict(item.plan)
    here = environment.installed("optkit")
    return Job(sweep, item.number, client, packed.record, packed.spec, variants, plan, here, packed.sources)
