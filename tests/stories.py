"""Hand-made events: what a study would have told, without running one."""

from __future__ import annotations

from optkit.events import (
    Event,
    FirstCall,
    PhaseBegan,
    PhaseEnded,
    Samples,
    StudyEnded,
    StudyStarted,
    VariantFailed,
    VariantFinished,
    VariantSkipped,
)

MS = 1_000_000
BUILT = {"inputs": "1×3 float32", "parameters": 9, "device": "cpu", "threads": 2}
WORKLOAD = {"model": "Net", "code": "model.eval()", "call": "forward", "inputs_code": "*inputs"}


def started(*variants: str, workload=None, seed=0) -> StudyStarted:
    return StudyStarted(
        at_s=0.0,
        run_id="run",
        time_unix_s=1.7e9,
        workload=workload or WORKLOAD,
        variants=("eager", *variants),
        baseline="eager",
        plan={"budget_s": 10.0, "rounds": [20, 30], "seed": seed},
        environment={"cpu": "a processor"},
    )


def bring_up(variant: str, *, twin=False, graphs=None, steady=True, first_ms=500) -> list[Event]:
    """Everything up to the rounds. The settling samples are absurdly slow, so that they stand out where they leak."""
    names = {"variant": variant, "twin": twin}
    samples = {"calls_per_sample": 1, **names}
    return [
        PhaseBegan(at_s=1.0, phase="build", **names),
        PhaseEnded(at_s=1.1, phase="build", seconds=0.1, details=BUILT, **names),
        PhaseEnded(at_s=1.2, phase="prepare", seconds=0.25, **names),
        FirstCall(at_s=2.0, duration_ns=first_ms * MS, graphs=graphs, graph_breaks=graphs and 0, **names),
        Samples(at_s=2.1, kind="early", first_call=2, durations_ns=(300 * MS, 200 * MS), **samples),
        Samples(at_s=2.2, kind="settle", first_call=4, durations_ns=(100 * MS,) * 3, steady=steady, **samples),
    ]


def turn(variant, number, *ms, kind="round", twin=False, calls_per_sample=1) -> Samples:
    return Samples(
        at_s=3.0 + number,
        variant=variant,
        twin=twin,
        kind=kind,
        round_number=number,
        first_call=10 * number,
        calls_per_sample=calls_per_sample,
        durations_ns=tuple(round(value * MS) for value in ms),
    )


def rounds(count: int, *, calls=4, twin=True, **medians_ms: float) -> list[Event]:
    """`count` rounds in which each variant's calls lie within 1 % of its median; so does the baseline's twin's."""
    told: list[Event] = []
    for number in range(1, count + 1):
        wobble = [1 + 0.01 * (((number + i) % 3) - 1) for i in range(calls)]
        for variant, ms in medians_ms.items():
            told.append(turn(variant, number, *(ms * w for w in wobble)))
        if twin and "eager" in medians_ms:
            told.append(turn("eager", number, *(medians_ms["eager"] * w for w in wobble), twin=True))
    return told


def finished(*variants: str) -> list[Event]:
    return [VariantFinished(at_s=90.0, variant=variant) for variant in variants]


def failed(variant: str, phase="first_call", *, raised=True, **fields) -> VariantFailed:
    return VariantFailed(at_s=50.0, variant=variant, phase=phase, reason="It broke.", raised=raised, **fields)


def skipped(variant: str) -> VariantSkipped:
    return VariantSkipped(at_s=50.0, variant=variant, reason="There was no time left.")


def ended(because="rounds") -> StudyEnded:
    return StudyEnded(at_s=99.0, because=because)


def one_of_each() -> list[Event]:
    """Return at least one event of every kind, with every field set to something."""
    return [
        started("compile", "compile:freezing=true"),
        *bring_up("eager"),
        *bring_up("eager", twin=True),
        *bring_up("compile", graphs=1),
        PhaseBegan(at_s=3.0, variant="compile", phase="rounds", round_number=1, round_limit=30),
        turn("compile", 1, 1.0, 2.0, calls_per_sample=5),
        failed("compile", "rounds", details="Traceback …"),
        skipped("compile:freezing=true"),
        *finished("eager"),
        ended("target"),
    ]
