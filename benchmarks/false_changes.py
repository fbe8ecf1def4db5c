"""How often `optkit diff` and `optkit gate` find a change where nothing changed: a simulation of sessions that differ.

Two runs of the same thing on one machine. A session makes everything slower or faster by a common factor, and each
variant by one of its own, both log-normal. Nothing is timed. ``.venv/bin/python benchmarks/false_changes.py [PAIRS]``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from optkit.comparison import Comparison
from optkit.gating import _judge
from optkit.run_diff import diff_of
from optkit.verdicts import Verdict
from stories import bring_up, checked, ended, finished, started, turn

ROUNDS, CALLS, WITHIN = 20, 5, 0.01
SPREADS = ((0.0, 0.0), (0.05, 0.0), (0.0, 0.03), (0.03, 0.03), (0.05, 0.05), (0.1, 0.1))


def session(chance: np.random.Generator, common: float, own: float, name: str) -> Comparison:
    """Return a run of eager and a variant that takes half as long, in a session of its own."""
    slower = np.exp(chance.normal(0, common))
    times = {key: base * slower * np.exp(chance.normal(0, own)) for key, base in (("eager", 10.0), ("compile", 5.0))}
    told = [replace(started("compile"), run_id=name), *bring_up("eager"), *bring_up("eager", twin=True)]
    told += bring_up("compile", graphs=1)
    for number in range(1, ROUNDS + 1):
        for variant, twin in (("eager", False), ("eager", True), ("compile", False)):
            told.append(turn(variant, number, *(times[variant] * np.exp(chance.normal(0, WITHIN, CALLS))), twin=twin))
    told += [checked("eager", "equal"), checked("eager", "equal", twin=True), checked("compile", "equal")]
    return Comparison([*told, *finished("eager", "compile"), ended()])


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{pairs} pairs of sessions each; nothing changed, so every change that is found is a false one")
    print("common  own     diff: faster or slower   gate 5%: slower   ok   cannot be told")
    for common, own in SPREADS:
        chance = np.random.default_rng(1)
        wrong, judged = 0, {True: 0, False: 0, None: 0}
        for _ in range(pairs):
            before, after = (session(chance, common, own, name) for name in ("before", "after"))
            found = diff_of(before, after)
            wrong += any(change.verdict in (Verdict.FASTER, Verdict.SLOWER) for change in found.changes)
            judged[
                _judge(found.changes[1], found, *(run.measurements["compile"] for run in (before, after)), 0.05).holds
            ] += 1
        told = "   ".join(f"{judged[holds] / pairs:.1%}" for holds in (False, True, None))
        print(f"{common:4.0%}   {own:4.0%}    {wrong / pairs:.1%}                     {told}")


if __name__ == "__main__":
    main()
