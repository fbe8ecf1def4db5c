"""Twelve models, each with one known cause: the diagnosis names its line and it, and the stated fix removes it."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest
import torch

import optkit
from optkit.errors import UsageError

pytestmark = pytest.mark.worker
FAST = "compile:backend=eager"
X = torch.linspace(-1, 2, 32).reshape(4, 8)
HEAD = """
import time
import numpy as np
import torch
from torch import nn

SCALE = 1

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.seen = []
        self.register_buffer("count", torch.zeros(()))
    def forward(self, x{more}):{here}
        y = self.layer(x)
"""


class Case(NamedTuple):
    """The body of a forward with its cause, its line marked; the body after the fix; and the inputs of both."""

    kind: str
    cause: str
    body: str
    mended: str
    inputs: object = X
    mended_inputs: object = X
    more: str = ""
    here: str = ""


CASES = {
    "print": Case("graph_break", "print", "print('seen')  # HERE\nreturn y.relu()", "return y.relu()"),
    "item": Case("graph_break", "item", "s = y.sum().item()  # HERE\nreturn y * s", "s = y.sum()\nreturn y * s"),
    "data-dependent if": Case(
        "graph_break", "data_dependent_branch", "if y.sum() > 0:  # HERE\n    return y.relu()\nreturn y - 1",
        "return torch.where(y.sum() > 0, y.relu(), y - 1)",
    ),
    "list mutation": Case(
        "recompile", "mutated_state", "self.seen.append(1)  # HERE\nreturn y * len(self.seen)",
        "self.count += 1\nreturn y * self.count",
    ),
    "numpy": Case(
        "graph_break", "numpy", "s = float(np.linalg.norm(y.detach().numpy()))  # HERE\nreturn y * s",
        "return y * torch.linalg.norm(y)",
    ),
    "unsupported builtin": Case(
        "graph_break", "unsupported_builtin", "n = len(globals())  # HERE\nreturn y * n", "return y * n", X,
        (X, torch.tensor(3)), more=", n=None",
    ),
    "global flag": Case(
        "recompile", "global", "global SCALE\ny = y * SCALE  # HERE\nSCALE += 1\nreturn y",
        "return y * scale", X, (X, torch.tensor(1)), more=", scale=None",
    ),
    "grad mode": Case(
        "recompile", "grad_mode", "torch.set_grad_enabled(not torch.is_grad_enabled())  # HERE\nreturn y", "return y",
    ),
    "changing batch": Case("recompile", "batch_size", "return y", "return y", [X, X[:2]], [X, X], here="  # HERE"),
    "changing rank": Case(
        "recompile", "rank", "return y", "return y", [X, X[None]], [X[None], X[None]], here="  # HERE"
    ),
    "changing dtype": Case(
        "recompile", "dtype", "return y", "return y", [X, X.double()], [X, X.double().float()], here="  # HERE"
    ),
    "python int": Case(
        "recompile", "python_argument", "return y * k  # HERE", "return y * k", [(X, 2), (X, 3)],
        [(X, torch.tensor(2)), (X, torch.tensor(3))], more=", k=None",
    ),
}  # fmt: skip
DTYPE = "y = self.layer(x.float())"


def written(case, folder, name, *, mended):
    """Write the model to a file of its own and return it, with the line that is marked."""
    body = case.mended if mended else case.body
    source = HEAD.format(more=case.more, here=case.here) + "".join(f"        {line}\n" for line in body.split("\n"))
    if case.cause == "dtype":
        source = source.replace("y = self.layer(x)", DTYPE)
    (folder / f"{name}.py").write_text(source)
    lines = [number for number, line in enumerate(source.splitlines(), 1) if "# HERE" in line]
    space = __import__(name)
    return space.Net().eval(), folder / f"{name}.py", lines[0] if lines else None


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda case, name, **how: written(case, tmp_path, name, **how)
    for name in [name for name in sys.modules if name.startswith("case_")]:
        del sys.modules[name]


OFTEN = ("print", "data-dependent if", "list mutation", "global flag", "grad mode", "changing batch")


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one not in OFTEN)) for one in CASES])
def test_the_line_and_the_cause_are_named(name, make):
    case = CASES[name]
    model, path, line = make(case, f"case_{list(CASES).index(name)}", mended=False)
    diagnosis = optkit.diagnose(model, case.inputs, FAST)
    (finding, *others) = diagnosis.findings
    assert (finding.kind, finding.cause, others) == (case.kind, case.cause, []), str(diagnosis)
    assert finding.place == f"{path}:{line}"
    assert "# HERE" in finding.source
    assert finding.fix in str(diagnosis)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_stated_fix_removes_it(name, make):
    case = CASES[name]
    model, _, _ = make(case, f"case_mended_{list(CASES).index(name)}", mended=True)
    diagnosis = optkit.diagnose(model, case.mended_inputs, FAST)
    assert diagnosis.is_clean, str(diagnosis)


def test_a_clean_model_gets_nothing_found_with_the_evidence_counted():
    diagnosis = optkit.diagnose("tiny_cnn", variant=FAST)
    assert diagnosis.is_clean
    assert str(diagnosis).startswith(f"Nothing found in {FAST} of tiny_cnn.")
    assert diagnosis.evidence["calls"] == 3
    assert diagnosis.evidence["graphs"] == diagnosis.evidence["compiles"] == 1
    assert "1 compile and 1 graph" in str(diagnosis)


def test_a_break_deep_inside_is_one_finding_with_the_place_that_leads_there(make):
    case = Case("", "", "print('x')  # HERE\nreturn y", "")
    inner, _, _ = make(case, "case_inner", mended=False)
    diagnosis = optkit.diagnose(torch.nn.Sequential(inner, torch.nn.ReLU()), X, FAST)
    (finding,) = diagnosis.findings
    assert finding.cause == "print"
    assert diagnosis.evidence["graph_breaks"] >= 1


def test_the_real_backend_tells_of_cuda_graphs_that_were_skipped():
    diagnosis = optkit.diagnose(torch.nn.Linear(8, 8), X, "compile:backend=cudagraphs")
    assert [one.kind for one in diagnosis.findings] == ["cudagraphs"]


def test_what_is_not_compiled_has_no_diagnosis():
    with pytest.raises(UsageError, match=r"does not use torch\.compile"):
        optkit.diagnose("tiny_cnn", variant="onnxruntime")


def test_a_model_that_does_not_run_is_told_in_one_sentence():
    with pytest.raises(UsageError, match="shapes cannot be multiplied"):
        optkit.diagnose(torch.nn.Linear(3, 3), X, FAST)


def test_a_model_of_a_script_is_diagnosed_on_its_own_lines(run_python):
    said = run_python(
        "import torch, optkit\n"
        "class Mine(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        print('x')\n"
        "        return x + 1\n"
        "if __name__ == '__main__':\n"
        f"    (one,) = optkit.diagnose(Mine(), torch.ones(3), {FAST!r}).findings\n"
        "    print(one.cause, one.line, one.source)\n"
    )
    assert said == "print 4 print('x')\n"
