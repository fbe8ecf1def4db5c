"""What optkit's timing adds to what it times: ratios and differences measured in one run, interleaved.

1. A model of some 20 ms: optkit's steady median, taken in a worker as in every study, against a hand-written loop in
   this process; turn by turn, in random order, one thread each. Target: ratio within 2 %.
2. A callable of some 5 µs, timed in blocks: seconds per call against the same hand-written loop. Target: at most
   0.2 µs more per call.

Run it with ``make bench`` or ``python benchmarks/overhead.py``.
"""

from __future__ import annotations

import random
from statistics import median
from time import perf_counter

import cloudpickle
import torch

from optkit.stats import bootstrap_interval
from optkit.variant import Variant
from optkit.worker.host import Host
from optkit.worker.timing import Stopwatch
from optkit.workload import Workload

ROUNDS = 40
TURN_S = 0.25


class Block(torch.nn.Module):
    """Equal layers; `size` and `layers` decide how long a call takes."""

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(size, size) for _ in range(layers))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def by_hand_single(model, x) -> float:
    """One reading of the clock before and after each call, as people write it; return seconds per call."""
    model(x), model(x)  # the first calls after a rest are slow; both sides leave two out
    times = []
    until = perf_counter() + TURN_S
    while perf_counter() < until:
        begin = perf_counter()
        model(x)
        times.append(perf_counter() - begin)
    return median(times)


def by_optkit_single(worker) -> float:
    turn = {"do": "turn", "in_blocks": False, "least_calls": 1, "least_s": TURN_S}
    command = turn | {"discard_calls": 2, "discard_s": 0.02}
    return median(worker.ask(command, 60)["durations_ns"]) / 1e9


def bring_up(host: Host, model, x):
    """Take a worker to steady calls, as the scheduler does."""
    host.start()
    worker = host.fork("overhead")
    path = worker.folder / "variant"
    path.write_bytes(cloudpickle.dumps(Variant(threads=1)))
    spec = Workload(model, x).pack(host.folder)
    worker.ask({"do": "build", "workload": spec, "variant": str(path), "device": "cpu"}, 60)
    for step in ({"do": "prepare"}, {"do": "first_call"}, {"do": "early_calls"}):
        worker.ask(step, 60)
    worker.ask({"do": "settle", "limit_s": 2, "least_calls": 20}, 60)
    return worker


def by_hand_block(function, x, calls: int) -> float:
    begin = perf_counter()
    for _ in range(calls):
        function(x)
    return (perf_counter() - begin) / calls


def by_optkit_block(watch: Stopwatch, calls: int) -> float:
    return watch.block(calls) / 1e9 / calls


def interleave(left, right) -> tuple[list[float], list[float]]:
    """Let both take turns in random order."""
    shuffled, results = random.Random(0), {0: [], 1: []}
    for _ in range(ROUNDS):
        for index in shuffled.sample([0, 1], 2):
            results[index].append((left, right)[index]())
    return results[0], results[1]


@torch.inference_mode()
def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x = torch.randn(64, 1024)
    layers = max(1, round(0.020 / (by_hand_single(Block(1024, 10).eval(), x) / 10)))
    model = Block(1024, layers).eval()
    with Host() as host:
        worker = bring_up(host, model, x)
        hand, ours = interleave(lambda: by_hand_single(model, x), lambda: by_optkit_single(worker))
    ratios = [o / h for o, h in zip(ours, hand, strict=True)]
    low, high = bootstrap_interval(ratios, 0.95)
    print(f"1. A model of {median(hand) * 1e3:.1f} ms, optkit over a hand-written loop: {median(ratios):.4f}", end=" ")
    print(f"(95 %: {low:.4f} to {high:.4f}); target within 0.98 to 1.02")

    small, calls = torch.randn(8, 8), 2000
    function = torch.nn.Linear(8, 8).eval()
    watch = Stopwatch(function, (((small,), {}),))
    hand, ours = interleave(lambda: by_hand_block(function, small, calls), lambda: by_optkit_block(watch, calls))
    added = [(o - h) * 1e6 for o, h in zip(ours, hand, strict=True)]
    low, high = bootstrap_interval(added, 0.95)
    print(f"2. A call of {median(hand) * 1e6:.2f} µs, added per call by optkit: {median(added):+.3f} µs", end=" ")
    print(f"(95 %: {low:+.3f} to {high:+.3f}); target at most 0.2 µs")


if __name__ == "__main__":
    main()
