"""The digits of a question: the same in another process, others as soon as numbers could be."""

from __future__ import annotations

import pytest

from optkit.study import Plan
from optkit.sweeps.asked import digest
from optkit.workload import Workload

PROGRAM = """
import torch
from torch import nn
import optkit
from optkit.sweeps.asked import digest

SEEDED = {seeded}
if SEEDED:
    torch.manual_seed({seed})


class Net(nn.Module):
    def __init__(self, steps={steps}, width={width}):
        super().__init__()
        self.steps, self.layers = steps, nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 8))
        self.register_buffer("table", torch.arange({table}))
        self.names = {{"a", "b", "c"}}

    def forward(self, x):
        for _ in range(self.steps):
            x = self.layers(x) {more}
        return x


workload = optkit.Workload(Net(), torch.randn({batch}, 8))
print(digest(workload, ["compile"], optkit.Plan()))
"""
USUAL = {"seeded": True, "seed": 0, "steps": 1, "width": 16, "table": 4, "more": "", "batch": 2}


def asked(run_python, **other):
    return run_python(PROGRAM.format(**USUAL | other))


@pytest.mark.worker
def test_the_same_model_in_another_process_is_the_same_question_whatever_its_weights(run_python):
    assert asked(run_python) == asked(run_python) == asked(run_python, seeded=False) == asked(run_python, seed=7)


@pytest.mark.worker
@pytest.mark.parametrize("other", [{"steps": 2}, {"width": 32}, {"table": 5}, {"more": "+ 1"}, {"batch": 3}])
def test_what_a_model_does_and_the_shape_of_its_inputs_are_part_of_the_question(run_python, other):
    assert asked(run_python) != asked(run_python, **other)


def test_settings_of_the_workload_the_variants_and_the_plan_are_part_of_it():
    def of(variants=("compile",), plan=None, **given):
        return digest(Workload("tiny_cnn", **given), variants, plan or Plan())

    assert of() == of()
    others = [
        of(batch_size=2), of(device="cuda"), of(shape=(3, 64, 64)), of(variants=["eager"]), of(plan=Plan(budget_s=1)),
        of(variants=["compile", "eager"]), of(evaluate=len), of(evaluate=max),
    ]  # fmt: skip
    assert len({of(), *others}) == 1 + len(others)
