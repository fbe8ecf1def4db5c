"""The code that a variant prints runs as it is, and gives what eager gives."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.worker
VARIANTS = [
    "eager+no_grad", "eager+bfloat16+channels_last", "eager+autocast", "compile:backend=eager+compiled_in=no_grad",
    "compile:backend=eager,fullgraph=true+fallback=eager", "compile:backend=eager+int8_weight_only", "torchscript",
    "torchscript:method=script", "torchscript:optimize_for_inference=true", "torchscript:compile=true", "onnxruntime",
    "onnxruntime:dynamic=true,optimization=basic", "onnxruntime:dynamic=true,opset=14", "aotinductor:dynamic=true",
    "torchscript+autocast",
]  # fmt: skip
INPUTS = {"*inputs": "(X, Y)", "**inputs": "{'x': X, 'y': Y}", "inputs": "X", "*inputs[0]": "[(X, Y), (Y, X)]"}
PROGRAM = """
import warnings
warnings.simplefilter("ignore")
from typing import Optional
import torch
from torch import nn
from torch.utils import _pytree as pytree
from optkit.variant import Variant

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(32, 32)
    def forward(self, x: torch.Tensor, y: Optional[torch.Tensor] = None) -> torch.Tensor:
        out = torch.relu(self.layer(x))
        return out if y is None else out * y
    def reversed(self, x: torch.Tensor, y: Optional[torch.Tensor] = None) -> torch.Tensor:
        return -self.forward(x, y)

class Exported(Net):  # to script a method other than forward it must be marked; then it cannot be traced
    @torch.jit.export
    def reversed(self, x: torch.Tensor, y: Optional[torch.Tensor] = None) -> torch.Tensor:
        return -self.forward(x, y)

torch.manual_seed(0)
X, Y = torch.randn(4, 32), torch.randn(4, 32)
weights = Net().state_dict()
for method, text in {cases!r}:
    model, inputs = Exported() if "method=script" in text else Net(), {inputs}
    model.load_state_dict(weights)
    code = Variant.parse(text).snippet(setup="model.eval()", method=method, inputs={call!r})
    expected = eval("getattr(model, method)({call})")
    space = dict(model=model, inputs=inputs)
    try:
        exec(code, space)
    except Exception as error:
        raise SystemExit(f"{{text}}, {{method}}: {{error!r}} in\\n{{code}}")
    (output,) = pytree.tree_leaves(space["output"])
    assert torch.allclose(output.float(), expected, atol=0.1), (text, method, code)
    if method == "reversed":
        assert output.min() < 0
print("done")
"""


SELDOM = ("**inputs", "inputs", "*inputs[0]")


@pytest.mark.parametrize("call", [pytest.param(call, marks=[pytest.mark.slow] * (call in SELDOM)) for call in INPUTS])
def test_the_code_of_every_technique_runs_and_agrees_with_eager(call, run_python):
    cases = [("forward", text) for text in VARIANTS]
    if call == "*inputs":  # a method other than forward is the same however it is called
        cases += [("reversed", text) for text in VARIANTS]
    program = PROGRAM.format(cases=cases, inputs=INPUTS[call], call=call)
    assert run_python(program, limit_s=500).splitlines()[-1] == "done"


MODEL_FILE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width, depth=2):
        super().__init__()
        self.width, self.depth = width, depth
        self.layers = nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])
    def forward(self, x):
        return self.layers(x).relu()
"""
MOST = ["eager+no_grad", "compile", "compile+int8", "torchscript+autocast", "aotinductor:freezing=true"]


@pytest.mark.parametrize(
    "variant",
    ["compile:backend=eager+bfloat16", "onnxruntime", *(pytest.param(text, marks=pytest.mark.slow) for text in MOST)],
)
@pytest.mark.parametrize("model", ["theirs", "tiny_transformer"])
def test_the_script_for_a_workload_stands_alone(model, variant, tmp_path, run_python, monkeypatch):
    (tmp_path / "their_model.py").write_text(MODEL_FILE)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = "optkit.Workload('tiny_transformer', batch_size=2)"
    if model == "theirs":
        made = "optkit.Workload(their_model.Net(32, depth=3).eval(), torch.randn(4, 32))"
    code = run_python(
        f"import torch, optkit, their_model\nprint(optkit.Variant.parse({variant!r}).code({made}), end='')"
    )
    assert ("optkit" in code.split("\n", 1)[1]) is (model == "tiny_transformer")
    (empty := tmp_path / "empty").mkdir()
    environ = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=empty, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr + code
    lines = done.stdout.strip().splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["first", "outputs", "eager"]
