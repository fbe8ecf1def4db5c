"""Modifiers, fallback and a recompile that was asked for, measured for real on a model that is compiled at once."""

from __future__ import annotations

import sys

import cloudpickle
import pytest
import torch
from torch import nn

import optkit
from optkit.engines import Compile
from optkit.variant import Variant
from optkit.verdicts import Doubt

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
GRAPH = "compile:backend=eager"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten()
        )
        self.head = nn.Linear(128, 128)

    def forward(self, x):
        return self.head(self.body(x))


def refuses(graph, example_inputs):
    raise ValueError("this backend never compiles")


NAMES = [
    "eager+channels_last", "eager+bfloat16", "eager+float16", "eager+autocast", "eager+int8", "eager+int8_weight_only",
    "eager+train", f"{GRAPH}+bfloat16", f"{GRAPH}+autocast", f"{GRAPH}+compiled_in=no_grad",
    f"{GRAPH}+compiled_in=inference_mode",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _alone(mark, private):
    """No process and no private folder outlives these tests."""


@pytest.fixture(scope="module")
def measured(mark, private):
    given = [*NAMES, Variant(Compile(backend=refuses), fallback="eager"), Compile(backend=refuses)]
    return optkit.compare(Net(), torch.randn(4, 3, 16, 16), given, budget_s=120, rounds=(1, 1)).measurements


@pytest.mark.parametrize("name", [name for name in NAMES if any(part in name for part in ("16", "autocast", "int8"))])
def test_less_precision_is_reduced_and_says_by_how_much(measured, name):
    m = measured[name]
    assert (m.status, m.agreement) == ("ok", "reduced")
    assert 0 < m.check.max_abs_error < 0.1
    assert m.merit > 0


def test_another_layout_is_as_good_as_the_same(measured):
    assert measured["eager+channels_last"].agreement in ("equal", "close")


def test_train_shows_what_eval_does(measured):
    m = measured["eager+train"]
    assert m.agreement == "different"
    assert {Doubt.OUTPUT_DIFFERS, Doubt.STATEFUL} <= set(m.doubts)


def test_compiling_in_another_context_compiles_once_more_and_says_why(measured):
    m = measured[f"{GRAPH}+compiled_in=no_grad"]
    assert m.facts["late_compiles"] == 1
    assert "compiled under no_grad and then called under inference_mode" in m.remedies[Doubt.RECOMPILED]
    assert m.agreement in ("equal", "close")


def test_compiling_in_the_same_context_does_not(measured):
    assert Doubt.RECOMPILED not in measured[f"{GRAPH}+compiled_in=inference_mode"].doubts


def test_autocast_and_half_precision_compile_once(measured):
    assert {measured[f"{GRAPH}+{name}"].facts["graphs"] for name in ("autocast", "bfloat16")} == {1}
    assert {measured[f"{GRAPH}+{name}"].facts["late_compiles"] for name in ("autocast", "bfloat16")} == {0}


def test_a_fallback_runs_eager_says_so_and_is_never_best(measured):
    m = measured["compile:backend=refuses()+fallback=eager"]
    assert (m.status, m.agreement) == ("ok", "equal")
    assert "this backend never compiles" in m.remedies[Doubt.FELL_BACK]
    assert Doubt.NOT_COMPILED not in m.doubts
    assert m.merit == 0


def test_without_a_fallback_the_same_is_a_failed_row(measured):
    m = measured["compile:backend=refuses()"]
    assert (m.status, m.failed_phase) == ("failed", "first_call")
    assert "this backend never compiles" in m.reason


def test_what_has_no_linear_layer_is_not_quantized_in_silence():
    conv = nn.Conv2d(3, 3, 1)
    c = optkit.compare(conv, torch.randn(1, 3, 4, 4), ["eager+int8"], budget_s=2, rounds=(1, 1))
    assert "has no nn.Linear layer" in c.measurements["eager+int8"].reason
