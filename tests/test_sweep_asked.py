"""The digits of a question: the same in another process, others as soon as numbers could be."""

from __future__ import annotations

import threading

import pytest
import torch

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


@pytest.fixture
def of():
    """Return a function that gives the digits of a model with its inputs."""

    def digits(model, inputs=None, variants=("compile",)):
        return digest(Workload(model, torch.ones(2, 4) if inputs is None else inputs), list(variants), Plan())

    return digits


class Looping(torch.nn.Module):
    """Two layers, and a number of steps that is a parameter."""

    def __init__(self, steps=3, *, tied=False, frozen=False, note=None):
        super().__init__()
        self.one, self.two = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
        self.steps = torch.nn.Parameter(torch.tensor(steps), requires_grad=False)
        if tied:
            self.two.weight = self.one.weight
        if frozen:
            self.one.weight.requires_grad_(False)
        if note is not None:
            self.one.weight.note = note

    def forward(self, x):
        for _ in range(int(self.steps)):
            x = self.two(self.one(x))
        return x


def test_what_a_parameter_is_counts_and_what_a_floating_point_one_weighs_does_not(of):
    assert of(Looping()) == of(Looping())
    others = [of(Looping(5)), of(Looping(tied=True)), of(Looping(frozen=True)), of(Looping(note="a"))]
    assert len({of(Looping()), *others}) == 5


def test_sparse_inputs_count_with_their_indices(of):
    dense = [torch.eye(4), torch.zeros(4, 4)]
    assert len({of(Looping(), one.to_sparse()) for one in dense}) == 2
    assert len({of(Looping(), one) for one in dense}) == 1


def test_a_file_that_is_run_counts_with_its_content(of, tmp_path):
    path, found = tmp_path / "model.onnx", set()
    for content in (b"one", b"two", b"two"):
        path.write_bytes(content)
        found.add(of(Looping(), variants=[f"onnxruntime:path={path}"]))
    assert len(found) == 2
    path.unlink()
    assert of(Looping(), variants=[f"onnxruntime:path={path}"]) not in found


def test_the_same_code_in_another_cell_is_the_same_question(of):
    source = "def build():\n    return sum(n for n in range(3))\n"
    found = set()
    for name, text in (("cell 1", source), ("cell 2", "\n\n" + source), ("cell 3", source.replace("3", "4"))):
        space = {"__name__": "__main__"}
        exec(compile(text, name, "exec"), space)  # as a notebook does
        found.add(of(space["build"]))
    assert len(found) == 2


def test_a_model_that_cannot_be_pickled_is_a_new_question_each_time(of):
    model = Looping()
    model.lock = threading.Lock()
    assert of(model) != of(model)


def test_settings_of_the_workload_the_variants_and_the_plan_are_part_of_it():
    def of(variants=("compile",), plan=None, **given):
        return digest(Workload("tiny_cnn", **given), variants, plan or Plan())

    assert of() == of()
    others = [
        of(batch_size=2), of(device="cuda"), of(shape=(3, 64, 64)), of(variants=["eager"]), of(plan=Plan(budget_s=1)),
        of(variants=["compile", "eager"]), of(evaluate=len), of(evaluate=max),
    ]  # fmt: skip
    assert len({of(), *others}) == 1 + len(others)
