"""Is what optkit says true? Studies whose answer is known, on a machine as it is and beside a bursty neighbour.

In one kind of study the same block of layers is called 10 times by the baseline and 13 times by a variant, so that the
true speed-up is 10/13; in the other two variants are identical, two backends that return the graph unchanged. Printed:
how often the identical two are called different (at most 1 of 40), how often the 95 % interval holds the true ratio (at
least 36 of 40), the median error (at most 3 % beside the neighbour); and beside it what `torch.utils.benchmark` says of
the same two, measured one after the other as people do.

Run it with ``python benchmarks/truth.py [--studies 40] [--only quiet|neighbour]``; all of it takes about an hour.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import ClassVar

# One thread a worker: with two on two CPUs a neighbour makes each call 20 times as long, and so each study.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.utils.benchmark import Timer

import optkit
from optkit.engines import Compile, Engine

TRUTH = 10 / 13
IDENTICAL = ("compile:backend=unchanged()", "compile:backend=unchanged_too()")
RATIO_BUDGET_S, IDENTICAL_BUDGET_S = 22.0, 20.0
NEIGHBOUR = """
import random, time
while True:
    until = time.monotonic() + random.uniform(0.2, 2.0)
    while time.monotonic() < until:
        sum(range(1000))
    time.sleep(random.uniform(0.2, 2.0))
"""
"""One thread that is busy half of the time, for 0.2 to 2 s on end."""


class Repeated(torch.nn.Module):
    """A block of layers, called `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.block = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU())
        self.times = times

    def forward(self, x):
        for _ in range(self.times):
            x = self.block(x)
        return x


@dataclass(frozen=True)
class Calls(Engine):
    """An engine for this benchmark: it calls the block another number of times."""

    name: ClassVar[str] = "calls"
    times: int = 13

    def prepare(self, loaded):
        loaded.model.times = self.times
        return loaded.model

    def code(self, model, method):
        del method
        return [f"fast = {model}"]


def unchanged(graph, _):
    return graph.forward


def unchanged_too(graph, _):
    return graph.forward


@contextmanager
def bursty_neighbour(wanted: bool):
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) if wanted else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def known_ratio(x, seed: int) -> optkit.Comparison:
    return optkit.compare(model(), x, Calls(), budget_s=RATIO_BUDGET_S, rounds=(20, 20), seed=seed)


def identical_two(x, seed: int) -> optkit.Comparison:
    variants = [Compile(backend=unchanged), Compile(backend=unchanged_too)]
    return optkit.compare(model(), x, variants, budget_s=IDENTICAL_BUDGET_S, rounds=(20, 20), seed=seed)


def model() -> Repeated:
    torch.manual_seed(0)
    return Repeated(10)


@torch.inference_mode()
def one_after_the_other(x) -> float:
    times = []
    for count in (10, 13):
        timer = Timer(
            "model(x)", globals={"model": Repeated(count).eval(), "x": x}, num_threads=torch.get_num_threads()
        )
        times.append(timer.blocked_autorange(min_run_time=0.5).median)
    return times[0] / times[1]


def run(name: str, studies: int, *, neighbour: bool) -> None:
    x = torch.randn(64, 512)
    ours, theirs, noises, verdicts, held, slower, rounds = [], [], [], [], 0, 0, []
    began = time.monotonic()
    with bursty_neighbour(neighbour):
        for number in range(studies):
            one = known_ratio(x, number)
            calls = one.measurements["calls"]
            low, high = calls.interval()
            held += low <= TRUTH <= high
            slower += calls.verdict == "slower"
            rounds.append(calls.rounds)
            noises.append(one.noise)
            ours.append(abs(calls.speedup / TRUTH - 1))
            theirs.append(abs(one_after_the_other(x) / TRUTH - 1))
            verdicts.append(identical_two(x, number).between(*IDENTICAL).verdict)
            print(
                f"  {name} {number + 1:2d}: speed-up {calls.speedup:.4f} ({low:.4f} to {high:.4f}), "
                f"error {ours[-1]:.1%} (one after the other: {theirs[-1]:.1%}), {calls.rounds} rounds, "
                f"noise {one.noise:.1%}; identical two: {verdicts[-1]}",
                flush=True,
            )
    different = sum(verdict in ("faster", "slower") for verdict in verdicts)
    print(f"{name}: {studies} pairs of studies, {(time.monotonic() - began) / studies:.0f} s each")
    print(f"  identical variants called faster or slower: {different} of {studies} (target: at most 1 of 40)")
    print(f"  the 95 % interval holds the true ratio {TRUTH:.4f}: {held} of {studies} (target: at least 36 of 40)")
    print(
        f"  error of the speed-up: median {median(ours):.1%}, worst {max(ours):.1%} (target beside the neighbour: 3 %)"
    )
    print(f"  one after the other (torch.utils.benchmark): median {median(theirs):.1%}, worst {max(theirs):.1%}")
    print(f"  the slower one is called slower: {slower} of {studies}; rounds: median {median(rounds):g}")
    print(f"  machine noise (A/A'): median {median(noises):.1%}, worst {max(noises):.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--only", choices=("quiet", "neighbour"))
    arguments = parser.parse_args()
    for name in ("quiet", "neighbour"):
        if arguments.only in (None, name):
            run(name, arguments.studies, neighbour=name == "neighbour")


if __name__ == "__main__":
    main()
