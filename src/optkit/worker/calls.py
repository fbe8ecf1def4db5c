"""Make calls one by one, and say of each how long it took and what torch compiled in it, and why."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import torch

import optkit
from optkit import disturbance
from optkit.engines import artifact
from optkit.machine import Monitor
from optkit.worker import batches, compile_trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.engines.base import Batch
    from optkit.worker.session import Session


OPTKIT = f"{Path(optkit.__file__).parent}{os.sep}"


def look(
    session: Session,
    *,
    passes: int = 1,
    sequence: list[dict[str, Any]] | None = None,
    mark_dynamic: bool = False,
    names: list[str] | None = None,
) -> dict[str, Any]:
    """Call each batch in turn, `passes` times over, or those of a sequence; see `record`.

    Parameters
    ----------
    session
        The worker, with its callable prepared.
    passes
        How often the user's batches are called, in order.
    sequence
        Batches to call in place of these, as items of `optkit.worker.batches`. Each call then has also ``unmarked``,
        and the answer ``parameters``: the names of what is called.
    mark_dynamic
        Whether batch sizes that vary over the sequence are marked as dynamic.
    names
        The ``parameters`` that another worker answered with, for one that has no model.
    """
    if sequence is None:
        return record(session, [batch for _ in range(passes) for batch in session.loaded.batches])
    made = batches.Sequence(session.loaded, session.variant, sequence, mark_dynamic=mark_dynamic, names=names)
    answer = record(session, made)
    for call, unmarked in zip(answer["calls"], made.unmarked, strict=True):
        call["unmarked"] = unmarked
    return answer | {"parameters": made.parameters}


def record(session: Session, called: Iterable[Batch]) -> dict[str, Any]:
    """Make one call with each batch, in the grad context that the variant is in.

    Returns
    -------
    dict
        ``calls``: of each ``duration_ns``; ``inputs``, its tensors as ``[name, shape, dtype]`` and other arguments as
        ``[name, None, repr]``; ``compiles``, see `compile_trace.compiled` (empty where torch does not say);
        ``breaks``, see `compile_trace.log_breaks`; ``error``, its type and its first line, None where it did not raise;
        ``raised_at``: the frames that led there, outermost first, each ``[path, line, function]``. ``told``: whether
        torch keeps a record of compiles; ``logged``: whether its log of graph breaks can be seen. ``facts``: see
        `compile_trace.Trace.facts`; None where nothing is compiled. ``breaks``: see `compile_trace.break_messages`.
        ``load``: what other processes took meanwhile, see `optkit.disturbance.load`.
    """
    calls = []
    noted: list[dict[str, Any]] = []
    logged = compile_trace.log_breaks(noted)
    monitor = Monitor((os.getpid(),))
    monitor.read()
    for args, kwargs in called:
        known, broken = len(compile_trace.compiled() or []), len(noted)
        begin = perf_counter_ns()
        error, at = None, []
        try:
            session.watch.function(*args, **kwargs)
            if session.watch.synchronize is not None:
                session.watch.synchronize()
        except Exception as raised:  # noqa: BLE001 - that a call fails is a finding
            error, at = " ".join(f"{type(raised).__name__}: {artifact.said(raised)}".split()), where(raised)
            traceback.print_exception(raised)
        duration_ns = perf_counter_ns() - begin
        new = (compile_trace.compiled() or [])[known:]
        told = {
            "duration_ns": duration_ns,
            "inputs": described(args, kwargs),
            "compiles": new,
            "breaks": noted[broken:],
        }
        calls.append(told | {"error": error, "raised_at": at})
    return {
        "calls": calls,
        "load": disturbance.load(monitor),
        "told": compile_trace.compiled() is not None,
        "logged": logged,
        "facts": session.do_facts()["facts"],
        "breaks": compile_trace.break_messages(),
    }


def where(raised: BaseException) -> list[list[Any]]:
    """Return the frames of an error outside of optkit, outermost first."""
    stack = traceback.extract_tb(raised.__traceback__)
    return [[at.filename, at.lineno, at.name] for at in stack if not at.filename.startswith(OPTKIT)]


def described(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[list[Any]]:
    """Return the arguments of a call by position or keyword, a tensor with its shape and dtype."""
    named = [*((str(number), value) for number, value in enumerate(args)), *kwargs.items()]
    return [[name, *_shape_and_type(value)] for name, value in named]


def _shape_and_type(value: Any) -> tuple[list[int] | None, str]:
    if isinstance(value, torch.Tensor):
        return list(value.shape), str(value.dtype).removeprefix("torch.")
    return None, repr(value)[: artifact.MOST_CHARACTERS]
