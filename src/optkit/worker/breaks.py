"""Where torch.compile would break a model's graph: what `torch._dynamo.explain` says, with the user's lines."""

from __future__ import annotations

import inspect
import traceback
from typing import TYPE_CHECKING, Any

import torch

from optkit.engines import artifact

if TYPE_CHECKING:
    from collections.abc import Callable

    from optkit.worker.session import Session


def look(session: Session) -> dict[str, Any]:
    """Have Dynamo explain each batch on a model of its own; nothing that is compiled here is used.

    Returns
    -------
    dict
        ``breaks``: of each ``reason`` (torch's words) and ``stack``, the frames of the code that was traced, outermost
        first, each ``[path, line, function]``. ``graphs``: how many, for the first batch. ``failed``: why there is no
        explanation; else None. ``parameters``: the names of what is called.
    """
    found: list[dict[str, Any]] = []
    graphs, failed = None, None
    for args, kwargs in session.loaded.batches:
        torch._dynamo.reset()  # noqa: SLF001 - the name by which torch documents it
        try:
            explained = torch._dynamo.explain(session.loaded.target)(*args, **kwargs)  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - what it says is a finding
            traceback.print_exception(error)
            failed = artifact.said(error)
            break
        graphs = explained.graph_count if graphs is None else graphs
        found += [
            {"reason": str(one.reason), "stack": [[at.filename, at.lineno, at.name] for at in one.user_stack]}
            for one in explained.break_reasons
            if one.graph_break
        ]
    unique = {(one["reason"], str(one["stack"])): one for one in found}
    return {
        "breaks": list(unique.values()),
        "graphs": graphs,
        "failed": failed,
        "parameters": _parameters(session.loaded.target),
    }


def _parameters(target: Callable[..., Any]) -> list[str]:
    forward = target.forward if isinstance(target, torch.nn.Module) else target
    try:
        return list(inspect.signature(forward).parameters)
    except (TypeError, ValueError):
        return []
