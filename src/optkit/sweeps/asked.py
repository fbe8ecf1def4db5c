"""What a study is asked to measure, as a few digits: the same question in another process has the same ones.

A sweep that is run again finds by them what it has measured already. Where it is not sure, the digits differ and the
study is made anew: that costs time, while numbers of another model would be wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from optkit import by_value, own_code
from optkit.environment import installed
from optkit.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.presets import VariantLike
    from optkit.study import Plan
    from optkit.workload import Workload

DIGITS = 32
_CODE = (
    "co_code", "co_consts", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_kwonlyargcount",
    "co_posonlyargcount", "co_flags", "co_name", "co_exceptiontable",
)  # fmt: skip
_DRAWN = re.compile("[0-9a-f]{32}")


def digest(workload: Workload, variants: Iterable[VariantLike], plan: Plan) -> str:
    """Return the digits of a question.

    What the parameters of a model weigh does not count, nor what numbers floating-point inputs hold, since both are
    often drawn anew. All else does: shapes, settings, code (also that of the user's own modules), integers, versions
    of the packages that the model comes from, and of optkit.
    """
    asked = [_workload(workload), [_variant(one) for one in variants], plan.to_json(), installed("optkit")]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:DIGITS]


def _workload(workload: Workload) -> list[Any]:
    given = (workload.model, workload.evaluate)
    plain = [workload.batch_size, workload.shape, workload.device, workload.call, workload.weights]
    return [*plain, _pickled(given, floats=True), _pickled(workload.batches, floats=False), *_sources(given)]


def _variant(one: VariantLike) -> list[str]:
    if isinstance(one, str):
        return [one, *(_file(getattr(Variant.parse(one).engine, "path", None)) if "path=" in one else [])]
    variant = one if isinstance(one, Variant) else Variant(one)
    pickled = [_pickled(variant, floats=True), *_sources(variant)] if "()" in str(variant) else []
    return [str(variant), *_file(getattr(variant.engine, "path", None)), *pickled]


def _file(path: str | None) -> list[str]:
    """Return digits of the file that an engine runs in place of exporting one."""
    if path is None:
        return []
    try:
        with Path(path).open("rb") as file:
            return [hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError:
        return [secrets.token_hex()]


def _sources(value: Any) -> list[str]:
    """Return what pickling only names: digits of the user's own modules, and versions of packages."""
    try:
        files = own_code.closure(own_code.modules_of(value))
        own = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files.values() if path.is_file()]
        return own + [f"{package} {installed(package)}" for package in sorted(own_code.packages_of(value))]
    except Exception:  # noqa: BLE001 - compiled, gone, or the user's code: nobody can tell whether it is the same
        return [secrets.token_hex()]


def _pickled(value: Any, *, floats: bool) -> str:
    """Return digits of all that a pickle holds, but for numbers that do not count."""
    hasher = _Hasher()
    try:
        _Asker(hasher, floats=floats).dump(value)
    except Exception:  # noqa: BLE001 - pickling runs the user's code; the study will say what is wrong
        return secrets.token_hex()
    return hasher.digits.hexdigest()


class _Hasher:
    """A file that keeps digits of what is written to it."""

    def __init__(self) -> None:
        self.digits = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        self.digits.update(data)
        return len(data)


class _Asker(by_value.Pickler):
    """Pickles tensors as what they are: type, shape and dtype, and their numbers only where these count."""

    def __init__(self, file: Any, *, floats: bool) -> None:
        super().__init__(file)
        self._floats = floats
        torch = sys.modules.get("torch")
        self._seen: dict[int, tuple[int, Any]] = {}
        self._plain: tuple[type, ...] = () if torch is None else (torch.Tensor, torch.nn.Parameter)

    def reducer_override(self, obj: Any) -> Any:
        """Say how an object is pickled: as ever, without the name that is drawn for a class of ``__main__``."""
        if isinstance(obj, CodeType):  # what it does, and not in which cell or line it stands
            return tuple, ([getattr(obj, name) for name in _CODE],)
        found = super().reducer_override(obj)
        if isinstance(obj, type) and isinstance(found, tuple):
            drawn = [isinstance(one, str) and _DRAWN.fullmatch(one) for one in found[1]]
            kept = tuple("" if is_drawn else one for one, is_drawn in zip(found[1], drawn, strict=True))
            found = (found[0], kept, *found[2:])
        return found

    def persistent_id(self, obj: Any) -> Any:
        """Return what stands for a tensor, and for a set, whose order is another one in each process.

        Other kinds of tensors are pickled with all that they hold.
        """
        if type(obj) in (set, frozenset):
            return type(obj).__name__, sorted(_pickled(one, floats=self._floats) for one in obj)
        if type(obj) not in self._plain or str(obj.layout) != "torch.strided":
            return None
        tie, _ = self._seen.setdefault(id(obj), (len(self._seen), obj))  # one tensor twice is not two alike
        shape = (tuple(obj.shape), tuple(obj.stride()), str(obj.device.type), obj.requires_grad)
        known = (type(obj).__name__, str(obj.dtype), *shape, tie, _pickled(vars(obj), floats=self._floats))
        is_weight = type(obj) is not self._plain[0]
        if (obj.is_floating_point() or obj.is_complex()) and (is_weight or not self._floats):
            return known
        return (*known, _numbers(obj))


def _numbers(tensor: Any) -> str:
    uint8 = sys.modules["torch"].uint8  # it is there: somebody has made a tensor
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(uint8)
    return hashlib.sha256(flat.numpy().tobytes()).hexdigest()
