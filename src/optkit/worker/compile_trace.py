"""What torch.compile did, read from torch's own counters. The only module that touches these private interfaces.

Where an interface is missing in some version of torch the answer is None ("unavailable"), never 0. One source alone is
not to be believed: for a data-dependent branch the counter of graph breaks can stay at 0, while the rest of the
function is compiled as a frame of its own; both are read here.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

KEPT_RECORDS = 4096
"""Dynamo keeps the records of its last 64 compiles only; a study with many shapes needs more."""
MOST_PLACES, REASON_CHARACTERS = 3, 200
SOFT_FAILURES = ("Unsupported", "UserError")
"""Kinds of failure at which torch leaves a function to eager without being asked to."""
RESUMED = "torch_dynamo_resume_in_"
PHASES_US = {
    "dynamo": "dynamo_cumulative_compile_time_us",
    "aot_autograd": "aot_autograd_cumulative_compile_time_us",
    "inductor": "inductor_cumulative_compile_time_us",
    "code_gen": "inductor_code_gen_cumulative_compile_time_us",
}
"""Phases of a compile, as torch times them; each contains those below it, so they are never to be summed."""


class Trace:
    """Watches torch.compile in this process. Make it before the model is prepared.

    Parameters
    ----------
    tell
        Is told of each compile as it begins, ``{"compile": "began", "id": ...}``, and when it has ended:
        ``{"compile": "ended"}`` with ``id``, ``function``, ``seconds``, ``phases_s``, ``reason`` (of a recompile) and
        ``failed``. The end is told when the next one begins, or by `tell`: torch's record of it is not complete before.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
        self._tell = tell
        self._told = 0
        self._freezings: int | None = None
        self._in_first_call: int | None = None
        with contextlib.suppress(ImportError, AttributeError):
            from torch._dynamo.utils import set_compilation_metrics_limit

            set_compilation_metrics_limit(KEPT_RECORDS)
        self._count_freezings()
        with contextlib.suppress(ImportError, AttributeError):
            from torch._dynamo.callback import on_compile_start

            on_compile_start(self._began)

    def tell(self) -> None:
        """Tell of the compiles that have ended since the last time."""
        records = _records() or []
        new, self._told = records[self._told :], len(records)
        for record in new:
            self._tell(_ended(record))

    def _began(self, arguments: Any) -> None:
        self.tell()
        self._tell({"compile": "began", "id": str(getattr(arguments, "compile_id", ""))})

    @property
    def compiles(self) -> int | None:
        """How often torch compiled, or tried to, until now."""
        records = _records()
        return None if records is None else len(records)

    def first_call_ended(self) -> None:
        """Remember what was compiled until now: whatever comes later is a recompile, or late."""
        self._in_first_call = self.compiles

    def facts(self) -> dict[str, Any]:
        """Return what is known now.

        Returns
        -------
        dict
            ``graphs``, ``graph_breaks``, ``recompiles``: how many. ``late_compiles``: compiles after the first call,
            failed ones included. ``break_places``: ``path:line`` of some breaks. ``recompile_reason``: the latest.
            ``limit_hit``: whether torch gave up recompiling. ``error``: of a compile that failed and was passed over.
            ``skipped``: why a whole function was left to eager. ``cudagraph_skips``, ``freezings``,
            ``cache_bypasses``, ``cache_hits``, ``cache_misses``: how often. None where torch does not say.
        """
        records = _records()
        return {
            "graphs": graphs_compiled(),
            "graph_breaks": _graph_breaks(records),
            "cudagraph_skips": _count("inductor", "cudagraph_skips"),
            "cache_bypasses": _of_caches("bypass"),
            "cache_hits": _of_caches("hit"),
            "cache_misses": _of_caches("miss"),
            "freezings": self._freezings,
            **self._from_records(records),
        }

    def _from_records(self, records: list[Any] | None) -> dict[str, Any]:
        if records is None:
            return dict.fromkeys(
                ("recompiles", "late_compiles", "recompile_reason", "limit_hit", "error", "skipped", "break_places")
            )
        failed = [(_field(record, "fail_type"), _field(record, "fail_reason")) for record in records]
        limits = [reason for kind, reason in failed if "limit" in f"{kind} {reason}".lower()]
        skips = [reason for kind, reason in failed if kind in SOFT_FAILURES and reason not in limits]
        errors = [f"{kind}: {reason}" for kind, reason in failed if kind and reason not in (*limits, *skips)]
        reasons = [reason for record in records if (reason := _field(record, "recompile_reason"))]
        again = [record for record in records if _is_again(record) and not _field(record, "fail_type")]
        late = None if self._in_first_call is None else len(records) - self._in_first_call
        return {
            "recompiles": len(again),
            "late_compiles": late,
            "recompile_reason": _short(reasons[-1]) if reasons else None,
            "limit_hit": bool(limits),
            "error": _short(errors[0]) if errors else None,
            "skipped": _short(skips[0]) if skips else None,
            "break_places": _places(records)[:MOST_PLACES],
        }

    def _count_freezings(self) -> None:
        """Count how often Inductor folds weights into a graph: no counter of torch's does."""
        try:
            from torch._inductor import freezing

            freeze = freezing.freeze
        except (ImportError, AttributeError):
            return
        self._freezings = 0

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._freezings = (self._freezings or 0) + 1
            return freeze(*args, **kwargs)

        freezing.freeze = counted


