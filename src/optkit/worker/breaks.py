"""Where torch.compile would break a model's graph: what torch explains of it, with the user's lines."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import torch

from optkit import signatures
from optkit.engines import artifact
from optkit.worker import compile_trace

if TYPE_CHECKING:
    from optkit.worker.session import Session


def look(session: Session, *, dynamic: bool | None = None, fullgraph: bool | None = None) -> dict[str, Any]:
    """Have Dynamo explain each batch on a model of its own; nothing that is compiled here is used.

    Parameters
    ----------
    session
        The worker, with its model.
    dynamic, fullgraph
        Settings of torch.compile: what breaks a graph depends on them.

    Returns
    -------
    dict
        ``breaks``: of each ``reason`` (torch's words) and ``stack``, the frames of the code that was traced, outermost
        first, each ``[path, line, function]``. ``graphs``: how many, for the first batch. ``failed``: why there is no
        explanation; else None. ``parameters``: the names of what is called. ``scripted``: whether it is TorchScript.
    """
    found: list[dict[str, Any]] = []
    graphs, failed = None, None
    for args, kwargs in session.loaded.batches:
        torch._dynamo.reset()  # noqa: SLF001 - the name by which torch documents it
        try:
            # What torch._dynamo.explain does, which takes no settings.
            from torch._dynamo.backends import debugging

            explainer: Any = debugging.ExplainWithBackend("eager")
            compiled: Any = torch.compile(
                session.loaded.target, backend=explainer, dynamic=dynamic, fullgraph=bool(fullgraph)
            )
            compiled(*args, **kwargs)
            explained = explainer.output()
        except Exception as error:  # noqa: BLE001 - what it says is a finding
            traceback.print_exception(error)
            failed = artifact.said(error)
            break
        graphs = explained.graph_count if graphs is None else graphs
        found += [
            {"reason": str(one.reason), "stack": compile_trace.frames(one.user_stack)}
            for one in explained.break_reasons
            if one.graph_break
        ]
    unique = {(one["reason"], str(one["stack"])): one for one in found}
    return {
        "breaks": list(unique.values()),
        "graphs": graphs,
        "failed": failed,
        "parameters": signatures.positional(session.loaded.target) or [],
        "scripted": isinstance(session.loaded.model, torch.jit.ScriptModule | torch.jit.ScriptFunction),
    }
