"""Where the time of a call goes, operator by operator: eager beside a variant.

A profile explains; it does not measure. The profiler slows what it watches, and short operators most: whether a variant
is faster is for `optkit.compare`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optkit import disturbance, profile_page
from optkit.engines import AotInductor, OnnxRuntime, inductor_settings
from optkit.errors import UsageError
from optkit.investigation import Investigation, chosen_variant
from optkit.variant import BASELINE, Variant
from optkit.workload import workload_from

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

DISTURBING = 1.5
"""Where calls take so many times longer under the profiler, or without it, shares are told to be unsure."""
CALLS = 10
KERNEL_HOOKS = "cpp.enable_kernel_profile"


@dataclass(frozen=True)
class Operator:
    """One operator, or kernel, of one side.

    Attributes
    ----------
    side
        The text of the variant.
    name
        As the profiler names it, e.g. ``aten::addmm``; ``graph_0_cpp_fused_…`` and ``triton_…`` are Inductor's kernels.
    calls
        How often it runs in a call of the model.
    self_s
        Seconds per call of the model, without the operators that it calls itself; on an accelerator the device's.
    share
        Of the time of a call under the profiler.
    """

    side: str
    name: str
    calls: float
    self_s: float
    share: float


@dataclass(frozen=True)
class Side:
    """What one variant spends its time in.

    Attributes
    ----------
    variant
        Its text.
    call_s, profiled_s
        Mean seconds per call, without and under the profiler.
    operators
        The most time first.
    outside_s, outside_share
        The rest of a call under the profiler: Python, guards, wrappers; on an accelerator the time that it waits.
    framework
        What torch names of that rest, e.g. ``TorchDynamo Cache Lookup`` (the guards): seconds by name.
    load
        ``others_cpus`` of ``visible_cpus``, which other processes used meanwhile; None where that is not known.
    """

    variant: str
    call_s: float
    profiled_s: float
    operators: tuple[Operator, ...]
    outside_s: float
    outside_share: float
    framework: dict[str, float] = field(default_factory=dict)
    load: dict[str, float | None] = field(default_factory=dict)

    @property
    def is_parallel(self) -> bool:
        """Whether operators ran at the same time, so that shares are of their sum and not of the call."""
        return sum(one.self_s for one in self.operators) > self.profiled_s

    @property
    def disturbance(self) -> float:
        """How many times longer calls were under the profiler, or without it: what it weighs, and other load."""
        return max(self.call_s, self.profiled_s) / max(min(self.call_s, self.profiled_s), 1e-9)

    @classmethod
    def read(cls, variant: str, told: dict[str, Any]) -> Side:
        """Return what a worker told; see `optkit.worker.profile.look`."""
        rows = [row for row in told["rows"] if row["is_operator"]]
        spent_s = sum(row["self_s"] for row in rows)
        whole_s = max(told["profiled_s"], spent_s)
        found = [
            Operator(variant, row["name"], row["calls"], row["self_s"], row["self_s"] / whole_s)
            for row in sorted(rows, key=lambda row: -row["self_s"])
        ]
        outside_s = whole_s - spent_s
        framework = {row["name"]: row["self_s"] for row in told["rows"] if not row["is_operator"]}
        return cls(
            variant, told["call_s"], told["profiled_s"], tuple(found), outside_s, outside_s / whole_s, framework,
            told.get("load", {}),
        )  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """Where the time of a call goes, in eager and in a variant.

    Attributes
    ----------
    model, device
        What was profiled, and where.
    calls
        How many calls were profiled.
    sides
        Eager and the variant; eager alone where that is the variant.
    details
        What has to be known to read it, in sentences.
    """

    model: str
    device: str
    calls: int
    sides: tuple[Side, ...]
    details: tuple[str, ...] = ()

    @property
    def operators(self) -> list[Operator]:
        """All operators, side by side, the most time first."""
        return [one for side in self.sides for one in side.operators]

    def to_frame(self) -> pd.DataFrame:
        """Return a table: ``side operator calls self_s share``; each side's shares, one row being all else, are 1."""
        import pandas as pd

        rows: list[tuple[Any, ...]] = []
        for side in self.sides:
            rows += [(side.variant, one.name, one.calls, one.self_s, one.share) for one in side.operators]
            rows.append((side.variant, profile_page.OUTSIDE, None, side.outside_s, side.outside_share))
        return pd.DataFrame(rows, columns=["side", "operator", "calls", "self_s", "share"])

    def to_json(self) -> str:
        """Return it as one JSON document."""
        return json.dumps({"schema": 1} | asdict(self), indent=2)

    def svg(self, *, width: float = 640, standalone: bool = False) -> str:
        """Return eager's operators above the variant's, as bars on one scale.

        Parameters
        ----------
        width
            In pixels; where there is less room the chart shrinks.
        standalone
            Whether it becomes a file of its own, with colours for light and dark.
        """
        return profile_page.svg(self, width=width, standalone=standalone)

    @property
    def is_disturbed(self) -> bool:
        """Whether other processes used so much of the machine that the sides are not to be compared."""
        return disturbance.is_high(side.load for side in self.sides)

    def reading(self) -> str:
        """Return what it shows, in two sentences; where the machine was busy with something else, that alone."""
        return profile_page.reading(self)

    def __str__(self) -> str:
        return "\n".join(profile_page.lines(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        picture = self.svg(standalone=True)
        return {"text/plain": str(self), "text/html": profile_page.html(self), "image/svg+xml": picture}


def profile(
    model: Any,
    inputs: Any = None,
    variant: Variant | str = "compile",
    *,
    calls: int = CALLS,
    trace: str | os.PathLike[str] | None = None,
    batch_size: int = 1,
    shape: Sequence[int] | None = None,
    device: Any = None,
    call: str | None = None,
    weights: str | None = None,
    tell: Callable[[str], None] | None = None,
) -> Profile:
    """Find out which operators a model spends its time in, in eager and in a variant, each in a worker of its own.

    Torch's profiler watches, or for ONNX Runtime that runtime's own. Inductor's kernels are compiled with hooks for it.

    Parameters
    ----------
    model, inputs, batch_size, shape, device, call, weights
        See `optkit.Workload`; a `Workload` is taken as a model as well.
    variant
        What to look at beside eager: a `Variant` or its text.
    calls
        How many calls to profile, rounded up to whole passes over several batches.
    trace
        Save the variant's Chrome trace in this file, for you alone to read; compressed where its name ends in ``.gz``.
        Open it at https://ui.perfetto.dev.
    tell
        Is told what is being done, in words; ``print`` will do.

    Raises
    ------
    UsageError
        If an argument is not allowed, or the model or the variant does not run here; the message says why.
    """
    given = {"batch_size": batch_size, "shape": shape, "device": device, "call": call, "weights": weights}
    return watch(Investigation(workload_from(model, inputs, **given), tell=tell), variant, calls=calls, trace=trace)


def watch(
    looking: Investigation,
    variant: Variant | str,
    *,
    calls: int = CALLS,
    trace: str | os.PathLike[str] | None = None,
) -> Profile:
    """Do it with the workers of an investigation; see `profile`."""
    chosen = chosen_variant(variant)
    if type(calls) is not int or calls < 1:
        raise UsageError(f"calls must be a whole number of at least 1, not {calls!r}.")
    path = None if trace is None else _checked(trace)
    sides = [BASELINE] if chosen == BASELINE else [BASELINE, chosen]
    with looking:
        told = [_look(looking, one, calls, path if one == chosen else None) for one in sides]
        where = looking.device
    read = tuple(Side.read(str(one), answer) for one, answer in zip(sides, told, strict=True))
    return Profile(looking.workload.name, where, told[-1]["calls"], read, tuple(_details(read, chosen, where)))


def _look(looking: Investigation, variant: Variant, calls: int, path: Path | None) -> dict[str, Any]:
    """Profile one variant in a fresh worker, and save its trace where there is a path for it."""
    shown = _transparent(variant, looking.crew.host.folder)
    try:
        # Where torch.compile makes the kernels, the worker has hooks put in before it compiles.
        worker = looking.worker(shown, until="build" if shown.engine.compiles else "first_call")
    except UsageError as error:
        raise UsageError(str(error).replace(str(shown), str(variant))) from error
    trace = worker.folder / "trace.json"
    answer = looking.ask(worker, "profile", variant, calls=calls, trace=None if path is None else str(trace))
    worker.end()
    if path is not None:
        _save(trace, path)
    return answer


def _transparent(variant: Variant, folder: Path) -> Variant:
    """Return the variant with whatever lets a profiler see into its engine."""
    engine = variant.engine
    if isinstance(engine, AotInductor) and engine.path is None and KERNEL_HOOKS in inductor_settings.options():
        hooks: dict[str, Any] = {KERNEL_HOOKS: True}
    elif isinstance(engine, OnnxRuntime):
        hooks = {"enable_profiling": True, "profile_file_prefix": str(folder / "onnxruntime")}
    else:
        return variant
    changed = dataclasses.replace(engine, options=dict(engine.options) | hooks)
    return dataclasses.replace(variant, engine=changed)


def _details(sides: Sequence[Side], variant: Variant, device: str) -> list[str]:
    """Return what has to be known to read these sides."""
    told = [
        f"Operators of {side.variant} ran at the same time, so its shares are of their sum, not of the call."
        for side in sides
        if side.is_parallel
    ]
    told += [
        f"With and without the profiler, calls of {side.variant} differ by a factor of {side.disturbance:.1f}, so "
        "its shares are not those of an undisturbed call; quieten the machine, or give a larger batch."
        for side in sides
        if side.disturbance > DISTURBING
    ]
    engine = variant.engine
    if isinstance(engine, OnnxRuntime):
        told.append("ONNX Runtime's own profiler was used, because torch's does not see into it.")
    elif isinstance(engine, AotInductor) and engine.path is not None:
        told.append("The package was compiled without hooks for a profiler, so its own kernels are outside operators.")
    if not device.startswith("cpu"):
        told.append("Times are the device's; what is outside operators is the time that it waits.")
    return told


def _checked(trace: Any) -> Path:
    """Return the path of a trace, if a file can be made there; better to fail now than after a compile."""
    if not isinstance(trace, str | os.PathLike) or not os.fspath(trace):
        raise UsageError(f"The trace cannot be saved as {trace!r}; give the path of a file in a folder that exists.")
    path = Path(trace).expanduser()
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"The trace cannot be saved as {path}; give the path of a file in a folder that exists.")
    return path


def _save(trace: Path, path: Path) -> None:
    """Copy a trace for its user alone to read: it names their operators and paths."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # a file that was there keeps its mode otherwise
    with open(descriptor, "wb") as file, trace.open("rb") as source:  # noqa: PTH123 - it is a descriptor
        packed = gzip.GzipFile(fileobj=file, mode="wb") if path.suffix == ".gz" else contextlib.nullcontext(file)
        with packed as target:
            shutil.copyfileobj(source, target)
