"""Models with known causes: the diagnosis names the line and the cause, and what its fix says removes it."""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

import pytest
import torch
from jupyter_client.manager import start_new_kernel
from torch import nn

import optkit
from optkit.errors import UsageError

pytestmark = pytest.mark.worker
FAST = "compile:backend=eager"
DYNAMIC = f"{FAST},dynamic=true"
X = torch.linspace(-1, 2, 32).reshape(4, 8)
HEAD = """
import logging
import time
import numpy as np
import torch
from torch import nn
{setup}
SCALE = 1
LOG = logging.getLogger("a")

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.drop = nn.Dropout(0.1)
        self.seen = []
        self.n = 0
        self.register_buffer("count", torch.zeros(()))
    def forward(self, x{more}):{here}
        y = self.layer(x)
"""
CONFIG = "torch._dynamo.config."


class Mend(NamedTuple):
    """What a fix says, and the body, the inputs, the variant or the setting that does that; the rest stays."""

    says: str
    body: str | None = None
    inputs: object = None
    variant: str | None = None
    setup: str = ""


class Case(NamedTuple):
    """The body of a forward with its cause, its line marked; what is asked for; and ways to mend it."""

    kind: str
    cause: str
    body: str
    mends: tuple[Mend, ...]
    inputs: object = X
    more: str = ""
    here: str = ""
    variant: str = FAST


def setting(says):
    return Mend(says, setup=f"import torch._dynamo\n{CONFIG}{says.removeprefix(CONFIG)}")


