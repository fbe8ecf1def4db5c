"""Where torch.compile did not do what its settings ask for, and what to do about it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optkit import text
from optkit.verdicts import Doubt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optkit.engines.compile import Compile

WITHOUT_MODES = ("cudagraphs", "aot_eager", "aot_eager_decomp_partition", "eager")
"""Backends of torch's own that take no notice of modes and options; others may, and raise where they do not."""


def find(engine: Compile, facts: Mapping[str, Any], *, grad: str, device: str) -> dict[Doubt, str]:
    """Return the doubts that the facts raise, each with its remedy; see `optkit.engines.Engine.doubts`."""
    remedies = {
        Doubt.NOT_COMPILED: _not_compiled(engine, facts),
        Doubt.FELL_BACK: _fell_back(engine, facts),
        Doubt.PARTLY_COMPILED: _partly_compiled(facts),
        Doubt.RECOMPILED: _recompiled(engine, facts),
        Doubt.CUDAGRAPHS_SKIPPED: _cudagraphs_skipped(engine, facts, device),
        Doubt.FREEZING_IGNORED: _freezing_ignored(engine, facts, grad),
        Doubt.CACHE_BYPASSED: _cache_bypassed(engine, facts),
        Doubt.MODE_IGNORED: _mode_ignored(engine),
    }
    return {doubt: remedy for doubt, remedy in remedies.items() if remedy is not None}


def _not_compiled(engine: Compile, facts: Mapping[str, Any]) -> str | None:
    if facts.get("graphs") != 0 or facts.get("fell_back"):
        return None
    said = f"backend={text.callable_name(engine.backend)} was given no graph of this model, so these are eager's times"
    if facts.get("skipped"):
        return f"{said}: {facts['skipped']} Change that place, or set fullgraph=true to see all of it."
    return f"{said}; compile the original module, not a traced or disabled one."


def _fell_back(engine: Compile, facts: Mapping[str, Any]) -> str | None:
    if facts.get("fell_back"):
        said = str(facts["fell_back"]).rstrip(" .")
        return f"The first call failed ({said}), so fallback=eager ran: these are eager's times; mend what it names."
    if facts.get("limit_hit"):
        why = f" (last: {facts['recompile_reason']})" if facts.get("recompile_reason") else ""
        remedy = {
            None: "set dynamic=true, or give fewer shapes",
            False: "leave out dynamic=false, which compiles each shape anew, or give fewer shapes",
            True: "find what changes between calls, because dynamic=true did not help",
        }[engine.dynamic]
        return f"torch reached its limit of recompiles{why} and runs eager for what it has not compiled; {remedy}."
    if facts.get("error"):
        return (
            f"Compiling failed and eager ran instead, because errors are suppressed ({facts['error']}); "
            "leave torch._dynamo.config.suppress_errors off."
        )
    return None


def _partly_compiled(facts: Mapping[str, Any]) -> str | None:
    if not facts.get("graphs") or not (facts.get("graph_breaks") or facts.get("skipped")):
        return None
    places = facts.get("break_places") or []
    where = f" at {', '.join(places)}" if places else ""
    why = f" ({facts['skipped']})" if facts.get("skipped") else ""
    return (
        f"The model was compiled in {facts['graphs']} pieces with eager between them{where}{why}; "
        "rewrite what breaks the graph, or set fullgraph=true to be told all of it."
    )


def _recompiled(engine: Compile, facts: Mapping[str, Any]) -> str | None:
    late = facts.get("late_compiles")
    if not late:
        return None
    why = f" ({facts['recompile_reason']})" if facts.get("recompile_reason") else ""
    remedy = "set dynamic=true" if engine.dynamic is not True else "find what changes between calls"
    if engine.dynamic is False:
        remedy = "leave out dynamic=false"
    times = "once" if late == 1 else f"{late} times"
    return (
        f"torch compiled {times} after the first call{why}, so the first call is not all there is to pay; "
        f"{remedy}, or give inputs of one shape."
    )


def _cudagraphs_skipped(engine: Compile, facts: Mapping[str, Any], device: str) -> str | None:
    if not engine.wants_cudagraphs or facts.get("graphs") == 0:
        return None
    if device != "cpu" and not facts.get("cudagraph_skips"):
        return None
    asked = f"mode={engine.mode}" if engine.mode else f"backend={text.callable_name(engine.backend)}"
    if engine.backend == "inductor" and engine.mode is None:
        asked = "options.triton.cudagraphs=true"
    why = "the model is on the CPU" if device == "cpu" else "torch could not capture the model"
    remedy = {
        "reduce-overhead": "without them it is the default mode: leave the mode out",
        "max-autotune": "use mode=max-autotune-no-cudagraphs, which is the same without them",
        "inductor": "leave the option out",
    }.get(engine.mode or str(engine.backend), "without them it runs eager's kernels: use backend=inductor")
    return f"{asked} asks for CUDA graphs and {why}; {remedy}."


def _freezing_ignored(engine: Compile, facts: Mapping[str, Any], grad: str) -> str | None:
    if not engine.freezing or facts.get("graphs") == 0:
        return None
    known = facts.get("freezings")
    ignored = grad == "grad" or engine.backend != "inductor" if known is None else known == 0
    if not ignored:
        return None
    if engine.backend != "inductor":
        return f"freezing is Inductor's, not of backend={text.callable_name(engine.backend)}; leave one of them out."
    if grad == "grad":
        return "Inductor freezes no weights while gradients are enabled; leave +grad out."
    return "Inductor froze no weights of this model; leave freezing=true out."


def _cache_bypassed(engine: Compile, facts: Mapping[str, Any]) -> str | None:
    if not facts.get("cache_bypasses") or engine.backend != "inductor":
        return None
    if engine.freezing:
        return (
            "With freezing=true Inductor keeps nothing in its cache, so every process compiles anew; leave it out "
            "where processes start often."
        )
    return "Inductor could not keep this model's graphs in its cache: every process compiles anew; start few of them."


def _mode_ignored(engine: Compile) -> str | None:
    if engine.backend not in WITHOUT_MODES:
        return None
    given = f"mode={engine.mode}" if engine.mode else "options" if engine.options else None
    if given is None:
        return None
    name = text.callable_name(engine.backend)
    return f"{given} is a setting of Inductor and does nothing with backend={name}; leave it out, or use inductor."
