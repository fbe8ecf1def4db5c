"""Which doubts the facts about a measurement raise, each with its remedy. Pure.

What an engine's own settings have to do with it is asked of the engine (`Engine.doubts`); the rest is said here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from optkit.disturbance import NOISY_SHARE
from optkit.errors import VariantError
from optkit.variant import Variant
from optkit.verdicts import DECIDING_ROUNDS, PASSING, Doubt

if TYPE_CHECKING:
    from optkit.events import MachineRead, PhaseEnded, RatesMeasured, StudyStarted, WorkCounted
    from optkit.measurement import Measurement

NOISY_BAND = 0.05
"""Two equal workers that stray further than this from each other make the machine a noisy one."""
NOISY_THROTTLE = 0.01
"""So do other processes that use more than `disturbance.NOISY_SHARE` of its CPUs, and a container that is held back for
more than this share of the time."""


@dataclass
class Surroundings:
    """What is known of the study and the machine, shared by all its measurements.

    Attributes
    ----------
    budget_s, fewest_rounds, most_rounds
        Of the plan.
    device
        Where the model runs.
    usable_cpus, has_quota
        CPUs' worth of time that can be had, and whether that is a container's quota.
    disables_compile
        Environment variables that switch torch.compile off in the user's own processes.
    others_cpus, visible_cpus
        CPUs' worth of time that other processes took: the mean so far, out of how many.
    throttled_share
        Share of the time for which the container was held back.
    modules_s
        Seconds that importing each of torch's modules took, once for all workers.
    probe_s
        Seconds of Inductor's look at this CPU, which every fresh machine pays once; None where nobody needed it.
    work, rates
        The least work of a call, and what the machine can do at most, by number of threads.
    inputs
        Shapes and types of the inputs, in words; empty while no worker has made them.
    measurements
        All of the study, by the text of the variant.
    """

    budget_s: float = 0.0
    most_rounds: int = DECIDING_ROUNDS
    device: str = "cpu"
    usable_cpus: float | None = None
    has_quota: bool = False
    disables_compile: tuple[str, ...] = ()
    others_cpus: float | None = None
    visible_cpus: int | None = None
    throttled_share: float | None = None
    modules_s: dict[str, float] = field(default_factory=dict)
    probe_s: float | None = None
    inputs: str = ""
    work: WorkCounted | None = None
    rates: dict[int | None, RatesMeasured] = field(default_factory=dict)
    measurements: dict[str, Measurement] = field(default_factory=dict)
    _readings: list[tuple[float, float]] = field(default_factory=list)
    _last_s: float = 0.0

    @classmethod
    def of(cls, started: StudyStarted) -> Surroundings:
        """Return what a study's first event tells."""
        machine, plan = started.environment, started.plan
        cpus, quota = machine.get("cpus"), machine.get("cpu_quota")
        known = [float(count) for count in (cpus, quota) if count is not None]
        return cls(
            budget_s=plan.get("budget_s", 0.0),
            most_rounds=plan.get("rounds", (0, DECIDING_ROUNDS))[1],
            device=str(started.workload.get("device", "cpu")),
            usable_cpus=min(known, default=None),
            has_quota=quota is not None,
            disables_compile=tuple(machine.get("disables_compile", ())),
        )

    def learn(self, event: PhaseEnded) -> None:
        """Take in what a phase told of things that are the same for all variants."""
        if event.phase == "import":
            self.modules_s = dict(event.details.get("modules_s", {}))
        elif event.phase == "probe" and event.details.get("of") == "machine":
            self.probe_s = event.seconds
        elif event.phase == "build" and not self.inputs:
            self.inputs = str(event.details.get("inputs", ""))

    def fold(self, event: MachineRead) -> None:
        """Take in one more reading: each counts for the time since the one before."""
        passed, self._last_s = event.at_s - self._last_s, event.at_s
        if event.others_cpus is not None and passed > 0:
            self._readings = [*self._readings, (passed, event.others_cpus)]
            total_s = sum(seconds for seconds, _ in self._readings)
            self.others_cpus = sum(seconds * cpus for seconds, cpus in self._readings) / total_s
            self.visible_cpus = event.visible_cpus
        if event.throttled_s is not None and event.at_s > 0:
            self.throttled_share = event.throttled_s / event.at_s


def find(m: Measurement) -> dict[Doubt, str]:
    """Return the doubts about a measurement, each with its remedy, a sentence made from the settings in use."""
    remedies = _of_engine(m)
    for doubt, remedy in (
        (Doubt.NOT_STEADY, _not_steady(m)),
        (Doubt.NOISY_MACHINE, _noisy_machine(m)),
        (Doubt.NOT_INTERLEAVED, _not_interleaved(m)),
        (Doubt.TOO_FEW_CALLS, _too_few_calls(m)),
        (Doubt.THREADS_EXCEED_QUOTA, _threads_exceed_quota(m)),
        (Doubt.OUTPUT_DIFFERS, _output_differs(m)),
        (Doubt.NONDETERMINISTIC, _nondeterministic(m)),
        (Doubt.STATEFUL, _stateful(m)),
    ):
        if remedy is not None:
            remedies[doubt] = remedy
    return remedies