def graphs_compiled() -> int | None:
    """Return how many graphs Dynamo compiled in this process; 0 means that nothing was compiled."""
    return _count("stats", "unique_graphs")


def compiled() -> list[dict[str, Any]] | None:
    """Return all that torch's record says of each compile of this process, in order; None where it keeps none.

    ``id``: ``function/number``, with more numbers where torch gives them. ``function``, ``path``, ``line``: what was
    compiled. ``resumed_at``: the line at which the function was broken, where this is the rest of one; else None.
    ``reason``: the guard that failed, of a recompile; else "". ``failed``, ``fail_reason``, ``fail_path``,
    ``fail_line``: why nothing was compiled; else "" and None. ``breaks``: torch's words at each graph break in it.
    """
    records = _records()
    return None if records is None else [_described(record) for record in records]


def _described(record: Any) -> dict[str, Any]:
    function, duration_us = _field(record, "co_name"), getattr(record, "duration_us", None)
    resumed = re.search(r"_at_(\d+)", function) if function.startswith(RESUMED) else None
    return {
        "id": _field(record, "compile_id"),
        "function": _without_resuming(function),
        "path": _field(record, "co_filename"),
        "line": getattr(record, "co_firstlineno", None),
        "resumed_at": int(resumed[1]) if resumed else None,
        "reason": _field(record, "recompile_reason"),
        "failed": _field(record, "fail_type"),
        "fail_reason": _field(record, "fail_reason"),
        "fail_path": _field(record, "fail_user_frame_filename"),
        "fail_line": getattr(record, "fail_user_frame_lineno", None),
        "breaks": sorted(map(str, getattr(record, "restart_reasons", None) or ())),
        "seconds": None if duration_us is None else duration_us / 1e6,
    }


def break_messages() -> dict[str, int] | None:
    """Return torch's own count of graph breaks by what it says of them; None where it keeps none."""
    try:
        from torch._dynamo.utils import counters
    except ImportError:
        return None
    return {str(message): int(count) for message, count in counters["graph_break"].items()}


def log_breaks(noted: list[dict[str, Any]]) -> bool:
    """Note each graph break from now on in a list as torch logs it; return whether this version lets that be seen.

    Of each ``reason``, torch's words, and ``stack``, the frames of the code that was traced, outermost first, each
    ``[path, line, function]``. This is the only account that has every break, with all lines that lead to it.
    """
    try:
        from torch._dynamo.symbolic_convert import InstructionTranslatorBase

        log = InstructionTranslatorBase.log_graph_break
    except (ImportError, AttributeError):
        return False

    def logged(self: Any, *args: Any, **kwargs: Any) -> Any:
        error = next((one for one in (*args, *kwargs.values()) if isinstance(one, BaseException)), None)
        if error is not None and not getattr(error, "logged", False):
            stack = frames(getattr(error, "real_stack", None) or ())
            noted.append({"reason": str(getattr(error, "msg", error)), "stack": stack})
        return log(self, *args, **kwargs)

    InstructionTranslatorBase.log_graph_break = logged  # type: ignore[method-assign]
    return True


def frames(stack: Iterable[Any]) -> list[list[Any]]:
    """Return a stack of code that torch traced, each frame ``[path, line, function]``."""
    return [[at.filename, at.lineno, _without_resuming(at.name)] for at in stack]


