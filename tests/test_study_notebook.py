"""The notebook of a study: valid, complete, and nothing that somebody else has written can do anything in it."""

from __future__ import annotations

import ast
import importlib
import io
import json
import sys
import tokenize
from functools import cache

import nbformat
import pytest
import torch
from nbconvert.filters import markdown2html
from torch import nn

from hostile import TEXTS, elements, is_plain, words
from optkit.comparison import Comparison
from optkit.engines import Compile
from optkit.errors import UsageError
from optkit.report.parts import plain
from optkit.study_notebook import notebook
from optkit.variant import Variant
from optkit.workload import Workload
from stories import bring_up, checked, ended, failed, finished, rounds, started

SETTINGS = {
    "model": "tiny_cnn", "batch_size": 4, "shape": (3, 16, 16), "device": "cpu", "call": "forward",
    "variants": ["compile:backend=eager", "eager+no_grad"], "rounds": (2, 3), "target": 0.05, "warm": True,
    "batch_sizes": (1, 8), "seed": 7, "budget_s": 20.0,
}  # fmt: skip
HARMLESS = "harmless"
hostile = pytest.mark.parametrize("said", TEXTS.values(), ids=TEXTS)


def read(content: str) -> nbformat.NotebookNode:
    found = nbformat.reads(content, as_version=nbformat.NO_CONVERT)
    nbformat.validate(found)
    return found


def sources(content: str, kind: str = "code") -> list[str]:
    return [cell.source for cell in read(content).cells if cell.cell_type == kind]


def tagged(content: str, tag: str) -> str:
    (source,) = [cell.source for cell in read(content).cells if tag in cell.metadata.get("tags", [])]
    return source


def values(source: str) -> dict:
    found: dict = {}
    exec(source, found)
    del found["__builtins__"]
    return found


def asked(content: str) -> list[str]:
    """Return what each cell that stops the notebook says."""
    said = []
    for source in sources(content):
        if "raise NameError" in source:
            with pytest.raises(NameError) as caught:
                exec(source, {"variants": []})
            said.append(str(caught.value))
    return said


def call(content: str) -> ast.Call:
    (source,) = [source for source in sources(content) if "optkit.compare(" in source]
    return ast.parse(source).body[-1].value


@cache
def told(said: str, *, answered: bool = True) -> Comparison:
    workload = {"model": said, "code": said, "call": said, "inputs_code": said, "device": said}
    story = [started(said, "compile", workload=workload), *bring_up("eager")]
    if answered:
        story += [*bring_up(said, graphs=1), *rounds(5, eager=2.0, **{said: 1.0}), failed("compile", details=said)]
        story += [checked("eager", "equal"), checked(said, "close", why=said), *finished("eager", said), ended()]
    story[0].environment.update(cpu=said, versions={"torch": said, "python": said})
    return Comparison(story)


def test_it_is_a_valid_notebook_without_outputs_for_any_kernel_of_python_3():
    content = notebook(SETTINGS, None, None)
    found = read(content)
    assert (found.nbformat, found.nbformat_minor) == (4, 5)
    assert found.metadata.kernelspec.name == "python3"
    assert "widgets" not in found.metadata
    assert len({cell.id for cell in found.cells}) == len(found.cells)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in found.cells if "outputs" in cell)
    assert content == notebook(dict(reversed(SETTINGS.items())), None, None)


def test_the_parameters_are_what_was_chosen_and_all_of_them_are_used():
    content = notebook(SETTINGS, None, None)
    expected = json.loads(json.dumps(SETTINGS))
    assert values(tagged(content, "parameters")) == expected
    used = call(content)
    assert {one.arg: one.value.id for one in used.keywords} == {name: name for name in SETTINGS}
    assert used.args == []


def test_what_is_not_chosen_is_what_is_usual_and_can_be_changed_too():
    expected = {"model": "resnet18", "batch_size": 1, "device": None, "variants": "recommended", "budget_s": 120.0}
    assert values(tagged(notebook({"model": "resnet18"}, None, None), "parameters")) == expected | {"seed": 0}