def _of_engine(m: Measurement) -> dict[Doubt, str]:
    """Ask the engine; an engine that this process does not know says nothing."""
    try:
        variant = Variant.read(m.variant)
    except VariantError:
        return {}
    facts = m.engine_facts | m.facts
    found = dict(variant.engine.doubts(facts, grad=variant.grad, device=m.surroundings.device))
    if variant.compiled_in not in (None, variant.grad) and Doubt.RECOMPILED in found:
        found[Doubt.RECOMPILED] = (
            f"It was compiled under {variant.compiled_in} and then called under {variant.grad}, so torch compiled once "
            "more; compile and call in the same context."
        )
    if m.surroundings.disables_compile and variant.engine.compiles and Doubt.NOT_COMPILED not in found:
        names = " and ".join(m.surroundings.disables_compile)
        found[Doubt.NOT_COMPILED] = (
            f"{names} is set here, so torch.compile does nothing in your own processes; optkit measured without it. "
            "Unset it before you use this."
        )
    return found


def _not_steady(m: Measurement) -> str | None:
    if not m.settled or m.steady:
        return None
    return (
        f"Calls were still changing after {len(m.settle_s)} samples of warming up; "
        f"give more than budget_s={m.surroundings.budget_s:g}, or quieten the machine."
    )


def _noisy_machine(m: Measurement) -> str | None:
    if m.median_s is None:
        return None
    seen, around = [], m.surroundings
    noise = None if m.baseline is None else m.baseline.noise
    if noise is not None and noise > NOISY_BAND:
        seen.append(f"two equal workers strayed {noise:.0%} from each other")
    if around.others_cpus is not None and around.others_cpus > NOISY_SHARE * (around.visible_cpus or 1):
        seen.append(f"other processes used {around.others_cpus:.1f} of {around.visible_cpus} CPUs")
    if around.throttled_share is not None and around.throttled_share > NOISY_THROTTLE:
        seen.append(f"the container was held back {around.throttled_share:.0%} of the time")
    if not seen:
        return None
    said = " and ".join(seen)
    return f"{said[0].upper()}{said[1:]}; end what else runs here, or give more than budget_s={around.budget_s:g}."


def _not_interleaved(m: Measurement) -> str | None:
    if not m.reloaded:
        return None
    return (
        "Its worker did not fit in memory beside the others, so it was loaded in turn with the baseline; "
        "free some memory, or measure fewer variants at once."
    )


def _too_few_calls(m: Measurement) -> str | None:
    made = m.rounds if m.baseline is m else len(m.all_ratios)
    if m.median_s is None or made >= DECIDING_ROUNDS or m.status not in ("ok", "stopped"):
        return None
    dropped = 0 if m.baseline is m else m.warmup_rounds
    left_out = f" ({dropped} more {'was' if dropped == 1 else 'were'} left out as warm-up)" if dropped else ""
    rounds = f"{made - dropped} round{'s' * (made - dropped != 1)}{left_out}"
    said = f"It rests on {rounds} and a verdict wants {DECIDING_ROUNDS};"
    if m.surroundings.most_rounds < DECIDING_ROUNDS:
        return f"{said} give more rounds than {m.surroundings.most_rounds}."
    return f"{said} give more than budget_s={m.surroundings.budget_s:g}."


def _threads_exceed_quota(m: Measurement) -> str | None:
    usable = m.surroundings.usable_cpus
    if m.threads is None or usable is None or m.threads <= max(usable, 1):
        return None
    whose = "the container grants" if m.surroundings.has_quota else "this process may use"
    return f"It ran {m.threads} threads and {whose} {usable:g} CPUs; add +threads={max(int(usable), 1)}."


def _output_differs(m: Measurement) -> str | None:
    if m.agreement in (None, *PASSING, "nondeterministic", "stateful"):
        return None
    return str(m.check.details.get("why") or f"Its outputs differ from eager's ({m.agreement}).") if m.check else None


def _nondeterministic(m: Measurement) -> str | None:
    own = _detail(m, "random")
    if own:
        return str(own)
    if m.agreement == "nondeterministic":
        return (
            "Eager's own outputs cannot be repeated, so nobody can tell whether these are right; "
            "fix the seeds that the model draws from, or switch its randomness off."
        )
    return None


def _stateful(m: Measurement) -> str | None:
    names = _detail(m, "state") or ()
    changed = [f"its {', '.join(map(repr, names))}"] if names else []
    if _detail(m, "inputs_changed"):
        changed.append("their own inputs")
    if changed:
        return f"Calls change {' and '.join(changed)}; measure a model that leaves them as they are."
    if m.agreement == "stateful" or _detail(m, "stateful"):
        return "Outputs depend on how often the model was called before; measure a model that keeps no count of it."
    return None


def _detail(m: Measurement, name: str) -> Any:
    return None if m.check is None else m.check.details.get(name)
