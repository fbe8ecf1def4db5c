"""What a user asks to have replayed: batch sizes and shapes, checked before any worker is started. Pure."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optkit import signatures
from optkit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.workload import Workload

Item = dict[str, Any]
"""As `optkit.worker.batches` takes it: ``{"batch_size": 8}``, or ``{"shapes": {"tokens": [8, 32]}}``."""
FREE: tuple[Any, ...] = ()
"""The inputs of a workload whose items say all that it is called with."""


def read(shapes: Iterable[Any]) -> list[Item]:
    """Return what the user gave as items.

    Raises
    ------
    UsageError
        If one of them is neither a batch size nor a shape nor a dict of shapes.
    """
    wrong = isinstance(shapes, str | Mapping) or not hasattr(shapes, "__iter__")
    items = [] if wrong else [_item(one) for one in shapes]
    if not items:
        raise UsageError("shapes must be a list of what to call, in order; give e.g. [1, 4, 8, 16].")
    return items


def _item(one: Any) -> Item:
    if isinstance(one, Mapping):
        if not one or not all(isinstance(name, str | int) and not isinstance(name, bool) for name in one):
            raise UsageError(f"{one!r} must name inputs by position or name; give e.g. {{'tokens': (4, 16)}}.")
        return {"shapes": {str(name): _shape(sizes, one) for name, sizes in one.items()}}
    if isinstance(one, Sequence) and not isinstance(one, str):
        return {"shapes": {"": _shape(one, one)}}
    return {"batch_size": _size(one, one)}


def _shape(sizes: Any, item: Any) -> list[int]:
    if not isinstance(sizes, Sequence) or isinstance(sizes, str) or not sizes:
        raise UsageError(f"{item!r} holds {sizes!r}, which is no shape; give a tuple such as (4, 16).")
    return [_size(size, item) for size in sizes]


def _size(value: Any, item: Any) -> int:
    try:
        size = operator.index(value)
    except TypeError:
        size = 0
    if isinstance(value, bool) or size < 1:
        held = "" if value is item else f" holds {value!r}, which"
        raise UsageError(f"{item!r}{held} is no size; give a whole number of at least 1, a shape, or a dict of shapes.")
    return size


def check_whole(items: list[Item]) -> None:
    """Raise a UsageError unless the items say all that a model without example inputs is called with."""
    for item in items:
        if "batch_size" in item:
            size = item["batch_size"]
            raise UsageError(
                f"A batch of {size} is made from inputs; pass inputs=, or give full shapes such as (8, 3)."
            )
    first = items[0]["shapes"].keys()
    if any(item["shapes"].keys() != first for item in items):
        raise UsageError("Without inputs= each item must give the shapes of all inputs; name the same ones in each.")
    numbers = sorted(int(name) for name in first if name.isdigit())
    if numbers != list(range(len(numbers))):
        raise UsageError(f"Without inputs= positions count from 0 on, without gaps; these are {numbers}.")


def is_free(workload: Workload) -> bool:
    """Whether the items say all that the model is called with."""
    return workload.batches is not None and workload.batches[0] == (FREE, {})


def check_names(items: list[Item], workload: Workload) -> None:
    """Raise a UsageError where an item names an input that is not there, as far as this process can know.

    The inputs of the zoo, and the parameters of a model that a function builds, are known in the worker only.
    """
    if workload.batches is None or is_free(workload):
        return
    args, kwargs = workload.batches[0]
    inputs = {str(number): value for number, value in enumerate(args)} | kwargs
    parameters = signatures.positional(getattr(workload.model, workload.call)) if workload.is_module else None
    known = inputs | dict(zip(parameters or (), args, strict=False))
    for item in items:
        for name in filter(None, item.get("shapes", ())):
            if name not in known and parameters is None and not name.isdigit():
                continue
            if not hasattr(known.get(name), "dtype"):
                names = ", ".join(key for key, value in inputs.items() if hasattr(value, "dtype"))
                raise UsageError(f"There is no tensor {name!r} among the inputs; name one of these: {names or 'none'}.")


def words(item: Item) -> str:
    """Return an item as text: ``8``, ``8×32``, ``tokens 8×32 + mask 8×32``."""
    if "batch_size" in item:
        return str(item["batch_size"])
    return " + ".join(f"{name} {'×'.join(map(str, shape))}".strip() for name, shape in item["shapes"].items())
