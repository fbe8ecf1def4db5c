"""Does a recipe hold what was measured? Each engine's is saved, moved, and verified in fresh processes.

Prints the speed-up with its 95 % interval as it was measured and as `optkit verify` measures it, whether these overlap,
how the outputs agree, and the first calls. A machine whose neighbours change between the two can move both.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import optkit
from optkit import text

ENGINES = ("compile", "torchscript", "onnxruntime", "aotinductor")


def said(verification: optkit.Verification) -> str:
    """Return what was measured, and what was verified, in one line."""
    then, now, found = verification.saved, verification.measurement, verification.found
    if now is None:
        return str(verification.refused)
    measured = interval(then["speedup_low"], then["speedup_high"])
    verified = interval(*(now.interval(0.95) or (None, None)))
    first = f"{text.duration(found['first_call_s'])} (study: {text.duration(then['first_call_s'])})"
    speed = f"measured {then['speedup']:.2f}x ({measured}), verified {now.speedup:.2f}x ({verified})"
    return (
        f"{speed}, overlap: {verification.overlaps}; outputs {now.agreement}, distance {found['distance']:.1g}; "
        f"first call {first}"
    )


def interval(low: float | None, high: float | None) -> str:
    return "no interval" if low is None or high is None else f"{low:.2f}-{high:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--variants", nargs="*", default=ENGINES)
    parser.add_argument("--budget", type=float, default=120.0, help="seconds of each study")
    given = parser.parse_args()
    comparison = optkit.compare(given.model, variants=given.variants, budget_s=given.budget)
    print(comparison.answer())
    misses = 0
    with tempfile.TemporaryDirectory() as folder:
        for variant in given.variants:
            saved = comparison.save_recipe(Path(folder) / "saved", variant)
            moved = Path(shutil.move(saved, Path(folder) / "moved"))
            verification = optkit.verify(moved, budget_s=given.budget)
            print(f"{variant}: {said(verification)}", flush=True)
            misses += verification.overlaps is not True
            shutil.rmtree(moved)
    return misses


if __name__ == "__main__":
    sys.exit(main())
