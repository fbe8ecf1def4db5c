"""The printed Python builds the user's model and inputs: where it would build another, it says that it cannot tell."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections import OrderedDict

import pytest

from optkit import building, zoo
from optkit.building import check

OWN = """
import dataclasses
import functools

import torch
from torch import nn


@dataclasses.dataclass
class Config:
    width: int
    act: type = nn.ReLU
    sizes: list = dataclasses.field(default_factory=list)


class Wide(nn.Module):
    def __init__(self, width, bias=True, *, scale=1.0, norm=None, drop=0.1, act=nn.ReLU, device=None):
        super().__init__()
        self.width, self.scale, self.norm, self.act = width, scale, norm, act
        self.one = nn.Linear(width, width, bias=bias)
        self.bias = self.one.bias
        self.drop = nn.Dropout(drop)


class Forgetful(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.one = nn.Linear(width, width)


class Quiet(nn.Module):
    def __init__(self, factor=1.0):
        super().__init__()
        self.scale = 2 * factor


class Inherits(Wide):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class Many(nn.Module):
    def __init__(self, width, *layers):
        super().__init__()
        self.width = width
        for number, layer in enumerate(layers):
            self.add_module(str(number), layer)


class Configured(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.one = nn.Linear(config.width, 2)


class Outer:
    class Inner(nn.Module):
        pass


class Loud(nn.Module):
    built = 0

    def __init__(self):
        super().__init__()
        print("built")
        Loud.built += 1
        self.weight = nn.Parameter(torch.rand(3))


class Fails(nn.Module):
    built = []

    def __init__(self):
        super().__init__()
        if self.built:
            raise SystemError
        self.built.append(self)


class Reads(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.depth = depth
        self.rates = [one.item() for one in torch.linspace(0, 1, depth)]
        self.one = nn.Linear(2, 2)


def build():
    return Wide(3)


def build_of(width, *, scale=1.0):
    return Wide(width, scale=scale)


def local():
    class Local(nn.Module):
        pass

    return Local()
"""

SCRIPT = '''
import functools
import json
import xml.etree.ElementTree
from dataclasses import dataclass
from math import sqrt as root
from typing import Optional

import torch
import torch.nn.functional as F
from torch import nn

from optkit import building

WIDTH, SIZES, NAMES = 8, [4, 2], {"act": "relu"}
DTYPE = torch.float32
x = object()  # what a parameter is called; not what is in it
activations = {"relu": nn.ReLU, "gelu": F.gelu}
half = functools.partial(torch.mul, other=0.5)


@dataclass
class Config:
    width: int = WIDTH


def helper(x: Optional[torch.Tensor]):
    return twice(x) / root(4) if len(x) else even(3)


def twice(x):
    return 2 * x


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


class Block(nn.Module):
    """Text with "quotes" and
      lines."""

    def __init__(self, width=WIDTH):
        super().__init__()
        self.width = width
        self.one = nn.Linear(width, SIZES[0], dtype=DTYPE)

    def forward(self, x):
        assert __name__ == "__main__"
        assert xml.etree.ElementTree.fromstring("<a/>").tag == "a"
        return activations["gelu"](half(helper(self.one(x))))


class Net(Block):
    def __init__(self, width, config=None):
        super().__init__(width)
        self.config = config
        self.inner = nn.Sequential(Block(4), activations[NAMES["act"]]())

    @torch.no_grad()
    def forward(self, x):
        return self.inner(super().forward(x))


class Lost(Block):
    def __init__(self, size):
        super().__init__()
        self.two = nn.Linear(size, size)


def build():
    return Net(WIDTH)


MODEL = Net(WIDTH)


def of_a_model():
    return MODEL


print(json.dumps([building.model(one) for one in (
    Net(8, Config(3)), build, Lost(3), of_a_model, Lost(WIDTH), functools.partial(Net, 8, Config(1))
)]))
'''

OWN_VISION = """
import torchvision
from torch import nn


class Net(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.backbone = torchvision.models.mobilenet_v3_small()
        self.head = nn.Linear(1000, classes)

    def forward(self, images):
        return self.head(self.backbone(images))


def build():
    return nn.Identity()
"""

CELLS = """
import sys

from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in [
    "import torch\\nfrom torch import nn\\nfrom dataclasses import dataclass",
    "import json\\nfrom optkit import building",
    "@dataclass\\nclass Config:\\n    width: int = 3",
    "class Net(nn.Module):\\n    def __init__(self, config):\\n        super().__init__()\\n        "
    "self.config = config\\n        self.one = nn.Linear(config.width, 2)\\n",
    "old = Net(Config())",
    "print(json.dumps(building.model(old)))",
    "class Net(nn.Module):\\n    def __init__(self, config):\\n        super().__init__()\\n        "
    "self.new = nn.Linear(2, 2)",
    "print(json.dumps(building.model(old)))",
]:
    shell.run_cell(cell).raise_error()
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return a module of the user's."""
    (tmp_path / "own_models.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("own_models")
    del sys.modules["own_models"]


def run_lines(lines):
    """Return the names that lines define, below an import of torch."""
    space = {}
    exec("\n".join(["import torch", *lines]), space)
    return space


def printed(value):
    """Return the line that builds a model, after checking that all lines do."""
    lines, complete = building.model(value)
    assert complete, lines
    assert repr(run_lines(lines)["model"]) == repr(value)
    assert all(len(line) <= 120 for line in lines)
    return next(line for line in lines if line.startswith("model = "))


def is_left_to_the_user(value, name):
    lines, complete = building.model(value)
    comment, how, line = lines[-3:]
    assert comment == f"# optkit cannot tell how this {name} is built:"
    assert how.startswith('# torch.save(model, "model.pt")')
    assert line == 'model = torch.load("model.pt", weights_only=False)'
    return not complete


def test_layers_of_torch_are_printed_as_people_write_them():
    from torch import nn

    assert printed(nn.Linear(3, 4)) == "model = torch.nn.Linear(3, 4)"
    assert printed(nn.Linear(3, 4, bias=False)) == "model = torch.nn.Linear(3, 4, bias=False)"
    assert printed(nn.Conv2d(3, 8, 3, padding=1)) == "model = torch.nn.Conv2d(3, 8, (3, 3), padding=(1, 1))"
    assert printed(nn.BatchNorm2d(3, eps=0.1)) == "model = torch.nn.BatchNorm2d(3, eps=0.1)"
    assert printed(nn.LSTM(3, 4, num_layers=2)) == "model = torch.nn.LSTM(3, 4, num_layers=2)"
    assert printed(nn.RNN(3, 4, nonlinearity="relu")) == 'model = torch.nn.RNN(3, 4, nonlinearity="relu")'
    assert printed(nn.Embedding(9, 3, padding_idx=0)) == "model = torch.nn.Embedding(9, 3, padding_idx=0)"
    assert printed(nn.Identity()) == "model = torch.nn.Identity()"
    assert printed(nn.Sequential()) == "model = torch.nn.Sequential()"


def test_a_nested_model_is_printed_in_lines_that_fit():
    from torch import nn

    block = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.2))
    model = nn.Sequential(nn.Conv2d(3, 8, 3), block, nn.Sequential(nn.Flatten(), nn.Linear(8, 10)))
    assert printed(model) == "model = torch.nn.Sequential("
    assert building.model(model).lines[1:3] == [
        "    torch.nn.Conv2d(3, 8, (3, 3)),",
        "    torch.nn.Sequential(",
    ]


def test_containers_keep_their_names():
    from torch import nn

    assert printed(nn.ModuleList([nn.ReLU()])) == "model = torch.nn.ModuleList([torch.nn.ReLU()])"
    assert printed(nn.ModuleDict({"a": nn.ReLU()})) == 'model = torch.nn.ModuleDict({"a": torch.nn.ReLU()})'
    named = nn.Sequential(OrderedDict(a=nn.ReLU()))
    assert printed(named) == 'model = torch.nn.Sequential(OrderedDict({"a": torch.nn.ReLU()}))'
    assert building.model(named).lines[0] == "from collections import OrderedDict"


def test_transformers_are_printed_although_they_keep_their_arguments_in_their_layers():
    from torch import nn

    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.2, activation="gelu", batch_first=True)
    text = "torch.nn.TransformerEncoderLayer("
    assert printed(layer) == f"model = {text}"  # too long for a line
    assert "    dim_feedforward=32," in building.model(layer).lines
    assert "    activation=torch.nn.functional.gelu," in building.model(layer).lines
    plain = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, batch_first=True), 3)
    assert printed(plain) == f"model = torch.nn.TransformerEncoder({text}16, 4, batch_first=True), 3)"
    assert printed(nn.MultiheadAttention(16, 2, bias=False)).startswith("model = torch.nn.MultiheadAttention(16, 2, b")