CASES = {
    "print": Case(
        "graph_break", "print", "print('seen')  # HERE\nreturn y.relu()",
        (Mend("Remove it", "return y.relu()"), setting(f"{CONFIG}reorderable_logging_functions.add(print)")),
    ),
    "item": Case(
        "graph_break", "item", "s = y.sum().item()  # HERE\nreturn y * s",
        (Mend("leave out .item()", "s = y.sum()\nreturn y * s"), setting(f"{CONFIG}capture_scalar_outputs = True")),
    ),
    "item beside a constant of numpy": Case(
        "graph_break", "item", "s = y.sum().item() * np.pi  # HERE\nreturn y * s",
        (Mend("leave out .item()", "s = y.sum() * np.pi\nreturn y * s"),),
    ),
    "data-dependent if": Case(
        "graph_break", "data_dependent_branch", "if y.sum() > 0:  # HERE\n    return y.relu()\nreturn y - 1",
        (Mend("torch.where", "return torch.where(y.sum() > 0, y.relu(), y - 1)"),),
    ),
    "assertion": Case(
        "graph_break", "assertion", "assert y.sum() > -1e9, f'bad: {{y}}'  # HERE\nreturn y * 2",
        (Mend("fixed message", "assert y.sum() > -1e9, 'bad'\nreturn y * 2"),),
    ),
    "data-dependent shape": Case(
        "graph_break", "data_dependent_shape", "i = torch.nonzero(y > 0)  # HERE\nreturn y * i.float().sum()",
        (setting(f"{CONFIG}capture_dynamic_output_shape_ops = True"),),
    ),
    "numpy": Case(
        "graph_break", "numpy", "s = float(np.linalg.norm(y.detach().numpy()))  # HERE\nreturn y * s",
        (Mend("the function of torch of the same name", "return y * torch.linalg.norm(y)"),),
    ),
    "unsupported builtin": Case(
        "graph_break", "unsupported_builtin", "n = len(globals())  # HERE\nreturn y * n",
        (Mend("pass what comes of it in as an argument", "return y * n", (X, torch.tensor(3))),), more=", n=None",
    ),
    "time": Case(
        "graph_break", "unsupported_function", "n = time.time()  # HERE\nreturn y * 2",
        (Mend("pass what comes of it in as an argument", "return y * 2", (X, torch.tensor(3.0))),), more=", n=None",
    ),
    "logging": Case(
        "graph_break", "logging", "LOG.warning('seen')  # HERE\nreturn y.relu()",
        (Mend("Log outside the model", "return y.relu()"),
         setting(f"{CONFIG}ignore_logger_methods.add(logging.Logger.warning)")),
    ),
    "logging by function": Case(
        "graph_break", "logging", "logging.warning('seen')  # HERE\nreturn y.relu()",
        (setting(f"{CONFIG}reorderable_logging_functions.add(logging.warning)"),),
    ),
    "list mutation": Case(
        "recompile", "mutated_state", "self.seen.append(1)  # HERE\nreturn y * len(self.seen)",
        (Mend("keep a tensor", "self.count += 1\nreturn y * self.count"),),
    ),
    "number that is kept": Case(
        "recompile", "mutated_state", "self.n += 1  # HERE\nreturn y * self.n",
        (Mend("Register it as a buffer", "self.count += 1\nreturn y * self.count"),),
    ),
    "training mode": Case(
        "recompile", "training_mode", "y = self.drop(y)  # HERE\nself.drop.train(not self.drop.training)\nreturn y",
        (Mend("do not switch modes", "return self.drop(y)"),),
    ),
    "global flag": Case(
        "recompile", "global", "global SCALE\ny = y * SCALE  # HERE\nSCALE += 1\nreturn y",
        (Mend("Pass it as an argument that is a tensor", "return y * n", (X, torch.tensor(1))),
         Mend("keep it in the model as a buffer", "self.count += 1\nreturn y * self.count")), more=", n=None",
    ),
    "grad mode": Case(
        "recompile", "grad_mode",
        "# not under no_grad\nwith torch.no_grad():\n    y = y + 1\ntorch.set_grad_enabled(not torch.is_grad_enabled())"
        "  # HERE\nreturn y",
        (Mend("do not switch it inside the model", "with torch.no_grad():\n    y = y + 1\nreturn y"),),
    ),
    "changing batch": Case(
        "recompile", "batch_size", "return y",
        (Mend("Compile with dynamic=True", variant=DYNAMIC),
         Mend("pad it", inputs=[X, nn.functional.pad(X[:3], (0, 0, 0, 1))])),
        [X, X[:3].clone()], here="  # HERE",
    ),
    "batch of 1": Case(
        "recompile", "size_of_one", "return y",
        (Mend("Pad it to 2 and compile with dynamic=True", inputs=[X, X[:1].repeat(2, 1)], variant=DYNAMIC),),
        [X, X[:1].clone()], here="  # HERE",
    ),
    "batch of 1 with dynamic=true": Case(
        "recompile", "size_of_one", "return y",
        (Mend("Pad it to 2", inputs=[X[:1].repeat(2, 1), X]),), [X[:1].clone(), X], here="  # HERE", variant=DYNAMIC,
    ),
    "changing rank": Case(
        "recompile", "rank", "return y", (Mend("unsqueeze", inputs=[X.unsqueeze(0), X[None]]),), [X, X[None]],
        here="  # HERE",
    ),
    "changing dtype": Case(
        "recompile", "dtype", "return y",
        (Mend("Convert it to one dtype before the call", inputs=[X, X.double().to(X.dtype)]),), [X, X.double()],
        here="  # HERE",
    ),
    "python int": Case(
        "recompile", "python_number", "return y * n  # HERE",
        (Mend("torch.tensor(n)", inputs=[(X, torch.tensor(2)), (X, torch.tensor(3))]),
         Mend("compile with dynamic=True", variant=DYNAMIC)), [(X, 2), (X, 3)], more=", n=None",
    ),
    "python float": Case(
        "recompile", "python_number", "return y * n  # HERE",
        (Mend("torch.tensor(n)", inputs=[(X, torch.tensor(0.5)), (X, torch.tensor(0.7))]),
         Mend("compile with dynamic=True", variant=DYNAMIC)), [(X, 0.5), (X, 0.7)], more=", n=None",
    ),
    "another type": Case(
        "recompile", "type", "return y * n  # HERE",
        (Mend("Give it the same type each time", inputs=[(X, 2.0), (X, 2.0)]),), [(X, 2), (X, 2.0)], more=", n=None",
    ),
    "tensor and None": Case(
        "recompile", "type", "return y if n is None else y * n",
        (Mend("Give a tensor each time, one that changes nothing", inputs=[(X, X + 1), (X, torch.ones_like(X))]),),
        [(X, X + 1), (X, None)], more=", n=None", here="  # HERE",
    ),
    "string": Case(
        "recompile", "python_choice", "return y.relu() if n == 'a' else y.tanh()  # HERE",
        (Mend("Keep it the same", inputs=[(X, "a"), (X, "a")]),), [(X, "a"), (X, "b")], more=", n=None",
        variant=DYNAMIC,
    ),
    "bool": Case(
        "recompile", "python_choice", "return y * (2 if n else 3)  # HERE",
        (Mend("Keep it the same", inputs=[(X, True), (X, True)]),), [(X, True), (X, False)], more=", n=None",
        variant=DYNAMIC,
    ),
}  # fmt: skip
OFTEN = ("data-dependent if", "list mutation", "grad mode", "changing batch")
"""The most telling; the others are slow only because each starts processes of its own."""
MENDS = [pytest.param(name, mend, id=f"{name}: {mend.says}") for name, case in CASES.items() for mend in case.mends]


