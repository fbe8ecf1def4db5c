"""Check, in a worker and after all timing, whether a variant's outputs are those of eager.

Everything is compared on models and inputs that are loaded anew, since those that were timed have been called thousands
of times. Also under inference_mode nothing is loaded as inference tensors: a compiled function has not seen any before
and would compile again.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from optkit.worker import agreement, conversion, leaves
from optkit.worker.fresh import load_fresh, run
from optkit.worker.state import differing, inputs_differ, restore
from optkit.worker.yardstick import Yardstick

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.engines.base import Batch, LoadedModel
    from optkit.variant import Variant
    from optkit.worker.leaves import Leaves

Details = dict[str, Any]

OTHER_SEED = 1
REASON_CHARACTERS = 400
DIFFERENT_WEIGHTS = "Building the model twice gave different weights; seed what it draws them from."
DIFFERENT_RUNS = "Two runs of eager with the same seed gave different outputs; ask torch for deterministic algorithms."
DRAWS = "Eager draws random numbers: another seed gave other outputs; switch its randomness off."
OTHER_INPUTS = "For your inputs it agrees, but for others of the same shapes (floats negated, whole numbers reversed)"
LEAVES_INPUTS = "Eager changes its inputs in place, and this variant leaves them as they are."
CHANGES = "It changes its inputs in place, and eager leaves them as they are."
UNREPEATABLE = "Two runs of this variant with the same seed gave different outputs, so it cannot be relied upon."


def make_reference(spec: Details, timed: LoadedModel, function: Callable[..., Any], path: str) -> Details:
    """Write eager's outputs to `path`, and say whether they can be repeated.

    Parameters
    ----------
    spec
        What `Workload.pack` returned.
    timed
        The model and the batches that were called in the timing.
    function
        What was timed; eager itself here, so the fresh model is called instead of it.
    path
        Where `check` finds the outputs.

    Returns
    -------
    dict
        ``agreement``: ``nondeterministic``, ``stateful``, ``nan``, ``inf`` or ``equal`` (where nothing can be
        compared: ``structure``); ``max_abs_error``; ``details``.
    """
    del function
    fresh = load_fresh(spec, timed.device)
    details = _changes(spec, timed, fresh)
    outputs: list[Any] = []
    first = run(fresh.target, fresh.batches, keep=outputs if timed.evaluate else None)
    details |= _metric(timed, outputs)
    details |= _repeatability(spec, fresh, first)
    flags = {name: bool(details.get(name)) for name in ("random", "stateful", "inputs_changed")}
    others = None if flags["random"] or flags["stateful"] else _of_others(spec, timed.device)
    leaves.save(first, others, flags, path)
    itself = agreement.combine([agreement.compare(one, one) for one in first])
    reason = _reason(flags)
    error = itself.max_abs_error if reason is None else None
    return {"agreement": reason or itself.status, "max_abs_error": error, "details": details | _shown(itself, first)}


def check(spec: Details, timed: LoadedModel, function: Callable[..., Any], path: str, variant: Variant) -> Details:
    """Compare a variant's outputs with those at `path`.

    Parameters
    ----------
    spec
        What `Workload.pack` returned.
    timed
        The model and the batches that were called in the timing; its state is put back to what it was at first.
    function
        What was timed.
    path
        What `make_reference` wrote.
    variant
        Says in which precision it computes; outputs of less are held against eager's in the same.

    Returns
    -------
    dict
        ``agreement``: see `optkit.worker.agreement.Agreement`; or, where the outputs do not agree, the reason why that
        says nothing: ``nondeterministic`` or ``stateful``, as eager is. ``max_abs_error``, ``details``.
    """
    reference, others, flags = leaves.load(path)
    fresh = _converted(spec, timed.device, variant)
    details = {} if timed.model is None else _changes(spec, timed, fresh)
    if timed.model is None:
        details["inputs_changed"] = inputs_differ(timed.batches, fresh.batches)
    outputs: list[Any] = []
    restore(timed, fresh)
    first = run(function, fresh.batches, keep=outputs if timed.evaluate else None)
    details |= _metric(timed, outputs)
    outputs.clear()
    restore(timed, fresh)
    again = run(function, fresh.batches)
    runs = [first]
    if not agreement.repeats(again, first) and not flags["stateful"]:  # what is no tensor could not be put back
        details["random"] = UNREPEATABLE
        runs.append(again)
    is_random = flags["random"] or "random" in details  # then other runs would draw other numbers
    yardstick = partial(Yardstick, spec, timed.device, variant)
    own = None if is_random else yardstick(fresh.batches)
    every = [one for run in runs for one in _compare(run, reference, own)]
    if len(first) > 1:
        details["batch"] = max(range(len(every)), key=lambda i: agreement.badness(every[i])) % len(first)
    worst = agreement.combine(every)
    if others is not None and worst.status in agreement.AGREEING and not is_random:
        restore(timed, fresh)
        worst = _on_others(worst, others, function, fresh, yardstick)
    reason = None if worst.status in agreement.AGREEING else _reason(flags)
    if flags["stateful"] and timed.model is None:
        reason = "stateful"  # the file may have left the state out, and agree with eager's first call alone
    if worst.status in agreement.AGREEING and flags["inputs_changed"] != details["inputs_changed"]:
        worst = dataclasses.replace(
            worst, status="different", why=LEAVES_INPUTS if flags["inputs_changed"] else CHANGES
        )
    details |= _shown(worst, first)
    return {"agreement": reason or worst.status, "max_abs_error": worst.max_abs_error, "details": details}


def _on_others(
    so_far: agreement.Agreement,
    reference: list[Leaves],
    function: Callable[..., Any],
    fresh: LoadedModel,
    yardstick: Callable[[tuple[Batch, ...]], Yardstick],
) -> agreement.Agreement:
    """Compare on other inputs of the same shapes: what was traced may be right only for those it was traced with."""
    batches = _varied(fresh.batches)
    try:
        found = run(function, batches)
    except Exception as error:  # noqa: BLE001 - eager did not fail there
        said = " ".join(str(error).split())[:REASON_CHARACTERS]
        why = f"{OTHER_INPUTS} it fails: {type(error).__name__}: {said}"
        return dataclasses.replace(so_far, status="different", why=why)
    worst = agreement.combine(_compare(found, reference, yardstick(batches)))
    if worst.status in agreement.AGREEING:
        return so_far
    return dataclasses.replace(worst, why=f"{OTHER_INPUTS} {worst.why[:1].lower()}{worst.why[1:]}")


def _of_others(spec: Details, device: str) -> list[Leaves] | None:
    """Return eager's outputs for other inputs of the same shapes; None where there are none that it takes."""
    fresh = load_fresh(spec, device)
    batches = _varied(fresh.batches)
    if not inputs_differ(batches, fresh.batches):
        return None
    try:
        found = run(fresh.target, batches)
    except Exception:  # noqa: BLE001 - the model does not take such values; then nothing can be said of them
        return None
    return found if all(agreement.is_finite(one) for one in found) else None