def test_the_dtype_and_memory_format_of_a_model_are_kept():
    import torch
    from torch import nn

    assert printed(nn.Linear(3, 4).half()) == "model = torch.nn.Linear(3, 4).to(torch.float16)"
    last = nn.Conv2d(3, 4, 3).to(torch.bfloat16, memory_format=torch.channels_last)
    assert printed(last).endswith("(3, 3)).to(torch.bfloat16, memory_format=torch.channels_last)")
    mixed = nn.Sequential(nn.Linear(3, 4).half(), nn.Linear(3, 4))
    assert is_left_to_the_user(mixed, "Sequential")


def test_weights_are_said_to_be_random_where_there_are_some():
    from torch import nn

    assert building.model(nn.Linear(3, 4)).lines[-1].startswith("# Its weights are random here: ")
    assert building.model(nn.ReLU()).lines == ["model = torch.nn.ReLU()"]


def test_a_class_is_given_what_it_keeps_under_the_names_of_its_parameters(own):
    import torch

    assert printed(own.Wide(3)) == "model = Wide(width=3)"
    assert building.model(own.Wide(3)).lines[0] == "from own_models import Wide"
    given = own.Wide(3, bias=False, scale=float("inf"), norm=torch.nn.LayerNorm(3), drop=0.5, act=torch.nn.GELU)
    assert printed(given) == (
        'model = Wide(width=3, bias=False, scale=float("inf"), norm=torch.nn.LayerNorm((3,)), drop=0.5, '
        "act=torch.nn.GELU)"
    )
    assert printed(own.Inherits(3, scale=2.0)) == "model = Inherits(width=3, scale=2.0)"
    assert printed(own.Many(3, torch.nn.ReLU(), own.Wide(2))) == "model = Many(3, torch.nn.ReLU(), Wide(width=2))"
    assert printed(own.Outer.Inner()) == "model = Outer.Inner()"


