"""Hand-made events: what a study would have told, without running one."""

from __future__ import annotations

from optkit.events import (
    Checked,
    CompileBegan,
    CompileEnded,
    Event,
    Evidence,
    FirstCall,
    MachineRead,
    MemoryMeasured,
    NotKept,
    PassFailed,
    PhaseBegan,
    PhaseEnded,
    RatesMeasured,
    Samples,
    StudyEnded,
    StudyResumed,
    StudyStarted,
    ThroughputMeasured,
    VariantFailed,
    VariantFinished,
    VariantSkipped,
    Waiting,
    WarmStarted,
    WorkCounted,
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


def bring_up(variant: str, *, twin=False, graphs=None, steady=True, first_ms=500, compiles=()) -> list[Event]:
    """Everything up to the rounds, with what is compiled in the first call.

    The settling samples are absurdly slow, so that they stand out where they leak.
    """
    names = {"variant": variant, "twin": twin}
    samples = {"calls_per_sample": 1, **names}
    return [
        PhaseBegan(at_s=1.0, phase="build", **names),
        PhaseEnded(at_s=1.1, phase="build", seconds=0.1, details=BUILT, **names),
        PhaseEnded(at_s=1.2, phase="prepare", seconds=0.25, **names),
        *compiles,
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


def evidence(variant: str, **facts) -> Evidence:
    return Evidence(at_s=80.0, variant=variant, facts=facts)


def checked(variant: str, agreement: str, *, twin=False, error=0.001, **details) -> Checked:
    return Checked(at_s=85.0, variant=variant, twin=twin, agreement=agreement, max_abs_error=error, details=details)


def finished(*variants: str) -> list[Event]:
    return [VariantFinished(at_s=90.0, variant=variant) for variant in variants]


def failed(variant: str, phase="first_call", *, raised=True, **fields) -> VariantFailed:
    return VariantFailed(at_s=50.0, variant=variant, phase=phase, reason="It broke.", raised=raised, **fields)


def skipped(variant: str) -> VariantSkipped:
    return VariantSkipped(at_s=50.0, variant=variant, reason="There was no time left.")


def ended(because="rounds") -> StudyEnded:
    return StudyEnded(at_s=99.0, because=because)


def warm_start(variant: str, first_call_s: float) -> WarmStarted:
    """Return a second start, on a warm cache."""
    return WarmStarted(
        at_s=82.0, variant=variant, probe_s=0.1, build_s=0.2, prepare_s=0.01, facts={"cache_hits": 1},
        durations_ns=(int(first_call_s * 1e9), 2_000_000, 1_000_000),
    )  # fmt: skip


def compiled(variant: str, *phases_s: float, at_s=2.0, seconds: float | None = None, **fields) -> CompileEnded:
    """Return the end of a compile: seconds of its phases, outermost first; it took as long as these, or `seconds`."""
    told = dict(zip(("dynamo", "aot_autograd", "inductor", "code_gen"), phases_s, strict=False))
    whole_s = phases_s[0] if phases_s and seconds is None else seconds
    about = {"compile_id": "0/0", "function": "forward"} | fields
    return CompileEnded(at_s=at_s, variant=variant, seconds=whole_s, phases_s=told, **about)


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
        PassFailed(at_s=51.0, variant="compile", phase="memory", reason="It died.", details="Last words"),
        evidence("compile", graphs=1, break_places=["net.py:3"]),
        checked("compile", "close", cosine=1.0, state=["seen"]),
        CompileBegan(at_s=4.0, variant="compile", compile_id="0/1"),
        CompileEnded(
            at_s=5.0,
            variant="compile",
            compile_id="0/1",
            function="forward",
            seconds=1.0,
            phases_s={"dynamo": 1.0},
            reason="size mismatch",
            failed="Unsupported: print",
        ),
        ThroughputMeasured(at_s=80.0, variant="compile", batch_size=4, items=400, calls=100, duration_ns=10**9),
        MemoryMeasured(at_s=81.0, variant="compile", host_bytes=10**8, accelerator_bytes=10**9, artifact_bytes=10**6),
        warm_start("compile", 0.5),
        WorkCounted(at_s=83.0, flops=2e9, read_bytes=1e6, written_bytes=1e3, dtype="float32"),
        RatesMeasured(
            at_s=84.0,
            device="cpu",
            dtype="float32",
            threads=2,
            flops_per_s=1e11,
            measured_at_unix_s=1.7e9,
            copy_bytes_per_s=((1 << 18, 1e11), (1 << 28, 1e10)),
            read_bytes_per_s=((1 << 18, 5e10), (1 << 28, 1e10)),
        ),
        Waiting(at_s=85.0, holder="process 7 (python)"),
        NotKept(at_s=85.0, reason="The disk is full."),
        StudyResumed(at_s=85.5, time_unix_s=1.0, plan={"seed": 0}),
        MachineRead(at_s=86.0, load_1min=0.5, others_cpus=0.1, visible_cpus=2, throttled_s=0.0),
        *finished("eager"),
        ended("target"),
    ]
