"""A sweep in a TOML file: what it stands for, and what is said of one that makes no sense."""

from __future__ import annotations

import pytest

from optkit.errors import UsageError
from optkit.sweeps.file import read

MODELS = """
import torch


def build():
    return torch.nn.Linear(4, 4)


def inputs():
    return torch.ones(2, 4)
"""


@pytest.fixture
def asked(tmp_path):
    """Return a function that reads a file of this text."""

    def of(text):
        path = tmp_path / "sweep.toml"
        path.write_text(text)
        return read(path)

    return of


def test_lists_of_models_and_batch_sizes_are_multiplied(asked):
    found = asked('[[workloads]]\nmodel = ["tiny_cnn", "resnet18"]\nbatch_size = [1, 8]\nshape = [3, 64, 64]')
    told = [(one.model, one.batch_size, one.shape) for one in found.workloads]
    assert told == [(name, size, (3, 64, 64)) for name in ("tiny_cnn", "resnet18") for size in (1, 8)]
    assert found.variants == ["recommended"]


def test_variants_and_fields_of_a_plan_stand_at_the_top(asked):
    found = asked('variants = ["compile"]\nbudget_s = 7\nrounds = [1, 2]\n[[workloads]]\nmodel = "tiny_cnn"')
    assert (found.variants, found.plan.budget_s, found.plan.rounds) == (["compile"], 7, (1, 2))


def test_a_name_is_what_tables_call_a_workload_with_what_it_was_multiplied_by(asked):
    found = asked(
        '[[workloads]]\nname = "mine"\nmodel = "tiny_cnn"\nbatch_size = [1, 8]\n[[workloads]]\nmodel="alexnet"'
    )
    assert list(found.workloads) == ["mine, batch 1", "mine, batch 8", "alexnet"]
    more = asked('[[workloads]]\nname="mine"\nmodel="tiny_cnn"\n[[workloads]]\nmodel="alexnet"\nbatch_size=[1, 4]')
    assert list(more.workloads) == ["mine", "alexnet, batch 1", "alexnet, batch 4"]


def test_a_model_of_ones_own_is_named_as_module_and_function_beside_the_file(asked, tmp_path):
    (tmp_path / "own_models_of_a_sweep.py").write_text(MODELS)
    text = '[[workloads]]\nmodel = "own_models_of_a_sweep:build"\ninputs = "own_models_of_a_sweep:inputs"'
    (workload,) = asked(text).workloads
    assert (workload.name, workload.batch_count) == ("build", 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"no \[\[workloads\]\]"),
        ("workloads = 3", r"no \[\[workloads\]\]"),
        ("[[workloads]]\nbatch_size = 1", "has no model"),
        ('[[workloads]]\nmodel = "tiny_cnn"\nbatchsize = 1', "'batchsize'"),
        ('budget = 3\n[[workloads]]\nmodel = "tiny_cnn"', "'budget'"),
        ('variants = []\n[[workloads]]\nmodel = "tiny_cnn"', "variants"),
        ('variants = 3\n[[workloads]]\nmodel = "tiny_cnn"', "variants"),
        ("[[workloads]]\nmodel = 3", "must be a text"),
        ('[[workloads]]\nmodel = "tiny_cnn"\ninputs = "a:b"', "of your own"),
        ('[[workloads]]\nmodel = "nowhere:build"', "needs inputs"),
        ('[[workloads]]\nmodel = "nowhere:build"\ninputs = "nowhere:inputs"', "cannot be had"),
        ('[[workloads]]\nmodel = "os:sep"\ninputs = "os:getcwd"', "no function"),
        ('[[workloads]]\nmodel = "tiny_cnn"\nbatch_size = 0', "batch_size"),
        ("[[workloads]", "no TOML"),
    ],
)  # fmt: skip
def test_a_file_that_makes_no_sense_is_refused_with_a_sentence(asked, text, said):
    with pytest.raises(UsageError, match=said):
        asked(text)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.toml")
