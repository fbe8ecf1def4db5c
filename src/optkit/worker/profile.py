"""What the calls of a variant spend their time in, seen by torch's profiler, or by ONNX Runtime's own."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity

from optkit import disturbance
from optkit.machine import Monitor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.worker.session import Session
    from optkit.worker.timing import Stopwatch

WARM_UP_PASSES, WARM_UP_S = 3, 0.1
FUNCTION_SCOPE = 0
"""The scope in which torch records operators and kernels; users' annotations and TorchScript's frames have others."""
FRAMEWORK = (
    "Torch-Compiled Region",
    "TorchDynamo Cache Lookup",
    "Pregraph bytecode",
    "AOTDispatcher Runtime Wrapper",
    "## Call CompiledFxGraph",
)
"""What torch.compile records of itself around operators, in their scope: guards, wrappers and Python."""
CONTAINERS = ("If", "Loop", "Scan")
"""Operators of ONNX whose time is that of the operators in their bodies, which are told as well."""


class Row(NamedTuple):
    """What was recorded under one name, over all calls."""

    name: str
    is_operator: bool


class Recorded:
    """Counts and sums what a profiler tells, by name."""

    def __init__(self) -> None:
        self.counts: Counter[Row] = Counter()
        self.spent_us: Counter[Row] = Counter()

    def add(self, name: str, spent_us: float, *, count: int = 1, is_operator: bool = True) -> None:
        """Add what took so many microseconds of its own."""
        row = Row(name, is_operator)
        self.counts[row] += count
        self.spent_us[row] += spent_us  # type: ignore[assignment]  # counters of floats add up as well

    def told(self, calls: int) -> list[dict[str, Any]]:
        """Return it per call of the model, the most time first."""
        return [
            {
                "name": row.name,
                "calls": self.counts[row] / calls,
                "self_s": spent_us / calls / 1e6,
                "is_operator": row.is_operator,
            }
            for row, spent_us in self.spent_us.most_common()
        ]


def look(session: Session, *, calls: int, trace: str | None = None) -> dict[str, Any]:
    """Profile calls of the variant, and time as many without a profiler.

    A worker that has only built its model compiles it here, with hooks in Inductor's kernels: without them all that
    Inductor made is one event, and not to be told from the Python around it.

    Parameters
    ----------
    calls
        How many; rounded up to whole passes over the batches.
    trace
        Where to write the Chrome trace; None: nowhere.

    Returns
    -------
    dict
        ``calls``: how many were profiled. ``call_s``, ``profiled_s``: mean seconds per call without and under the
        profiler. ``rows``: see `Recorded.told`; on an accelerator the seconds are the device's. ``load``: what other
        processes took meanwhile, see `optkit.disturbance.load`.
    """
    if session.watch is None:
        show_kernels()
        session.do_prepare()
        session.do_first_call()
    batches = len(session.loaded.batches)
    calls = math.ceil(calls / batches) * batches
    monitor = Monitor((os.getpid(),))
    monitor.read()  # the calls that warm up belong to it: time is counted in hundredths of a second
    session.watch.discard(WARM_UP_PASSES * batches, WARM_UP_S)
    runtime = onnx_session(session.watch.function)
    if runtime is None:
        answer = _by_torch(session.watch, calls, trace, session.loaded.device)
    else:
        answer = _by_onnxruntime(session.watch, calls, trace, runtime)
    return answer | {"load": disturbance.load(monitor)}


def show_kernels() -> None:
    """Have Inductor record each kernel that it compiles for a CPU from now on."""
    import torch._inductor.config as inductor_config

    if hasattr(inductor_config.cpp, "enable_kernel_profile"):
        inductor_config.cpp.enable_kernel_profile = True


def _by_torch(watch: Stopwatch, calls: int, trace: str | None, device: str) -> dict[str, Any]:
    on_device = not device.startswith("cpu")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_device else [])]
    with torch.profiler.profile(activities=activities):
        watch.one()  # a process's first profile sets the profiler up
    call_ns = watch.block(calls)
    with torch.profiler.profile(activities=activities) as profiler:
        profiled_ns = watch.block(calls)
    if trace is not None:
        profiler.export_chrome_trace(trace)
    events = profiler.events() or []
    rows = (of_device(events) if on_device else of_cpu(events)).told(calls)
    return _answer(calls, call_ns, profiled_ns, rows)


def _answer(calls: int, call_ns: int, profiled_ns: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"calls": calls, "call_s": call_ns / calls / 1e9, "profiled_s": profiled_ns / calls / 1e9, "rows": rows}


def is_operator(event: Any) -> bool:
    """Whether an event on the CPU is an operator or a kernel, and not what surrounds them."""
    return event.scope == FUNCTION_SCOPE and not event.name.startswith(FRAMEWORK)


def of_cpu(events: Iterable[Any]) -> Recorded:
    """Add up the time that each event has for itself, so that what contains others is not counted twice."""
    recorded = Recorded()
    for event in events:
        if event.device_type.name == "CPU":
            recorded.add(event.name, event.self_cpu_time_total, is_operator=is_operator(event))
    return recorded


def of_device(events: Iterable[Any]) -> Recorded:
    """Add up the device's time by the operator that launched a kernel; else by the kernel's own name.

    A CUDA graph launches kernels without an operator, and so does the code that Inductor writes.
    """
    recorded = Recorded()
    claimed: Counter[str] = Counter()
    kernels = []
    for event in events:
        if event.device_type.name != "CPU":
            kernels += [] if event.is_user_annotation else [event]
        elif event.kernels and is_operator(event):
            recorded.add(event.name, sum(kernel.duration for kernel in event.kernels))
            claimed.update(kernel.name for kernel in event.kernels)
    for kernel in kernels:
        if claimed[kernel.name] > 0:
            claimed[kernel.name] -= 1
        else:
            recorded.add(kernel.name, kernel.self_device_time_total)
    return recorded


def onnx_session(function: Any) -> Any:
    """Return the session of ONNX Runtime that a callable runs, where that was made to profile itself; else None."""
    session = getattr(getattr(function, "run", None), "__self__", None)
    options = getattr(session, "get_session_options", lambda: None)()
    return session if getattr(options, "enable_profiling", False) else None


def _by_onnxruntime(watch: Stopwatch, calls: int, trace: str | None, runtime: Any) -> dict[str, Any]:
    """Torch's profiler does not see into ONNX Runtime, which profiles from its first call until it is told to end."""
    profiled_ns = watch.block(calls)
    file = Path(runtime.end_profiling())
    watch.discard(len(watch.batches), 0)
    call_ns = watch.block(calls)
    rows = of_onnxruntime(json.loads(file.read_text(encoding="utf-8")), calls).told(calls)
    if trace is not None:
        shutil.move(file, trace)
    return _answer(calls, call_ns, profiled_ns, rows)


def of_onnxruntime(events: list[dict[str, Any]], calls: int) -> Recorded:
    """Add up the operators of the last `calls` runs."""
    begins = sorted(event["ts"] for event in events if event.get("name") == "model_run")
    recorded = Recorded()
    for event in events:
        operator = event.get("args", {}).get("op_name")
        is_kernel = event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
        if is_kernel and operator not in (None, *CONTAINERS) and event["ts"] >= begins[-calls]:
            recorded.add(operator, event["dur"])
    return recorded
