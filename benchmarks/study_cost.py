"""What a study costs beside what it is for: the share of its wall time outside compiling, timing and checking.

Each stretch of time between two events belongs to the phase that had begun; importing torch, building models, starting
workers, deciding and handing out events belong to none of the three. Target: at most 15 %.

Run it with ``python benchmarks/study_cost.py [MODEL] [BUDGET_S]``.
"""

from __future__ import annotations

import sys

from optkit import Plan, Study, Workload
from optkit.events import CompileBegan, CompileEnded, PhaseBegan

PURPOSES = {
    "compiling": ("probe", "export", "prepare", "first_call", "early_calls"),
    "timing": ("settle", "preliminary", "rounds", "throughput", "memory", "headroom", "confirm", "reload"),
    "checking": ("checks",),
}
TARGET = 0.15


def spent_by_phase(study: Study) -> dict[str, float]:
    """Return seconds by phase; what lies between phases is under "between"."""
    spent: dict[str, float] = {}
    last_s, phase = 0.0, "between"
    for event in study:
        spent[phase] = spent.get(phase, 0.0) + event.at_s - last_s
        last_s = event.at_s
        if not isinstance(event, CompileBegan | CompileEnded):  # these are told in the middle of a phase
            phase = event.phase if isinstance(event, PhaseBegan) else "between"
    return spent


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "resnet18"
    budget_s = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    spent = spent_by_phase(Study(Workload(model), ["compile"], Plan(budget_s=budget_s)))
    total = sum(spent.values())
    print(f"{model}, compile, budget {budget_s:g} s: {total:.1f} s in all")
    for purpose, phases in PURPOSES.items():
        seconds = sum(spent.get(phase, 0.0) for phase in phases)
        print(f"  {purpose:10} {seconds:6.1f} s  {seconds / total:5.1%}")
    purposeful = {phase for phases in PURPOSES.values() for phase in phases}
    others = {phase: seconds for phase, seconds in spent.items() if phase not in purposeful}
    outside = sum(others.values())
    said = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in others.items())
    print(f"  outside    {outside:6.1f} s  {outside / total:5.1%}  ({said}); target at most {TARGET:.0%}")


if __name__ == "__main__":
    main()