def _without_resuming(function: str) -> str:
    """Return the user's name of a function that torch names after where it is resumed."""
    return re.sub(rf"^(?:{RESUMED})+|_at_\d+(?:_\d+)*$", "", function) if function.startswith(RESUMED) else function


def probe_cpu(*, compile_one: float | None) -> str:
    """Let Inductor learn what it otherwise learns at its first compile on a machine.

    That is, which vector instructions this CPU has (they are returned); and, with `compile_one`, the precompiled header
    that all its C++ kernels include: it is made with the first of them, so a trivial function is compiled, which adds
    that number. It would cost whichever variant came first seconds that are not its own.
    """
    chosen = ""
    with contextlib.suppress(ImportError, AttributeError):
        from torch._inductor.cpu_vec_isa import pick_vec_isa

        chosen = str(pick_vec_isa())
    if compile_one is not None:
        import torch

        torch.compile(lambda x: x + compile_one)(torch.ones(8))
    return chosen


def precompile_no_headers() -> None:
    """Have Inductor compile C++ without its precompiled headers.

    They make compiling faster where they are, but a process that finds all else in its cache makes them nonetheless:
    some ten seconds, on a machine that has none.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from torch._inductor import config

        config.cpp_cache_precompile_headers = False


def header_folder() -> str | None:
    """Return where Inductor keeps its precompiled headers, whatever its cache directory is; None where unknown."""
    try:
        from torch._inductor.codecache import _HEADER_DIR
    except ImportError:
        return None
    return str(_HEADER_DIR)


def end_compile_workers() -> None:
    """End the processes in which Inductor compiles, so that none of them runs beside the timing."""
    with contextlib.suppress(ImportError, AttributeError):
        from torch._inductor.async_compile import shutdown_compile_workers

        shutdown_compile_workers()


def _count(group: str, name: str) -> int | None:
    try:
        from torch._dynamo.utils import counters
    except ImportError:
        return None
    return int(counters[group][name])


def _of_caches(what: str) -> int | None:
    """Count over both caches; a hit of the outer one leaves nothing to ask the inner one for."""
    found = [_count("inductor", f"fxgraph_cache_{what}"), _count("aot_autograd", f"autograd_cache_{what}")]
    known = [count for count in found if count is not None]
    return max(known) if known else None


def _records() -> list[Any] | None:
    """Return torch's record of each compile, or None where this version keeps none."""
    try:
        from torch._dynamo.utils import get_compilation_metrics

        # Records without a frame are of graphs that run backwards, or of autotuning.
        return [record for record in get_compilation_metrics() if _field(record, "compile_id")]
    except (ImportError, AttributeError):
        return None


def _graph_breaks(records: list[Any] | None) -> int | None:
    try:
        from torch._dynamo.utils import counters
    except ImportError:
        return None
    return max(int(sum(counters["graph_break"].values())), len(_places(records or [])))


def _ended(record: Any) -> dict[str, Any]:
    """Return what is told of a compile that has ended."""
    duration_us = getattr(record, "duration_us", None)
    phases = {name: getattr(record, field, None) for name, field in PHASES_US.items()}
    return {
        "compile": "ended",
        "id": _field(record, "compile_id"),
        "function": _field(record, "co_name"),
        "seconds": None if duration_us is None else duration_us / 1e6,
        "phases_s": {name: us / 1e6 for name, us in phases.items() if us is not None},
        "reason": _short(_field(record, "recompile_reason")) or None,
        "failed": _short(f"{_field(record, 'fail_type')}: {_field(record, 'fail_reason')}")
        if _field(record, "fail_type")
        else None,
    }


def _field(record: Any, name: str) -> str:
    return str(getattr(record, name, None) or "")


def _is_again(record: Any) -> bool:
    """Whether a compile was not the first of its function: its id is ``function/number``."""
    return not _field(record, "compile_id").endswith("/0")


def _places(records: list[Any]) -> list[str]:
    """Return where functions were broken: torch compiles the rest of each as a function of its own, once a path."""
    resumed = [record for record in records if _field(record, "co_name").startswith(RESUMED)]
    return list(dict.fromkeys(map(_place, resumed)))


def _place(record: Any) -> str:
    line = re.search(r"_at_(\d+)", _field(record, "co_name"))
    return f"{_field(record, 'co_filename')}:{line[1] if line else _field(record, 'co_firstlineno')}"


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= REASON_CHARACTERS else f"{line[:REASON_CHARACTERS]}…"