def test_a_configuration_that_is_a_dataclass_is_printed(own):
    import torch

    model = own.Configured(own.Config(3, act=torch.nn.GELU))
    assert printed(model) == "model = Configured(config=Config(width=3, act=torch.nn.GELU, sizes=[]))"


def test_arguments_that_a_class_does_not_keep_are_believed_to_be_the_defaults_only_where_they_are(own):
    assert printed(own.Forgetful()) == "model = Forgetful()"
    assert is_left_to_the_user(own.Forgetful(5), "Forgetful")
    assert printed(own.Quiet()) == "model = Quiet()"
    assert is_left_to_the_user(own.Quiet(3.0), "Quiet")  # only an attribute tells


def test_what_was_changed_after_it_was_built_is_left_to_the_user(own):
    from torch import nn

    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    hooked = nn.Sequential(nn.ReLU())
    hooked[0].register_forward_hook(lambda *_: None)
    replaced = own.Wide(3)
    replaced.forward = lambda x: x
    assert is_left_to_the_user(tied, "Sequential")
    assert is_left_to_the_user(hooked, "Sequential")
    assert is_left_to_the_user(replaced, "Wide")
    assert is_left_to_the_user(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "ParametrizedLinear")
    shared = nn.ReLU()
    assert is_left_to_the_user(nn.Sequential(shared, shared), "Sequential")


