"""A workload that another process has packed: workers read it, this process does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from optkit.environment import Environment


class KeptWorkload(Workload):
    """What another process packed: workers read it, this process does not.

    Parameters
    ----------
    record
        What `Workload.describe` said of it.
    payload
        The file that `Workload.pack` wrote.
    by_torch
        Whether that was written by `torch.save`.
    import_path
        Folders in which workers find the modules that it names.
    """

    def __init__(
        self, record: Mapping[str, Any], payload: Path, *, by_torch: bool, import_path: tuple[str, ...] = ()
    ) -> None:
        self.import_path = import_path
        self._record, self._payload, self._by_torch = dict(record), payload, by_torch
        self.model = record["model"]
        self.is_zoo = record["source"] == "zoo"
        self.batches, self.evaluate = None, None
        self.batch_size, self.shape = record["batch_size"] or 1, record["shape"]
        self.device, self.call, self.weights = record["device"], record["call"], record["weights"]
        self._inputs_code = record["inputs_code"]

    @property
    def batch_count(self) -> int:
        """How many batches are visited in turn."""
        return int(self._record["batches"])

    def describe(self, environment: Environment) -> dict[str, Any]:
        """Return the record."""
        return self._record | {"device": self.place(environment)}

    def pack(self, folder: Path) -> dict[str, Any]:
        """Return what a worker needs; it is packed already."""
        del folder
        return {
            "model": self.model if self.is_zoo else None,
            "batch_size": self.batch_size,
            "shape": self.shape,
            "weights": self.weights,
            "call": self.call,
            "payload": str(self._payload),
            "payload_by_torch": self._by_torch,
        }
