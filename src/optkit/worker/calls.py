"""Make calls one by one, and say of each how long it took and what torch compiled in it, and why."""

from __future__ import annotations

import traceback
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import torch

from optkit.engines import artifact
from optkit.worker import compile_trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optkit.engines.base import Batch
    from optkit.worker.session import Session


def look(session: Session, *, passes: int) -> dict[str, Any]:
    """Call each batch in turn, `passes` times over; see `record`."""
    return record(session, [batch for _ in range(passes) for batch in session.loaded.batches])


def record(session: Session, batches: Iterable[Batch]) -> dict[str, Any]:
    """Make one call with each batch, in the grad context that the variant is in.

    Returns
    -------
    dict
        ``calls``: of each ``duration_ns``; ``inputs``, its tensors as ``[name, shape, dtype]`` and other arguments as
        ``[name, None, repr]``; ``compiles``, see `compile_trace.compiled` (empty where torch does not say); ``error``,
        None where it did not raise. ``facts``: see `compile_trace.Trace.facts`; None where nothing is compiled.
        ``breaks``: see `compile_trace.break_messages`.
    """
    calls = []
    for args, kwargs in batches:
        known = len(compile_trace.compiled() or [])
        begin = perf_counter_ns()
        error = None
        try:
            session.watch.function(*args, **kwargs)
            if session.watch.synchronize is not None:
                session.watch.synchronize()
        except Exception as raised:  # noqa: BLE001 - that a call fails is a finding
            error = artifact.said(raised)
            traceback.print_exception(raised)
        duration_ns = perf_counter_ns() - begin
        new = (compile_trace.compiled() or [])[known:]
        calls.append({"duration_ns": duration_ns, "inputs": described(args, kwargs), "compiles": new, "error": error})
    return {"calls": calls, "facts": session.do_facts()["facts"], "breaks": compile_trace.break_messages()}


def described(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[list[Any]]:
    """Return the arguments of a call by position or keyword, a tensor with its shape and dtype."""
    named = [*((str(number), value) for number, value in enumerate(args)), *kwargs.items()]
    return [[name, *_shape_and_type(value)] for name, value in named]


def _shape_and_type(value: Any) -> tuple[list[int] | None, str]:
    if isinstance(value, torch.Tensor):
        return list(value.shape), str(value.dtype).removeprefix("torch.")
    return None, repr(value)[: artifact.MOST_CHARACTERS]
