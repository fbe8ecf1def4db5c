"""What torch.compile did, read from torch's own counters. The only module that touches these private interfaces.

Where an interface is missing in some version of torch the answer is None ("unavailable"), never 0.
"""

from __future__ import annotations

import contextlib


def graphs_compiled() -> int | None:
    """Return how many graphs Dynamo compiled in this process; 0 means that nothing was compiled."""
    try:
        from torch._dynamo.utils import counters
    except ImportError:
        return None
    return int(counters["stats"]["unique_graphs"])


def graph_breaks() -> int | None:
    """Return how many graph breaks were counted in this process (data-dependent branches may be missing)."""
    try:
        from torch._dynamo.utils import counters
    except ImportError:
        return None
    return int(sum(counters["graph_break"].values()))


def probe_cpu(*, compile_one: bool) -> None:
    """Let Inductor learn what it otherwise learns at its first compile on a machine.

    That is, which vector instructions this CPU has; and, with `compile_one`, the precompiled header that all its C++
    kernels include: it is made with the first of them, so a trivial function is compiled. It would cost whichever
    variant came first seconds that are not its own.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from torch._inductor.cpu_vec_isa import pick_vec_isa

        pick_vec_isa()
    if compile_one:
        import torch

        torch.compile(lambda x: x + 1)(torch.ones(8))


def end_compile_workers() -> None:
    """End the processes in which Inductor compiles, so that none of them runs beside the timing."""
    with contextlib.suppress(ImportError, AttributeError):
        from torch._inductor.async_compile import shutdown_compile_workers

        shutdown_compile_workers()