def written(case, folder, name, mend=None):
    """Write the model to a file of its own and return it, with the line that is marked."""
    body = case.body if mend is None or mend.body is None else mend.body
    source = HEAD.format(more=case.more, here=case.here, setup=mend.setup if mend else "")
    source += "".join(f"        {line}\n" for line in body.replace("{{", "{").replace("}}", "}").split("\n"))
    if case.cause == "dtype":
        source = source.replace("y = self.layer(x)", "y = self.layer(x.float())")
    (folder / f"{name}.py").write_text(source)
    lines = [number for number, line in enumerate(source.splitlines(), 1) if "# HERE" in line]
    return __import__(name).Net().eval(), folder / f"{name}.py", lines[0] if lines else None


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda case, name, mend=None: written(case, tmp_path, name, mend)
    for name in [name for name in sys.modules if name.startswith("case_")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one not in OFTEN)) for one in CASES])
def test_the_line_and_the_cause_are_named_with_the_fix(name, make):
    case = CASES[name]
    model, path, line = make(case, f"case_{list(CASES).index(name)}")
    diagnosis = optkit.diagnose(model, case.inputs, case.variant)
    (finding, *others) = diagnosis.findings
    assert (finding.kind, finding.cause, others) == (case.kind, case.cause, []), str(diagnosis)
    assert finding.place == f"{path}:{line}"
    assert "# HERE" in finding.source
    assert finding.fix in str(diagnosis)
    for mend in case.mends:
        assert mend.says in finding.fix
    if case.kind == "recompile":
        assert finding.count == diagnosis.evidence["recompiles"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mend"), MENDS)
def test_what_the_fix_says_removes_it(name, mend, make):
    """The test above finds these words in the fix; here they are done, and nothing else is changed."""
    case = CASES[name]
    model, _, _ = make(case, f"case_mended_{list(CASES).index(name)}", mend)
    inputs = case.inputs if mend.inputs is None else mend.inputs
    diagnosis = optkit.diagnose(model, inputs, mend.variant or case.variant)
    assert diagnosis.is_clean, str(diagnosis)


SETTINGS = [pytest.param(name, one, id=name) for name, case in CASES.items() for one in case.mends if one.setup]
BUILDER = """
import logging
import torch
def build():
    {setup}
    import {name}
    return {name}.Net().eval()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mend"), SETTINGS)
def test_a_setting_of_torchs_is_also_seen_in_a_function_that_builds_the_model(name, mend, make):
    """The second of the places that `causes.WHERE_TO_SET` names; the first is what is done in the test above."""
    module = f"case_built_{list(CASES).index(name)}"
    make(CASES[name], module)
    space: dict[str, Any] = {}
    exec(BUILDER.format(setup=mend.setup.replace("\n", "; "), name=module), space)
    diagnosis = optkit.diagnose(space["build"], CASES[name].inputs, FAST)
    assert diagnosis.is_clean, str(diagnosis)


@pytest.mark.slow
def test_a_setting_in_a_function_that_builds_a_model_of_a_script_is_seen_and_one_beside_it_is_not(run_python):
    said = run_python(
        "import torch, optkit\n"
        "class Mine(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x * x.sum().item()\n"
        "def build():\n"
        "    torch._dynamo.config.capture_scalar_outputs = True\n"
        "    return Mine()\n"
        "if __name__ == '__main__':\n"
        "    torch._dynamo.config.capture_scalar_outputs = True\n"
        f"    print([optkit.diagnose(one, torch.ones(3), {FAST!r}).is_clean for one in (Mine(), build)])\n"
    )
    assert said == "[False, True]\n"


LOGS = """
import logging
import torch
from torch import nn
LOG = logging.getLogger("a")
{setup}
class Block(nn.Linear):
    def forward(self, x):
        x = super().forward(x)
        LOG.warning("mean is %s", x.shape)  # HERE
        return x.relu()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block(8, 8) for _ in range(3))
    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x
