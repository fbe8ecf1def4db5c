"""Is the break-even true? Held against real processes whose calls are added up one by one.

For each of three models a study says after how many calls `compile`, started cold, has caught up with eager. Then two
interpreters of their own do nothing but start, build and call, and the call is looked for at which the compiled one's
time since its first import is no longer the later. Printed: what was said, with its interval, and what was found.

Run it with ``python benchmarks/break_even.py [--budget 60]``; it takes about six minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

BEGIN = time.monotonic()  # before torch is imported: that is part of every start

import torch  # noqa: E402
from torch import nn  # noqa: E402

ENOUGH = 3.0
"""Real calls are made up to this many times the break-even that was said, within `MOST_S`."""
MOST_S = 120.0


class Chain(nn.Module):
    """Many small operators: what each costs besides its arithmetic is paid once where they are fused."""

    def forward(self, x):
        for i in range(24):
            x = torch.tanh(x * 1.01 + 0.1 * i) - x
        return x


class Norms(nn.Module):
    """A normalisation written out by hand, as in many a paper's code."""

    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(torch.ones(512)) for _ in range(12)])

    def forward(self, x):
        for weight in self.weights:
            x = x + weight * (x - x.mean(-1, keepdim=True)) * torch.rsqrt(x.var(-1, keepdim=True) + 1e-5)
        return x


class Gates(nn.Module):
    """Matrix products between gates that are several operators each."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(128, 128) for _ in range(4)])

    def forward(self, x):
        for layer in self.layers:
            y = layer(x)
            x = x + y * torch.sigmoid(1.702 * y) * torch.tanh(nn.functional.softplus(y)) / (1 + y.abs())
        return x


MODELS = {"chain": (Chain, (64, 256)), "norms": (Norms, (32, 512)), "gates": (Gates, (128, 128))}
"""With small tensors: eager with large ones is up to twice as slow in one process as in the next, by the allocator's
luck, and then no study of some workers can tell what another process will do."""


def real_calls(name: str, variant: str, calls: int) -> None:
    """In an interpreter of its own: print the seconds since its start at the end of each call."""
    torch.manual_seed(0)
    kind, shape = MODELS[name]
    model, x = kind().eval(), torch.randn(*shape)
    fast = torch.compile(model) if variant == "compile" else model
    ends = []
    with torch.inference_mode():
        for _ in range(calls):
            fast(x)
            ends.append(time.monotonic() - BEGIN)
            if ends[-1] > MOST_S:
                break
    print(json.dumps(ends))


def run(name: str, variant: str, calls: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {"TMPDIR": folder, "TORCHINDUCTOR_CACHE_DIR": f"{folder}/cache"}
        command = [sys.executable, __file__, "--run", name, variant, str(calls)]
        told = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return json.loads(told.stdout)


def compare(name: str, budget_s: float) -> bool:
    import optkit

    kind, shape = MODELS[name]
    comparison = optkit.compare(kind(), torch.randn(*shape), ["compile"], budget_s=budget_s)
    compiled = comparison.measurements["compile"]
    said = compiled.break_even()
    print(f"{name}: {comparison.answer()}")
    print(f"  said: {said.said}; start-up {compiled.startup().total_s:.1f} s", flush=True)
    if said.high is None or said.high == float("inf"):
        print("  the interval is open, so there is nothing to look for")
        return True
    calls = int(ENOUGH * said.high)
    eager, fast = run(name, "eager", calls), run(name, "compile", calls)
    found = next((n for n, (a, b) in enumerate(zip(eager, fast, strict=False), 1) if b <= a), None)
    if found is None:
        print(f"  found: not within {min(len(eager), len(fast))} calls")
        return False
    held = said.low <= found <= said.high
    print(f"  found: {found} calls, {'within' if held else 'OUTSIDE'} {said.low:.0f} to {said.high:.0f}", flush=True)
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--run", nargs=3, metavar=("MODEL", "VARIANT", "CALLS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        name, variant, calls = arguments.run
        real_calls(name, variant, int(calls))
        return
    held = [compare(name, arguments.budget) for name in MODELS]
    print(f"break-even held in {sum(held)} of {len(held)} models")


if __name__ == "__main__":
    main()
