"""Are start-up times true? Each is held against a script that a person would write, in an interpreter of its own.

Cold: an empty Inductor cache and temporary folder for each run, so that the script pays import, probe, build, compile
and the first call. Warm: the same script once more in the same folders. Printed: medians of three runs, and the ratio
of what optkit says to them (target: within 15 %).

Run it with ``python benchmarks/startup_cost.py [MODEL] [--runs 3]``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from statistics import median

import optkit

SCRIPT = """
import time
begin = time.monotonic()
import torch
from optkit.zoo import torchvision_models
from optkit import tiny_models
name = {model!r}
torch.manual_seed(0)
model = tiny_models.MODELS[name]() if name in tiny_models.MODELS else torchvision_models().get_model(name, weights=None)
x = {inputs}
model.eval()
fast = {fast}
with torch.inference_mode():
    fast(x)
print(time.monotonic() - begin)
"""


def run(script: str, folder: str) -> float:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TORCHINDUCTOR_", "TORCH_COMPILE"))}
    environ |= {"TMPDIR": folder, "TORCHINDUCTOR_CACHE_DIR": f"{folder}/cache"}
    told = subprocess.run([sys.executable, "-c", script], env=environ, check=True, capture_output=True, text=True)
    return float(told.stdout.split()[-1])  # from the first import to the first answer


def by_hand(model: str, fast: str, runs: int) -> tuple[float, float]:
    inputs = "torch.randn(1, 3, 32, 32)" if model.startswith("tiny_cnn") else "torch.randn(1, 3, 224, 224)"
    script = SCRIPT.format(model=model, inputs=inputs, fast=fast)
    cold, warm = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(run(script, folder))
            warm.append(run(script, folder))
    return median(cold), median(warm)


def by_optkit(model: str, variant: str, runs: int) -> tuple[float, float, dict]:
    told = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder  # so that the probe is learnt each time
            comparison = optkit.compare(model, None, [variant], budget_s=1, rounds=(3, 3), warm=True)
            told.append(comparison.measurements[variant])
    middle = sorted(told, key=lambda m: m.startup().total_s)[len(told) // 2]
    cold = median(m.startup().total_s for m in told)
    return cold, median(m.startup(warm=True).total_s for m in told), middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="resnet18")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("eager+no_grad", "compile"))
    arguments = parser.parse_args()
    for variant, fast in (("eager+no_grad", "model"), ("compile", "torch.compile(model)")):
        if arguments.only not in (None, variant):
            continue
        cold, warm, m = by_optkit(arguments.model, variant, arguments.runs)
        hand_cold, hand_warm = by_hand(arguments.model, fast, arguments.runs)
        print(f"{arguments.model} {variant}, median of {arguments.runs}")
        ratio = cold / hand_cold
        print(f"  cold: optkit {cold:.1f} s, by hand {hand_cold:.1f} s, ratio {ratio:.2f} (target 0.85 to 1.15)")
        print(f"  warm: optkit {warm:.1f} s, by hand {hand_warm:.1f} s, ratio {warm / hand_warm:.2f}")
        for name, start in (("cold", m.startup()), ("warm", m.startup(warm=True))):
            print(f"    {name}: " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in start.parts.items()))
        for name, facts in (("cold", m.facts), ("warm", m.warm.facts)):
            counts = {what: facts.get(f"cache_{what}") for what in ("hits", "misses", "bypasses")}
            print(f"    cache, {name}: {counts}", flush=True)


if __name__ == "__main__":
    main()