"""


@pytest.mark.slow
def test_a_message_that_is_logged_in_a_loop_is_told_at_its_own_line_alone_and_the_fix_removes_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    setup = f"{CONFIG}ignore_logger_methods.add(logging.Logger.warning)"
    (tmp_path / "case_logs.py").write_text(LOGS.format(setup=""))
    (tmp_path / "case_logs_mended.py").write_text(LOGS.format(setup=setup))
    first, *others = optkit.diagnose(__import__("case_logs").Net(), X, FAST).findings
    assert (first.kind, first.cause, "# HERE" in first.source) == ("skipped", "logging", True)
    assert setup in first.fix
    assert all(one.path == str(tmp_path / "case_logs.py") for one in others)
    mended = optkit.diagnose(__import__("case_logs_mended").Net(), X, FAST)
    assert mended.is_clean, str(mended)


class RaisesLater(nn.Linear):
    def forward(self, x):
        if x.shape[0] > 3:
            raise ValueError("too large")
        return super().forward(x)


@pytest.mark.slow
def test_a_call_that_raises_has_its_line_and_asks_for_no_remedy_of_a_break():
    diagnosis = optkit.diagnose(RaisesLater(8, 8), [X[:2].clone(), X, X[:3].clone()], FAST)
    left, raised = diagnosis.findings
    assert (left.kind, raised.kind, raised.count) == ("skipped", "failed", 3)
    assert "ValueError: too large" in raised.reason
    assert raised.source == left.source == 'raise ValueError("too large")'
    assert diagnosis.evidence["recompiles_failed"] == 1
    assert "0 and 1 that failed" in str(diagnosis)


class KeepsRows(nn.Linear):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.rows = None

    def forward(self, x):
        y = super().forward(x)
        self.rows = y if self.rows is None else torch.cat([self.rows, y])
        return self.rows.sum(0)


class FillsRows(nn.Linear):
    """What the fix of the model above says."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("rows", torch.zeros(64, 8))
        self.register_buffer("many", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        y = super().forward(x)
        self.rows.index_copy_(0, self.many + torch.arange(4), y)
        self.many += 4
        return self.rows.sum(0)


@pytest.mark.slow
def test_a_tensor_that_grows_in_the_model_is_not_to_be_marked_and_the_fix_removes_it():
    diagnosis = optkit.diagnose(KeepsRows(8, 8), X, FAST)
    assert {one.cause for one in diagnosis.findings} == {"mutated_state"}
    assert not any("mark_dynamic" in one.fix or "all sizes" in one.fix for one in diagnosis.findings)
    assert "Keep it at one size" in diagnosis.findings[-1].fix
    mended = optkit.diagnose(FillsRows(8, 8), X, FAST)
    assert mended.is_clean, str(mended)


@pytest.mark.parametrize("given", [["compile"], None, 3])
def test_what_is_no_variant_is_told_in_a_sentence(given):
    with pytest.raises(UsageError, match="is no variant; give one"):
        optkit.diagnose(nn.Linear(8, 8), X, given)


def test_a_clean_model_gets_nothing_found_with_the_evidence_counted():
    diagnosis = optkit.diagnose("tiny_cnn", variant=FAST)
    assert diagnosis.is_clean
    assert str(diagnosis).startswith(f"Nothing found in {FAST} of tiny_cnn.")
    assert diagnosis.evidence["calls"] == 3
    assert diagnosis.evidence["graphs"] == diagnosis.evidence["compiles"] == 1
    assert "1 compile and 1 graph" in str(diagnosis)


MANY = """
import torch
from torch import nn

class Child(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
    def forward(self, x):
        print("child")  # CHILD
        return self.layer(x)

class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
    def forward(self, x):
        for _ in range(2):
            x = self.layer(x)
            if x.sum() > 1e9:  # LOOP
                x = x + 1
        return x

class Parent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.child, self.loop = nn.Linear(8, 8), Child(), Loop()
    def forward(self, x):
        y = self.layer(x)
        print("parent")  # PARENT
        y = self.child(y)  # CALLS CHILD
        y = self.layer(y)
        return self.loop(y) + 1  # CALLS LOOP
"""


@pytest.fixture
def many(tmp_path, monkeypatch):
    """Return a module with breaks in a parent, a child and a loop, and the place of each line with a mark."""
    (tmp_path / "case_many.py").write_text(MANY)
    monkeypatch.syspath_prepend(str(tmp_path))
    lines = enumerate(MANY.splitlines(), 1)
    places = {line.partition("# ")[2]: f"{tmp_path}/case_many.py:{number}" for number, line in lines if "# " in line}
    yield __import__("case_many"), places
    del sys.modules["case_many"]


def test_breaks_with_the_same_words_in_a_child_and_in_a_loop_are_one_finding_each_at_their_own_lines(many):
    module, at = many
    diagnosis = optkit.diagnose(module.Parent(), X, FAST)
    found = {one.place: (one.kind, one.cause, one.callers) for one in diagnosis.findings}
    assert found == {
        at["PARENT"]: ("graph_break", "print", ()),
        at["CHILD"]: ("graph_break", "print", (at["CALLS CHILD"],)),
        at["LOOP"]: ("skipped", "data_dependent_branch", (at["CALLS LOOP"],)),
    }, str(diagnosis)
    assert len(diagnosis.findings) == 3
    assert f"Reached from {at['CALLS LOOP']}." in str(diagnosis)
    assert diagnosis.evidence["breaks_logged"] >= 5  # each is told once more where it is reached from


@pytest.mark.slow
def test_a_break_deep_inside_torchs_own_modules_is_one_finding_without_a_caller_of_the_users(many):
    module, at = many
    diagnosis = optkit.diagnose(nn.Sequential(module.Child(), nn.ReLU()), X, FAST)
    (finding,) = diagnosis.findings
    assert (finding.cause, finding.place, finding.callers) == ("print", at["CHILD"], ())
    assert diagnosis.evidence["graph_breaks"] >= 1


def test_a_model_of_torchs_own_that_compiles_again_is_told_by_the_name_of_its_input():
    batches = [torch.randn(n, 8) for n in (4, 8, 9, 1)]
    diagnosis = optkit.diagnose(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), batches, FAST)
    told = [(one.cause, one.function, one.place, one.changed) for one in diagnosis.findings]
    assert told == [
        ("batch_size", "the model", "", "input: 4 → 8 in dimension 0"),
        ("size_of_one", "the model", "", "the size of input in dimension 0, which is 1 now"),
    ]
    assert "mark_dynamic(input, 0)" in diagnosis.findings[0].fix
    assert "external_utils" not in str(diagnosis)


