"""Runs that were never measured, in the history, so that a finished Explorer can be shown at once."""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING

from optkit.events import MemoryMeasured, PassFailed, RatesMeasured, ThroughputMeasured, WorkCounted
from optkit.store import Store
from optkit.study import Study
from stories import (
    bring_up,
    checked,
    compiled,
    ended,
    evidence,
    failed,
    finished,
    rounds,
    started,
    warm_start,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optkit.events import Event

FAST, BROKEN, TWIN, SLOW = "compile:backend=eager", "compile:mode=max-autotune", "eager+no_grad", "eager+threads=1"
VARIANTS = (FAST, BROKEN, TWIN, SLOW)


def keep(events: Sequence[Event]) -> str:
    """Put a story into the history; return the id of its run. The first event is that of the start."""
    run_id = f"20260101-000000-{secrets.token_hex(4)}"
    first = dataclasses.replace(events[0], run_id=run_id)
    with Store() as store:
        store.append(run_id, 0, [first, *events[1:]], None)
    return run_id


def record(model: str = "tiny_cnn") -> dict:
    """Return the record of a workload of the zoo."""
    study = Study(model, ["eager"])
    return study.workload.describe(study.environment)


def story() -> list[Event]:
    """Return a study of tiny_cnn in which there is something to say in every tab, with doubts and failures."""
    return [
        started(*VARIANTS, workload=record()),
        *bring_up("eager"),
        *bring_up("eager", twin=True),
        *bring_up(FAST, graphs=2, compiles=[compiled(FAST, 0.4, 0.3, 0.2, 0.1)]),
        *bring_up(TWIN),
        *bring_up(SLOW, steady=False),
        failed(BROKEN, "first_call", details="Traceback\n  File net.py\nRuntimeError: It broke."),
        *rounds(20, eager=10, **{FAST: 5, TWIN: 10.01, SLOW: 20}),
        evidence(FAST, graphs=2, break_places=["net.py:3"]),
        checked(FAST, "close", cosine=1.0, top1=1.0, where="[0, 3]", why="other order of additions"),
        checked(TWIN, "equal", error=0.0),
        warm_start(FAST, 0.2),
        MemoryMeasured(at_s=81.0, variant=FAST, host_bytes=10**8, artifact_bytes=10**6),
        ThroughputMeasured(at_s=80.0, variant=FAST, batch_size=4, items=400, calls=100, duration_ns=10**9),
        WorkCounted(at_s=83.0, flops=2e9, read_bytes=1e6, written_bytes=1e3, dtype="float32"),
        RatesMeasured(
            at_s=84.0, device="cpu", dtype="float32", threads=2, flops_per_s=1e12, measured_at_unix_s=1.7e9,
            copy_bytes_per_s=((1 << 18, 1e11), (1 << 28, 1e10)), read_bytes_per_s=((1 << 18, 5e10), (1 << 28, 1e10)),
        ),
        PassFailed(at_s=85.0, variant=TWIN, phase="memory", reason="It died.", details="Last words"),
        *finished("eager", FAST, TWIN, SLOW),
        ended(),
    ]  # fmt: skip


def shown(run_id: str, *, model: str = "tiny_cnn") -> str:
    """Return a cell that shows an Explorer with a run that is kept."""
    return (
        f'import optkit\n\nexplorer = optkit.explore({model!r}, variants=["compile:backend=eager"], budget_s=300)\n'
        f"explorer.show({run_id!r})\nexplorer"
    )