def test_objects_that_mean_the_same_agree_and_others_do_not(own):
    import torch

    def adder(number):
        return lambda x: x + number

    for one, other in [(float("nan"), float("nan")), (adder(1), adder(1)), (own.Config(1), own.Config(1))]:
        assert check.agree(one, other)
    for one, other in [(1, True), (adder(1), adder(2)), (own.Config(1), own.Config(2)), (torch.ones(1), torch.ones(2))]:
        assert not check.agree(one, other)
    half, third = functools.partial(pow, 2), functools.partial(pow, 3)
    assert check.agree([half, {"a": (1, 2)}], [functools.partial(pow, 2), {"a": (1, 2)}])
    assert not check.agree(half, third)
    assert not check.agree(own.Wide(3).forward, own.Wide(3).eval)
    assert not check.agree(own.Wide, own.Quiet)


def test_verifying_leaves_no_trace(own, capsys):
    import torch

    loud = own.Loud()
    capsys.readouterr()
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert building.model(loud).complete
    assert torch.rand(1) == expected
    assert own.Loud.built == 2
    assert capsys.readouterr() == ("", "")


def test_a_constructor_that_reads_values_is_tried_with_values_unless_they_are_many(own, monkeypatch):
    assert printed(own.Reads(2)) == "model = Reads(depth=2)"
    monkeypatch.setattr(check, "FEW_WEIGHTS", 6)
    assert is_left_to_the_user(own.Reads(2), "Reads")


def test_a_class_that_fails_is_left_to_the_user(own):
    assert is_left_to_the_user(own.Fails(), "Fails")
    assert is_left_to_the_user(own.local(), "Local")


def test_a_model_of_torchvision_is_built_by_the_function_that_builds_the_same():
    models = zoo.torchvision_models()
    assert printed(models.resnet18()) == "model = resnet18()"
    assert "from torchvision.models import resnet18" in building.model(models.resnet18()).lines
    assert printed(models.resnet34(num_classes=10)) == "model = resnet34(num_classes=10)"


def test_what_builds_a_model_is_called(own):
    assert building.model(own.build) == (["from own_models import build", "model = build()"], True)
    assert building.model(own.Forgetful) == (["from own_models import Forgetful", "model = Forgetful()"], True)
    partly = functools.partial(own.build_of, 3, scale=2.0)
    assert building.model(partly).lines == ["from own_models import build_of", "model = build_of(3, scale=2.0)"]
    assert is_left_to_the_user(lambda: own.build(), "<lambda>")  # noqa: PLW0108 - the lambda is the point
    assert is_left_to_the_user(functools.partial(own.build_of, object()), "partial")


def test_what_cannot_be_called_as_it_is_or_not_by_its_name_is_left_to_the_user(own, tmp_path):
    assert is_left_to_the_user(own.build_of, "build_of")
    assert is_left_to_the_user(own.Wide, "Wide")
    assert is_left_to_the_user(functools.partial(own.build_of, scale=2.0), "partial")
    assert is_left_to_the_user(type(own.local()), "Local")
    hidden = tmp_path / "hidden" / "nowhere.py"
    hidden.parent.mkdir()
    hidden.write_text("def build():\n    return None\n")
    spec = importlib.util.spec_from_file_location("nowhere", hidden)
    sys.modules["nowhere"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        assert is_left_to_the_user(module.build, "build")
    finally:
        del sys.modules["nowhere"]


def in_a_fresh_process(lines, after, folder):
    """Run lines as ``python -c`` does, away from everything, and return what is printed."""
    code = "\n".join(["import torch", *lines, after])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stderr}\n{code}"
    return done.stdout