def test_a_workload_says_what_settings_leave_out():
    workload = Workload("tiny_cnn", batch_size=2, shape=(3, 8, 8), device="cpu", call="predict")
    found = values(tagged(notebook({"variants": "modes"}, workload, None), "parameters"))
    assert found == {
        "model": "tiny_cnn", "batch_size": 2, "shape": [3, 8, 8], "device": "cpu", "call": "predict",
        "variants": "modes", "budget_s": 120.0, "seed": 0,
    }  # fmt: skip
    usual = values(tagged(notebook({}, Workload("resnet18", weights="DEFAULT"), None), "parameters"))
    assert (usual["weights"], usual.get("shape")) == ("DEFAULT", None)


def test_own_inputs_of_a_model_of_the_zoo_are_drawn_anew():
    content = notebook({"variants": ["compile"]}, Workload("tiny_cnn", torch.zeros(2, 3, 8, 8)), None)
    assert "batch_size" not in values(tagged(content, "parameters"))
    (drawn,) = [source for source in sources(content) if "inputs = " in source]
    assert values(drawn)["inputs"].shape == (2, 3, 8, 8)
    assert {one.arg for one in call(content).keywords} == {"inputs", "model", "device", "variants", "budget_s", "seed"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("recommended", "recommended"),
        ("compile", "compile"),
        (Variant(Compile(mode="max-autotune")), ["compile:mode=max-autotune"]),
        ((Compile(), "backends"), ["compile", "backends"]),
        ([], ["eager"]),
    ],
)
def test_variants_are_kept_in_every_form_that_compare_takes(given, kept):
    content = notebook({"model": "tiny_cnn", "variants": given}, None, None)
    assert values(tagged(content, "parameters"))["variants"] == kept
    assert asked(content) == []


def test_a_variant_that_no_text_brings_back_is_left_out_and_the_notebook_says_so():
    def swift(graph, inputs):
        return graph

    both = [Variant(Compile(backend=swift)), "compile"]
    content = notebook({"model": "tiny_cnn", "variants": both}, None, None)
    assert values(tagged(content, "parameters"))["variants"] == ["compile"]
    assert (
        "**Left out**, because a callable of yours is part of it: `compile:backend=swift()`."
        in (sources(content, "markdown")[0])
    )
    (alone,) = asked(notebook({"model": "tiny_cnn", "variants": "compile:backend=swift()"}, None, None))
    assert alone.startswith("Put the variants of this notebook here")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"model": nn.Linear(1, 1)}, "model cannot be written into a notebook, because it is of type Linear"),
        ({"model": "tiny_cnn", "budget_s": float("inf")}, "budget_s cannot be written into a notebook"),
        ({"model": "tiny_cnn", "x = 1\nimport os": 1}, "A notebook has no use for the setting 'x = 1"),
        ({"model": "tiny_cnn", "inputs": 1}, "A notebook has no use for the setting 'inputs'"),
    ],
)
def test_what_is_no_plain_setting_is_refused(settings, said):
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        notebook(settings, None, None)


