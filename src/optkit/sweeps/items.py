"""What a sweep is asked for, turned into items: one study each, with a name that tells it from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optkit import environment, text
from optkit.engines import Engine
from optkit.errors import UsageError
from optkit.presets import resolve
from optkit.sweeps import asked
from optkit.variant import BASELINE, Variant
from optkit.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from optkit.presets import VariantLike
    from optkit.study import Plan


@dataclass(frozen=True)
class Item:
    """One study of a sweep.

    Attributes
    ----------
    number
        Its place in the sweep, from 0.
    name
        What its workload is called in tables; no two are called alike.
    variants
        As they were given: a preset stands for what makes sense on the machine that measures it.
    asked
        Digits of the question; see `optkit.sweeps.asked`.
    expected
        Texts of the variants as this machine would resolve them, for rows of studies that never began.
    """

    number: int
    name: str
    workload: Workload
    variants: tuple[VariantLike, ...]
    plan: Plan
    asked: str
    expected: tuple[str, ...]


def items(workloads: Any, variants: VariantLike | Iterable[VariantLike], plan: Plan) -> list[Item]:
    """Return the studies of a sweep, in the order given.

    Parameters
    ----------
    workloads
        Workloads or names of models: one, several, or a dict whose keys are what to call them.
    variants, plan
        Of every study.

    Raises
    ------
    UsageError
        If there is no workload, or something that is none; or a variant makes no sense.
    """
    given = (variants,) if isinstance(variants, Variant | Engine | str) else tuple(variants)
    chosen, names = _workloads(workloads)
    return [
        Item(number, name, workload, given, plan, asked.digest(workload, given, plan), _expected(workload, given))
        for number, (name, workload) in enumerate(zip(names, chosen, strict=True))
    ]


def _expected(workload: Workload, variants: Sequence[VariantLike]) -> tuple[str, ...]:
    """Return the variants as text; where they run, a preset may stand for others."""
    here = environment.detect()
    found = resolve(variants, here.placed(workload.device or here.device))
    return (str(BASELINE), *(str(one) for one in found if one != BASELINE))


def _workloads(given: Any) -> tuple[list[Workload], list[str]]:
    if isinstance(given, Mapping) and given:
        return [_workload(one) for one in given.values()], unlike([text.one_line(str(name)) for name in given])
    several = [given] if isinstance(given, Workload | str) else given
    try:
        found = [_workload(one) for one in several]
    except TypeError as error:
        if isinstance(several, list | tuple):
            raise
        raise UsageError(
            f"workloads must be Workloads or names of models, several in a list, not {type(given).__name__}."
        ) from error
    if not found:
        raise UsageError("There is nothing to sweep over; give at least one workload.")
    return found, unlike(names(found))


def _workload(one: Any) -> Workload:
    if isinstance(one, Workload):
        return one
    if isinstance(one, str):
        return Workload(one)
    raise UsageError(
        f"A {type(one).__name__} is no workload; give names of models, or Workload(model, inputs) for your own."
    )


def names(workloads: Sequence[Workload]) -> list[str]:
    """Return the models' names, with what else tells one from the others."""
    told = [
        {
            "batch": one.batch_size if one.is_zoo and one.batches is None else None,
            "shape": "×".join(map(str, one.shape)) if one.shape else None,
            "device": one.device,
            "call": one.call,
            "weights": one.weights,
        }
        for one in workloads
    ]
    found = []
    for one, facts in zip(workloads, told, strict=True):
        rivals = [other for w, other in zip(workloads, told, strict=True) if w.name == one.name]
        is_large = facts["batch"] not in {None, 1}
        differ = [f for f in facts if any(other[f] != facts[f] for other in rivals) or (f == "batch" and is_large)]
        said = [f"{name} {facts[name]}" for name in differ if facts[name] is not None]
        found.append(", ".join([one.name, *said]))
    return found


def unlike(names: Sequence[str]) -> list[str]:
    """Return the names, numbered where two are alike."""
    alike, seen = Counter(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if alike[name] > 1 else name)
    return found