@pytest.mark.slow
def test_the_limit_of_recompiles_is_told_with_all_that_changed_and_its_function():
    diagnosis = optkit.diagnose(nn.Linear(8, 8), [torch.randn(n, 8) for n in range(2, 13)], f"{FAST},dynamic=false")
    again, limit = diagnosis.findings
    assert (again.kind, again.count, again.changed.count("→")) == ("recompile", diagnosis.evidence["recompiles"], 7)
    assert (limit.kind, limit.function) == ("limit", "the model")
    assert "compiled again (7 for 1 cause)" in str(diagnosis).splitlines()[0]


def traced():
    return torch.jit.trace(nn.Linear(8, 8).eval(), torch.ones(4, 8))


class Disabled(nn.Linear):
    @torch.compiler.disable
    def forward(self, x):
        return super().forward(x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch deprecates TorchScript
@pytest.mark.parametrize(("model", "cause"), [(traced, "torchscript"), (Disabled(8, 8), "disabled")])
def test_where_torch_compiles_nothing_that_is_what_is_found(model, cause):
    diagnosis = optkit.diagnose(model, X, FAST)
    (finding,) = diagnosis.findings
    assert (finding.kind, finding.cause) == ("not_compiled", cause)
    assert diagnosis.evidence["graphs"] == 0
    assert not diagnosis.is_clean


@pytest.mark.slow
def test_a_model_that_is_left_to_eager_as_a_whole_is_not_compiled(many):
    module, at = many
    first, second = optkit.diagnose(module.Loop(), X, FAST).findings
    assert (first.kind, first.cause) == ("not_compiled", "left_to_eager")
    assert (second.kind, second.place) == ("skipped", at["LOOP"])


@pytest.mark.slow
def test_under_fullgraph_a_break_is_what_the_call_raised(many):
    module, at = many
    (finding,) = optkit.diagnose(module.Child(), X, f"{FAST},fullgraph=true").findings
    assert (finding.kind, finding.cause, finding.place, finding.count) == ("failed", "print", at["CHILD"], 3)


def test_what_fullgraph_takes_in_is_no_break(make):
    """torch.compile(fullgraph=True) traces .item(), at which it breaks a graph that it may break."""
    model, _, _ = make(CASES["item"], "case_fullgraph")
    diagnosis = optkit.diagnose(model, X, f"{FAST},fullgraph=true")
    assert diagnosis.is_clean, str(diagnosis)


def test_the_real_backend_tells_of_cuda_graphs_that_were_skipped():
    diagnosis = optkit.diagnose(torch.nn.Linear(8, 8), X, "compile:backend=cudagraphs")
    assert [one.kind for one in diagnosis.findings] == ["cudagraphs"]


def test_what_is_not_compiled_has_no_diagnosis():
    with pytest.raises(UsageError, match=r"does not use torch\.compile"):
        optkit.diagnose("tiny_cnn", variant="onnxruntime")


def test_a_model_that_does_not_run_is_told_in_one_sentence():
    with pytest.raises(UsageError, match="shapes cannot be multiplied"):
        optkit.diagnose(torch.nn.Linear(3, 3), X, FAST)


@pytest.mark.slow
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


CELL = """import torch
class Mine(torch.nn.Module):
    def forward(self, x):
        y = x * 2
        print("x")
        return y + 1
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_of_a_notebook_is_diagnosed_on_the_lines_of_its_cell():
    """A real kernel, which gives each cell a file name of its own."""
    manager, client = start_new_kernel(
        kernel_name="python3", env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    told: list[str] = []

    def heard(message):
        told.append(message["content"].get("text", "") + "".join(message["content"].get("traceback", ())))

    try:
        for code in ("first = 1", CELL, f"import optkit\nprint(optkit.diagnose(Mine(), torch.ones(3), {FAST!r}))"):
            client.execute_interactive(code, timeout=120, output_hook=heard)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "Graph break at cell [2], line 5" in "".join(told), "".join(told)
    assert '    print("x")' in "".join(told)