@pytest.mark.worker
def test_code_that_imports_torchvision_runs_where_its_extension_does_not_fit_torch(tmp_path, monkeypatch):
    from optkit.workload import torchvision_models

    models = torchvision_models()
    (tmp_path / "own_vision.py").write_text(OWN_VISION)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    own = importlib.import_module("own_vision")
    call = "print(tuple(model.eval()(torch.randn(1, 3, 64, 64)).shape))"
    try:
        for value, shape in [
            (models.resnet18(num_classes=10), (1, 10)),
            (own.Net(), (1, 5)),
            (own.build, (1, 3, 64, 64)),
        ]:
            lines, complete = building.model(value)
            assert complete, lines
            assert in_a_fresh_process(lines, call, tmp_path) == f"{shape}\n"
        lines, complete = building.model(models.resnet18(norm_layer=lambda _: own.build()))
        assert not complete
        assert lines[: len(zoo.accommodation_code())] == zoo.accommodation_code()
        lines, complete = building.model(functools.partial(own.Net, object()))
        assert not complete
        assert lines[: len(zoo.accommodation_code())] == zoo.accommodation_code()
    finally:
        del sys.modules["own_vision"]


def test_a_class_of_a_script_is_printed_with_all_that_it_refers_to(run_python, tmp_path):
    results = json.loads(run_python(SCRIPT))
    (net, is_net), (built, is_built), (lost, is_lost), (of_a_model, is_of_a_model) = results[:4]
    assert (is_net, is_built, is_lost, is_of_a_model) == (True, True, False, False)
    assert net[-2] == "model = Net(width=8, config=Config(width=3))"
    assert built[-1] == "model = build()"
    assert results[5][0][-1] == "model = Net(8, Config(width=1))"
    assert "class Lost(Block):" in lost  # without it the file could not be loaded
    assert lost[-1].startswith("model = torch.load(")
    assert of_a_model[0].startswith("# optkit cannot tell how this of_a_model is built:")
    assert {"from math import sqrt as root", "from typing import Optional", "import torch.nn as nn"} <= set(net)
    assert "import xml.etree.ElementTree" in net
    assert "import xml.etree" not in net
    assert not any(line.startswith(("x = ", "MODEL = ", "import json", "from optkit")) for line in [*net, *built])
    (tmp_path / "elsewhere").mkdir()
    call = "print(tuple(model.eval()(torch.randn(5, 8)).shape))"
    assert in_a_fresh_process([*net, call, *built], call, tmp_path / "elsewhere") == "(5, 4)\n(5, 4)\n"


def test_a_class_of_a_notebook_is_printed_unless_another_has_its_name_now(run_python):
    first, second = map(json.loads, run_python(CELLS).splitlines())
    lines, complete = first
    assert complete
    assert lines[-2] == "model = Net(config=Config())"
    assert run_lines(lines)["model"].one.in_features == 3
    assert second[1] is False


@pytest.fixture
def torch():
    return importlib.import_module("torch")


def given(value):
    """Return the inputs that the printed lines make, and the lines."""
    lines, complete = building.inputs(value)
    assert complete, lines
    assert all(len(line) <= 120 for line in lines)
    return run_lines(lines)["inputs"], lines


@pytest.mark.parametrize(
    ("dtype", "line"),
    [
        ("float32", "inputs = torch.randn(4, 32)"),
        ("float16", "inputs = torch.randn(4, 32, dtype=torch.float16)"),
        ("bfloat16", "inputs = torch.randn(4, 32, dtype=torch.bfloat16)"),
        ("float64", "inputs = torch.randn(4, 32, dtype=torch.float64)"),
        ("complex64", "inputs = torch.randn(4, 32, dtype=torch.complex64)"),
        ("float8_e4m3fn", "inputs = torch.randn(4, 32).to(torch.float8_e4m3fn)"),
    ],
)
def test_floating_tensors_are_drawn_with_their_shape_and_dtype(torch, dtype, line):
    value = torch.zeros(4, 32).to(getattr(torch, dtype))
    made, lines = given(value)
    assert lines == [line]
    assert (made.shape, made.dtype) == (value.shape, value.dtype)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8", "uint16", "uint32"])
def test_integers_are_drawn_from_their_own_range(torch, dtype):
    value = torch.tensor([[3, 7, 5], [100, 4, 4]]).to(getattr(torch, dtype))
    made, lines = given(value)
    assert lines[0].startswith("inputs = torch.randint(3, 101, (2, 3)")
    assert (made.shape, made.dtype) == (value.shape, value.dtype)
    assert 3 <= made.to(torch.int64).min() <= made.to(torch.int64).max() <= 100