def _varied(batches: tuple[Batch, ...]) -> tuple[Batch, ...]:
    """Return other inputs: floats of the other sign, whole numbers in the other order, so that none is a new one."""

    def one(tensor: Tensor) -> Tensor:
        if tensor.is_floating_point():
            return -tensor
        return tensor.flip(-1) if tensor.dim() and tensor.dtype != torch.bool else tensor

    with torch.inference_mode(False):
        varied: tuple[Batch, ...] = pytree.tree_map_only(Tensor, one, batches)
    return varied


def _converted(spec: Details, device: str, variant: Variant) -> LoadedModel:
    """Load model and batches once more, in the variant's precision and layout."""
    with torch.inference_mode(False):
        return conversion.convert(load_fresh(spec, device), variant)


def _repeatability(spec: Details, fresh: LoadedModel, first: list[Leaves]) -> Details:
    """Say whether eager's outputs depend on chance, or on how often the model was called; `fresh` was called once."""
    found: Details = {}
    if not agreement.repeats(run(fresh.target, fresh.batches), first):
        fresh = load_fresh(spec, fresh.device)
        if not agreement.repeats(run(fresh.target, fresh.batches), first):
            return {"random": DIFFERENT_RUNS}
        found["stateful"] = True
        fresh = load_fresh(spec, fresh.device)
    if not agreement.repeats(run(fresh.target, fresh.batches, seed=OTHER_SEED), first):
        fresh = load_fresh(spec, fresh.device)  # a first call again, so that only the seed can be the reason
        if not agreement.repeats(run(fresh.target, fresh.batches, seed=OTHER_SEED), first):
            return found | {"random": DRAWS}
        found["stateful"] = True
    return found


def _changes(spec: Details, timed: LoadedModel, fresh: LoadedModel) -> Details:
    """Say what the calls changed in the model and in the inputs."""
    state = differing(timed.model, fresh.model)
    details: Details = {"state": state, "inputs_changed": inputs_differ(timed.batches, fresh.batches)}
    if state and (by_chance := set(differing(load_fresh(spec, timed.device).model, fresh.model))):
        details |= {"state": [name for name in state if name not in by_chance], "random": DIFFERENT_WEIGHTS}
    return details


def _compare(found: list[Leaves], reference: list[Leaves], yardstick: Yardstick | None) -> list[agreement.Agreement]:
    return [
        agreement.compare(
            mine,
            eagers,
            None if yardstick is None else partial(yardstick.exact, number),
            partial(yardstick.peer, number) if yardstick is not None and yardstick.is_reduced else None,
        )
        for number, (mine, eagers) in enumerate(zip(found, reference, strict=True))
    ]


def _reason(flags: Details) -> str | None:
    """Return why eager's outputs are nothing to be held against."""
    return "nondeterministic" if flags["random"] else "stateful" if flags["stateful"] else None


def _shown(worst: agreement.Agreement, outputs: list[Leaves]) -> Details:
    names = ("cosine", "top1", "where", "why")
    skipped = leaves.not_compared(outputs[0])
    return {name: getattr(worst, name) for name in names} | ({"not_compared": skipped} if skipped else {})


def _metric(timed: LoadedModel, outputs: list[Any]) -> Details:
    """Return the number that the user's function makes of the outputs, or why it makes none."""
    if timed.evaluate is None:
        return {}
    try:
        number = float(timed.evaluate(outputs[0] if len(timed.batches) == 1 else outputs))
    except Exception as error:  # noqa: BLE001 - the user's code
        said = " ".join(str(error).split())
        return {"metric": None, "metric_error": f"{type(error).__name__}: {said}"[:REASON_CHARACTERS]}
    return {"metric": number if math.isfinite(number) else None}
