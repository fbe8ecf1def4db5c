"""What this machine can do at most: its rate of arithmetic, and of moving memory. Measured in a worker of its own.

The best of several attempts is taken, not the median: it is a limit that is looked for, and a neighbour only hides it.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

MATRIX_SIZES = (512, 1024, 2048)
COPY_BYTES = (1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28)
"""Smaller ones lie in caches, which are faster; a small workload must not be held against the speed of the large."""
SECONDS_EACH, FEWEST_ATTEMPTS = 0.15, 3


def measure(device: str, dtype: str) -> dict[str, Any]:
    """Return the rates of this process's threads.

    Returns
    -------
    dict
        ``flops_per_s`` of matrix products in `dtype`; ``copy_bytes_per_s`` and ``read_bytes_per_s`` by the bytes of the
        tensor, as pairs in ascending order; a copy of n bytes moves 2n.
    """
    wait = (lambda: torch.cuda.synchronize(device)) if device.startswith("cuda") else (lambda: None)
    with torch.inference_mode():
        return {
            "flops_per_s": max(_flops_per_s(size, device, dtype, wait) for size in MATRIX_SIZES),
            "copy_bytes_per_s": [(size, _copy_bytes_per_s(size, device, wait)) for size in COPY_BYTES],
            "read_bytes_per_s": [(size, _read_bytes_per_s(size, device, wait)) for size in COPY_BYTES],
        }


def _flops_per_s(size: int, device: str, dtype: str, wait: Callable[[], None]) -> float:
    a = torch.randn(size, size, device=device).to(getattr(torch, dtype))
    b, out = a.clone(), torch.empty_like(a)
    return 2 * size**3 / _fastest_s(lambda: torch.mm(a, b, out=out), wait)


def _copy_bytes_per_s(size: int, device: str, wait: Callable[[], None]) -> float:
    source = torch.ones(size // 4, device=device)
    target = torch.empty_like(source)
    return 2 * size / _fastest_s(lambda: target.copy_(source), wait)


def _read_bytes_per_s(size: int, device: str, wait: Callable[[], None]) -> float:
    """Return how fast memory is read when little is written: the product of a matrix and a vector."""
    matrix = torch.ones(size // 4096, 1024, device=device)
    vector, out = torch.ones(1024, device=device), torch.empty(size // 4096, device=device)
    return size / _fastest_s(lambda: torch.mv(matrix, vector, out=out), wait)


def _fastest_s(call: Callable[[], object], wait: Callable[[], None]) -> float:
    """Return the shortest time of one call, over blocks of calls that each take about 2 ms at least."""
    call()
    wait()
    begin = perf_counter()
    call()
    wait()
    calls = max(1, int(0.002 / max(perf_counter() - begin, 1e-7)))
    fastest, attempts, until = float("inf"), 0, perf_counter() + SECONDS_EACH
    while attempts < FEWEST_ATTEMPTS or perf_counter() < until:
        begin = perf_counter()
        for _ in range(calls):
            call()
        wait()
        fastest = min(fastest, (perf_counter() - begin) / calls)
        attempts += 1
    return fastest