def test_integers_that_are_all_the_same_stay_so(torch):
    made, lines = given(torch.ones(2, 3, dtype=torch.int64))
    assert lines == ["inputs = torch.full((2, 3), 1)"]
    assert made.dtype is torch.int64
    made, lines = given(torch.full((2,), 2**63 - 1))
    assert made.tolist() == [2**63 - 1] * 2


def test_empty_tensors_stay_empty(torch):
    for dtype in (torch.int32, torch.int64, torch.float32, torch.bool):
        made, _ = given(torch.empty(0, 3, dtype=dtype))
        assert (made.shape, made.dtype) == ((0, 3), dtype)


def test_masks_stay_masks(torch):
    assert given(torch.ones(2, 3, dtype=torch.bool))[1] == ["inputs = torch.ones(2, 3, dtype=torch.bool)"]
    assert given(torch.zeros(2, 3, dtype=torch.bool))[1] == ["inputs = torch.zeros(2, 3, dtype=torch.bool)"]
    made, lines = given(torch.tensor([True, False]))
    assert lines == ["inputs = torch.rand(2) < 0.5"]
    assert made.dtype is torch.bool


def test_single_numbers_are_kept(torch):
    for value in [torch.tensor(0.5), torch.tensor(3), torch.tensor(True), torch.tensor(2, dtype=torch.int8)]:
        made, _ = given(value)
        assert made == value
        assert made.dtype is value.dtype
    made, lines = given(torch.tensor(float("-inf"), dtype=torch.float16))
    assert lines == ['inputs = torch.tensor(float("-inf"), dtype=torch.float16)']
    assert made.isinf()
    assert given(torch.tensor(1 + 2j))[0] == 1 + 2j


def test_images_keep_their_memory_format(torch):
    made, lines = given((torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last),))
    assert lines == ["inputs = (torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last),)"]
    assert made[0].is_contiguous(memory_format=torch.channels_last)


def test_structures_are_kept_and_long_ones_broken_into_lines(torch):
    one = torch.zeros(4, 32)
    assert given((one,))[1] == ["inputs = (torch.randn(4, 32),)"]
    value = {
        "input_ids": torch.tensor([[5, 9]]),
        "attention_mask": torch.ones(1, 2, dtype=torch.int64),
        "états": [(one, one), [one] * 3, {"deep": (one,), "scale": 2.5, "dtype": torch.float16}],
        "mode": "it's",
        "nothing": None,
        "order": OrderedDict(a=(), b=torch.Size([2])),
    }
    made, lines = given(value)
    assert lines[:3] == [
        "inputs = {",
        '    "input_ids": torch.randint(5, 10, (1, 2)),',
        '    "attention_mask": torch.full((1, 2), 1),',
    ]
    assert made.keys() == value.keys()
    assert [type(each) for each in made["états"]] == [tuple, list, dict]
    assert made["états"][2]["dtype"] is torch.float16
    assert (made["mode"], made["nothing"], made["order"]) == ("it's", None, {"a": (), "b": (2,)})


def test_inputs_that_cannot_be_printed_are_left_to_the_user(torch):
    class Batch:
        pass

    for value in [
        Batch(),
        {"a": Batch()},
        (torch.zeros(2).to_sparse(),),
        [torch.nn.ReLU()],
        torch.zeros(2, dtype=int).to("meta"),
    ]:
        lines, complete = building.inputs(value)
        assert not complete
        assert len(lines) == 1
        assert lines[0].startswith("# inputs: as you gave them")


def test_without_torch_there_are_functions_and_plain_values_still(run_python):
    said = run_python(
        "import sys\n"
        "from optkit import building\n"
        "from statistics import NormalDist\n"
        "print(building.model(NormalDist).lines, building.model(3).complete, building.inputs((1, [2.5])).lines)\n"
        "assert 'torch' not in sys.modules"
    )
    assert said == "['from statistics import NormalDist', 'model = NormalDist()'] False ['inputs = (1, [2.5])']\n"
