"""What changing input shapes cost: the user's sequence, call by call, in each way that torch has to meet it.

Each way runs in a worker of its own with a cold cache, so that no graph of another is at hand.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from optkit import disturbance, replay_advice, replay_items, replay_page, replayed
from optkit.errors import UsageError
from optkit.investigation import INTERRUPTIONS, Investigation, chosen_variant
from optkit.variant import BASELINE, Variant
from optkit.workload import Workload, workload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd

    from optkit.replayed import ReplayedCall

MARK = "mark_dynamic"
EAGER = str(BASELINE)
STOPPED = "It was stopped before this had made its calls."
WAYS = ("compile", "compile:dynamic=true", "compile:dynamic=false", MARK)
"""torch decides at the second size; symbolic sizes from the first; never; and only where the user says so."""


@dataclass
class Replay:
    """All calls of a replay.

    Attributes
    ----------
    model, device
        What was replayed, and where.
    calls
        Each call of each variant, in order; ``eager`` comes first.
    failed
        Why a variant made no calls, by its text.
    loads
        ``others_cpus`` of ``visible_cpus``, which other processes used during the calls of a variant, by its text.
    """

    model: str
    device: str
    calls: list[ReplayedCall]
    failed: dict[str, str] = field(default_factory=dict)
    loads: dict[str, dict[str, float | None]] = field(default_factory=dict)

    @property
    def stopped(self) -> bool:
        """Whether an interrupt ended it early."""
        return STOPPED in self.failed.values()

    @property
    def variants(self) -> list[str]:
        """The variants that made calls, ``eager`` first."""
        return list(dict.fromkeys(call.variant for call in self.calls))

    def of(self, variant: str) -> list[ReplayedCall]:
        """Return the calls of a variant."""
        return [call for call in self.calls if call.variant == variant]

    def total_s(self, variant: str) -> float | None:
        """Return the seconds of all calls of a variant; None where one of them raised, or there are none."""
        durations = [call.duration_s for call in self.of(variant)]
        known = [duration for duration in durations if duration is not None]
        return sum(known) if known and len(known) == len(durations) else None

    def compiles(self, variant: str) -> int | None:
        """Return how often torch compiled something in all calls of a variant; None where it does not say."""
        counts = [call.compiles for call in self.of(variant)]
        known = [count for count in counts if count is not None]
        return sum(known) if known and len(known) == len(counts) else None

    @property
    def is_disturbed(self) -> bool:
        """Whether other processes used so much of the machine that times are not to be compared."""
        return disturbance.is_high(self.loads.values())

    @property
    def advice(self) -> list[str]:
        """What follows from what was seen, one sentence each."""
        return replay_advice.advice(self)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a call: ``variant call asked shape duration_s compiles reasons error``."""
        import pandas as pd

        columns = ["variant", "call", "asked", "shape", "duration_s", "compiles", "reasons", "error"]
        frame = pd.DataFrame([self._row(call) for call in self.calls], columns=columns)
        return frame.astype({"compiles": "Int64"})  # a count that is not told is missing, and the others stay whole

    def _row(self, call: ReplayedCall) -> tuple[Any, ...]:
        return (
            call.variant, call.number, call.asked, call.shape, call.duration_s, call.compiles, call.reasons, call.error,
        )  # fmt: skip

    def to_json(self) -> str:
        """Return it as one JSON document."""
        calls = [asdict(call) | {"compiles": call.compiles, "reasons": call.reasons} for call in self.calls]
        told = {"schema": 1, "model": self.model, "device": self.device, "calls": calls, "failed": self.failed,
                "loads": self.loads}  # fmt: skip
        totals = {variant: self.total_s(variant) for variant in self.variants}
        return json.dumps(told | {"totals_s": totals, "advice": self.advice}, indent=2)

    def svg(self, *, width: float = replay_page.WIDTH, standalone: bool = True) -> str:
        """Return a picture of variants × calls; with `standalone` it is a file of its own, for light and dark."""
        return replay_page.svg(self, width=width, standalone=standalone)

    def __str__(self) -> str:
        return replay_page.words(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": replay_page.html(self), "image/svg+xml": self.svg()}


def replay_shapes(
    model: Any,
    shapes: Iterable[Any],
    variants: Iterable[Variant | str] | Variant | str | None = None,
    inputs: Any = None,
    *,
    batch_size: int = 1,
    shape: Sequence[int] | None = None,
    device: Any = None,
    call: str | None = None,
    weights: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> Replay:
    """Call a model with a sequence of input shapes, and see in which calls torch compiles, and what that costs.

    Each variant is called once with each shape, in order, in a worker of its own with an empty cache; so the first call
    is a cold one. Eager is replayed too, for its times.

    Parameters
    ----------
    model, inputs, batch_size, shape, device, call, weights
        See `optkit.Workload`; a `Workload` is taken as a model as well. Inputs are made like the first batch: of its
        dtype, on its device, integers within its range. For a model of your own they can be left out where every item
        of `shapes` gives all shapes: float32 tensors are made then.
    shapes
        What is called, in order. Each item is a batch size, such as 8: tensors as long as the batch are repeated or
        cut; or a shape, such as ``(8, 3, 32, 32)``, of the first tensor; or, for several inputs, a dict of shapes by
        position, keyword or name of the parameter. What a dict does not name stays as it is.
    variants
        What to compare, as `Variant` or text; and the word ``"mark_dynamic"``, which is ``compile`` with
        ``torch._dynamo.mark_dynamic(tensor, 0)`` for each tensor whose first dimension varies over the replay and is at
        least 2. Default: `compile`, with ``dynamic=true``, with ``dynamic=false``, and ``mark_dynamic``.
    tell
        Is told what is being done, in words; ``print`` will do.

    Returns
    -------
    Replay
        Also where a variant fails: its sentence is in `Replay.failed`; and where an interrupt ends it early.

    Raises
    ------
    UsageError
        If an item of `shapes` makes no sense, a variant cannot run here, or the model cannot be built.
    """
    items = replay_items.read(shapes)
    if inputs is None and not isinstance(model, str | Workload):
        replay_items.check_whole(items)
        inputs = replay_items.FREE
    given = {"batch_size": batch_size, "shape": shape, "device": device, "call": call, "weights": weights}
    return call_each(Investigation(workload_from(model, inputs, **given), tell=tell), items, variants)


def call_each(
    looking: Investigation,
    items: list[dict[str, Any]],
    variants: Iterable[Variant | str] | Variant | str | None = None,
) -> Replay:
    """Do it with the workers of an investigation, for what `replay_items.read` returned; see `replay_shapes`."""
    chosen = _variants(variants)
    replay_items.check_names(items, looking.workload)
    _check_variants(chosen, looking.workload, looking)
    asked = [replay_items.words(item) for item in items]
    replay = Replay(looking.workload.name, looking.device, [])
    names: list[str] | None = None
    with looking:
        for name, variant in chosen.items():
            given = {"sequence": items, "mark_dynamic": name == MARK, "names": names}
            try:
                answer = _asked(looking, variant, given)
            except UsageError as error:
                if name == EAGER:  # then it is the model, or what was asked for
                    raise
                replay.failed[name] = str(error)  # what the others have shown stays
                continue
            except INTERRUPTIONS:
                if not replay.calls:
                    raise
                done = len(replay.variants) + len(replay.failed)
                replay.failed |= dict.fromkeys(list(chosen)[done:], STOPPED)
                break
            names = answer["parameters"]
            replay.loads[name] = answer["load"]
            is_told = variant.engine.compiles or variant.engine.name == "eager"
            replay.calls += replayed.calls(name, asked, answer, is_told=is_told)
    return replay


def _asked(looking: Investigation, variant: Variant, given: dict[str, Any]) -> dict[str, Any]:
    worker = looking.worker(variant)
    try:
        return looking.ask(worker, "calls", variant, **given)
    finally:
        worker.end()


def _variants(variants: Iterable[Variant | str] | Variant | str | None) -> dict[str, Variant]:
    """Return the variants by the name that they have here, eager first."""
    given = WAYS if variants is None else [variants] if isinstance(variants, Variant | str) else variants
    if not hasattr(given, "__iter__"):
        raise UsageError(f"{given!r} is no variant; give variants as optkit.Variant or text, or {MARK!r}.")
    chosen = {EAGER: BASELINE}
    for one in given:
        variant = Variant.parse("compile") if one == MARK else chosen_variant(one)
        chosen[MARK if one == MARK else str(variant)] = variant
    return chosen


def _check_variants(chosen: dict[str, Variant], workload: Workload, looking: Investigation) -> None:
    here = looking.environment.placed(looking.device)
    for name, variant in chosen.items():
        if (blocked := variant.blocked(here)) is not None:
            raise UsageError(f"{name} cannot run here: {blocked}")
        if variant.compiled_in is not None or variant.fallback is not None:
            raise UsageError(f"{name} treats its first call unlike others; leave compiled_in and fallback out.")
        if variant.engine.exports and replay_items.is_free(workload):
            raise UsageError(f"{name} is exported with example inputs; pass these as inputs=.")