def skeleton(source: str) -> str:
    """Return a cell without the texts and numbers in it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = None
    return ast.dump(tree)


def comments(source: str) -> set[str]:
    return {
        one.string for one in tokenize.generate_tokens(io.StringIO(source).readline) if one.type == tokenize.COMMENT
    }


def with_text(said: str) -> str:
    settings = {"model": said, "device": said, "call": said, "weights": said, "goal": said, "budget_s": 20}
    return notebook(settings | {"variants": [said, "compile"]}, None, told(said))


@hostile
def test_a_text_stands_in_code_as_a_literal_only(said):
    for source, harmless in zip(sources(with_text(said)), sources(with_text(HARMLESS)), strict=True):
        assert skeleton(source) == skeleton(harmless)
        assert comments(source) <= comments(harmless)
        assert is_plain(source)
    found = values(tagged(with_text(said), "parameters"))
    assert {found[name] for name in ("model", "device", "call", "weights", "goal")} == {said}
    assert found["variants"] == [said, "compile"]


@hostile
def test_a_text_stands_in_markdown_for_nothing_but_itself(said):
    for source, harmless in zip(
        sources(with_text(said), "markdown"), sources(with_text(HARMLESS), "markdown"), strict=True
    ):
        html = markdown2html(source)
        assert {one[0] for one in elements(html)} <= {one[0] for one in elements(markdown2html(harmless))}
        assert is_plain(source)
        assert len(source) < 20_000
    head = words(markdown2html(sources(with_text(said), "markdown")[0]))
    first = plain(said, 40).splitlines()[0].split("…")[0]
    assert first in head


@hostile
def test_the_name_of_a_users_own_class_does_no_harm_either(said):
    def told_of(name: str) -> str:
        built = type(name, (nn.Module,), {"forward": lambda self, x: x})
        return notebook({"variants": ["compile"]}, Workload(built(), torch.ones(1)), None)

    try:
        content = told_of(said)
    except (ValueError, UnicodeEncodeError):
        pytest.skip("no class can have this name")
    for source, harmless in zip(sources(content), sources(told_of(HARMLESS)), strict=True):
        assert skeleton(source) == skeleton(harmless)
        assert comments(source) == comments(harmless)
        assert is_plain(source)
    (asked_for,) = asked(content)
    assert asked_for.startswith("Put the model of this notebook here: model = ... It was a model of your own")
    assert len(asked_for) < 400


def test_a_fence_is_longer_than_any_in_it():
    head = sources(notebook({"model": "tiny_cnn"}, None, told("a ````` b\n```\nend")), "markdown")[0]
    assert "\n\n``````text\nmeasured" in head
    assert head.count("\n``````") == 2


def test_it_tells_when_where_and_what_was_measured_and_the_answer():
    comparison = told("compile:mode=max-autotune")
    head = sources(notebook({"model": "tiny_cnn"}, None, comparison), "markdown")[0]
    assert "# Which settings for `tiny_cnn`?" in head
    assert "measured  2023-11-14 22:13 UTC, run run" in head
    assert "variants  eager, compile:mode=max-autotune, compile" in head
    assert "budget    10.0 s; it took" in head
    assert comparison.answer().split(".")[0][:60] in head
    assert max(map(len, head.split("```")[1].splitlines())) <= 100


def test_a_study_that_goes_on_or_gave_no_answer_is_told_as_such():
    head = sources(notebook({"model": "tiny_cnn"}, None, told("x", answered=False)), "markdown")[0]
    assert "it had not ended" in head
    assert len(sources(notebook({"model": "tiny_cnn"}, None, Comparison()), "markdown")[0].split("\n")) == 3


def test_what_was_changed_since_it_was_measured_is_named():
    record = {"model": "tiny_cnn", "batch_size": 1, "device": "cpu", "call": "forward", "shape": [3, 32, 32]}
    comparison = Comparison([started("compile", workload=record)])
    same = {"model": "tiny_cnn", "batch_size": 1, "variants": ["compile"], "budget_s": 10}
    changed = same | {"batch_size": 2, "device": "cuda", "variants": ["eager+no_grad"], "rounds": (1, 2)}
    head, other = (sources(notebook(one, None, comparison), "markdown")[0] for one in (same, changed))
    assert "Changed since" not in head
    assert "Changed since: `batch_size`, `device`, `rounds`, `variants`." in other


@pytest.fixture
def net(tmp_path, monkeypatch):
    """Return a module with a class, in a file of its own."""
    (tmp_path / "their_nets.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.width = width\n"
        "        self.layer = nn.Linear(width, width)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x)\n"
        "class Unknown(Net):\n"
        "    def __init__(self, secret):\n"
        "        super().__init__(2 * secret)\n"
        "def made():\n"
        "    return Net(8)\n"
        "def mean(output):\n"
        "    return float(output.mean())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    yield importlib.import_module("their_nets")
    del sys.modules["their_nets"]


def test_an_own_model_is_built_as_it_was_found_out_and_its_module_is_found(net, tmp_path):
    workload = Workload(net.Net(8), [torch.ones(4, 8), torch.ones(2, 8)], device="cpu", evaluate=net.mean)
    content = notebook({"variants": ["compile"], "device": "cpu"}, workload, None)
    assert values(tagged(content, "parameters"))["folders"] == [str(tmp_path)]
    said = "\n".join(sources(content, "markdown"))
    assert "**A guess that was tried.**" in said
    assert "It needs modules of yours: `their_nets`" in said
    space: dict = {}
    for source in sources(content)[:-5]:
        exec(source, space)
    sys.path.remove(str(tmp_path))  # the cells have put it there once more
    assert (type(space["model"]), space["model"].width) == (net.Net, 8)
    assert [one.shape for one in space["inputs"]] == [(4, 8), (2, 8)]
    assert space["evaluate"] is net.mean
    assert space["study_settings"] == {"device": "cpu", "variants": ["compile"], "budget_s": 120.0, "seed": 0}
    assert ast.unparse(call(content)) == ("optkit.compare(model, inputs=inputs, **study_settings, evaluate=evaluate)")


def test_a_function_that_builds_the_model_is_called_and_not_said_to_be_tried(net):
    content = notebook({}, Workload(net.made, {"x": torch.ones(4, 8)}), None)
    assert any("model = made()" in source for source in sources(content))
    assert not any("tried.**" in source for source in sources(content, "markdown"))
    assert any('inputs = {"x": torch.randn(4, 8)}' in source for source in sources(content))


def test_where_nothing_is_known_of_the_model_the_notebook_stops_and_asks(net):
    class Held:
        pass

    model, inputs = asked(notebook({"variants": ["compile"]}, None, None))
    assert model.startswith("Put the model of this notebook here: model = ...")
    assert inputs.startswith("Put the inputs of this notebook here: inputs = ...")
    (model,) = asked(notebook({}, Workload(net.Unknown(4), torch.ones(1, 8)), None))
    assert "optkit cannot tell how this Unknown is built" in model
    (inputs,) = asked(notebook({}, Workload(net.Net(8), (Held(),)), None))
    assert "optkit cannot print those that were measured" in inputs


def test_a_function_of_the_outputs_that_cannot_be_printed_is_told_to_be_missing():
    settings = {"model": "tiny_cnn", "evaluate": lambda output: 1.0}
    content = notebook(settings, None, None)
    assert "evaluate = None" in sources(content)
    assert any("Only you can give it" in source for source in sources(content, "markdown"))
    assert ast.unparse(call(content)) == "optkit.compare(**study_settings, evaluate=evaluate)"


def claimed(comparison: Comparison) -> str:
    lines = ast.parse(tagged(notebook({"model": "tiny_cnn"}, None, None), "claims")).body
    space = {"comparison": comparison}
    exec(compile(ast.Module(lines[:-1], []), "claims", "exec"), space)
    return eval(compile(ast.Expression(lines[-1].value), "claims", "eval"), space)


def test_the_claims_hold_for_a_study_of_which_a_variant_failed():
    assert claimed(told("compile:dynamic=true")) == "2 of 3 variants were measured"


def test_the_claims_do_not_hold_where_something_is_wrong():
    quick = [
        *bring_up("compile", graphs=1, first_ms=1),
        *rounds(5, eager=2.0, compile=3.0),
        *finished("eager", "compile"),
    ]
    with pytest.raises(AssertionError, match="its first call took no longer"):
        claimed(Comparison([started("compile"), *bring_up("eager"), *quick, ended()]))
    with pytest.raises(AssertionError, match="the baseline was not measured"):
        claimed(Comparison([started("compile"), *bring_up("eager"), ended()]))
    lost = [*bring_up("eager"), *rounds(5, eager=2.0), *finished("eager", "compile")]
    with pytest.raises(AssertionError, match="compile was not measured, and nothing says why"):
        claimed(Comparison([started("compile"), *lost, ended()]))
