"""Every technique on models of every kind runs and agrees with eager; test_artifacts has those that cannot run."""

from __future__ import annotations

import sys

import cloudpickle
import pytest
import torch
from torch import nn

import optkit
from optkit.verdicts import PASSING

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers must not need this file

pytestmark = pytest.mark.worker
LARGE = ("resnet18", "mobilenet_v3_small", "small_vit")
ENGINES = [
    "compile", "compile:freezing=true", "torchscript", "torchscript:optimize_for_inference=true",
    "torchscript:method=script", "onnxruntime", "aotinductor",
]  # fmt: skip


class SmallViT(nn.Module):
    """A vision transformer of two blocks for images of 32 × 32."""

    def __init__(self, width=64, patch=8):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.randn(1, (32 // patch) ** 2 + 1, width) / 10)
        block = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.place
        return self.head(self.blocks(x)[:, 0])


def small_vit():
    return SmallViT()


MODELS = {
    "resnet18": ("resnet18", None),
    "mobilenet_v3_small": ("mobilenet_v3_small", None),
    "small_vit": (small_vit, (torch.randn(1, 3, 32, 32),)),
    "tiny_transformer": ("tiny_transformer", None),
}


@pytest.fixture(autouse=True)
def _alone(mark, private):
    """No process and no private folder outlives these tests."""


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in MODELS])
def test_every_engine_runs_every_kind_of_model_or_says_why_not(name):
    model, inputs = MODELS[name]
    c = optkit.compare(model, inputs, ENGINES, budget_s=600, rounds=(1, 1), compile_limit_s=400)
    for m in c.measurements.values():
        print(f"{name:20}{m!s:45}{m.status:10}{m.agreement or '-':12}{m.reason or ''}")
        assert m.status == "ok", m.reason
        assert m.agreement in PASSING
        assert m.median_s > 0
