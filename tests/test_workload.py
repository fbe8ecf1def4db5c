"""Workloads: what may be measured, what is refused, and what travels to a worker."""

from __future__ import annotations

import collections
import json
import pickle
import sys
import threading
import types
from dataclasses import replace

import cloudpickle
import pytest

from optkit import by_value
from optkit.errors import WorkloadError
from optkit.workload import Workload


def build():
    """Stand in for a function that builds a model."""
    return len


INPUTS = (1, 2)


@pytest.fixture
def no_torch(monkeypatch):
    """Behave like a process that has never imported torch, also where another test has."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("inputs", "batches"),
    [
        ((1, 2), (((1, 2), {}),)),
        ((), (((), {}),)),
        ({"x": 1}, (((), {"x": 1}),)),
        (collections.OrderedDict(x=1), (((), {"x": 1}),)),
        ([(1,), {"x": 2}], (((1,), {}), ((), {"x": 2}))),
    ],
)
def test_inputs_are_positional_in_a_tuple_by_keyword_in_a_dict_and_batches_in_a_list(inputs, batches, no_torch):
    assert Workload(build, inputs).batches == batches


def test_a_tensor_is_one_positional_argument_and_a_list_of_tensors_are_batches(torch):
    tensor = torch.ones(2)
    assert Workload(build, tensor).batches == (((tensor,), {}),)
    assert Workload(build, [tensor, tensor]).batches == (((tensor,), {}), ((tensor,), {}))


@pytest.mark.parametrize("inputs", [3, "text", [3], [[(1,)]], 1.5, {1, 2}])
def test_other_inputs_are_refused_with_what_to_do(inputs, no_torch):
    with pytest.raises(WorkloadError, match=r"inputs must be a tensor, a tuple, a dict, .* wrap .* in a tuple"):
        Workload(build, inputs)


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        ("resnet5", {}, "Did you mean .*resnet50"),
        ("tiny_cnn", {"weights": "DEFAULT"}, "no trained weights for tiny_cnn; leave weights out"),
        ("tiny_cnn", {"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
        ("tiny_cnn", {"batch_size": True}, "batch_size must be a whole number of at least 1, not True"),
        ("tiny_cnn", {"batch_size": 1.5}, "batch_size must be a whole number"),
        ("tiny_cnn", {"shape": (3, -1)}, "each size in shape must be a whole number of at least 1, not -1"),
        ("tiny_cnn", {"device": "tpu"}, "device must be 'cpu', 'cuda' or 'cuda:N', not 'tpu'"),
        ("tiny_cnn", {"device": "cuda:x"}, "not 'cuda:x'"),
        ("tiny_cnn", {"inputs": []}, "inputs is an empty list; give at least one batch"),
        (3, {"inputs": INPUTS}, "must be an nn.Module, a function that builds one, or a name, not int"),
        (None, {"inputs": INPUTS}, "not NoneType"),
        (build, {}, "A model of your own needs inputs"),
        (build, {"inputs": INPUTS, "batch_size": 8}, "are for models given by name"),
        (build, {"inputs": INPUTS, "shape": (3,)}, "are for models given by name"),
        (build, {"inputs": INPUTS, "weights": "DEFAULT"}, "are for models given by name"),
        (Workload("tiny_cnn"), {}, "already a Workload"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_sentence(model, given, said, no_torch):
    with pytest.raises(WorkloadError, match=said):
        Workload(model, **given)


def test_a_compiled_model_is_refused(no_torch):
    def compiled():
        return None

    compiled._orig_mod = build
    with pytest.raises(WorkloadError, match="already compiled; pass the original"):
        Workload(compiled, INPUTS)


def test_a_method_that_the_model_lacks_is_refused(torch):
    with pytest.raises(WorkloadError, match="Linear has no method 'generate' to call"):
        Workload(torch.nn.Linear(2, 2), torch.ones(2), call="generate")


def test_an_unknown_keyword_argument_is_a_type_error():
    with pytest.raises(TypeError, match="batchsize"):
        Workload("tiny_cnn", batchsize=3)


def test_a_model_goes_by_its_name_its_class_or_its_function(torch):
    assert Workload("tiny_cnn").name == "tiny_cnn"
    assert Workload(build, INPUTS).name == "build"
    assert Workload(torch.nn.Linear(2, 2), torch.ones(2)).name == "Linear"
    assert repr(Workload("tiny_cnn")) == "<Workload tiny_cnn>"


@pytest.mark.parametrize(
    ("device", "cuda", "placed"),
    [(None, False, "cpu"), (None, True, "cuda"), ("cpu", True, "cpu"), ("cuda:1", True, "cuda:1")],
)
def test_the_device_is_the_one_asked_for_else_the_accelerator_if_there_is_one(device, cuda, placed, environment):
    assert Workload("tiny_cnn", device=device).place(replace(environment, cuda=cuda)) == placed


def test_a_torch_device_is_a_device(torch):
    assert Workload("tiny_cnn", device=torch.device("cuda", 1)).device == "cuda:1"


def test_an_accelerator_that_is_not_there_is_an_error(environment):
    with pytest.raises(WorkloadError, match="device='cuda' cannot be used: this machine"):
        Workload("tiny_cnn", device="cuda").place(environment)


@pytest.mark.parametrize(
    ("workload", "described"),
    [
        (
            Workload("tiny_cnn", batch_size=4),
            {"model": "tiny_cnn", "source": "zoo", "batch_size": 4, "shape": [3, 32, 32], "batches": 1},
        ),
        (
            Workload(build, [(1,), (2,)], call="run"),
            {"model": "build", "source": "factory", "batch_size": None, "batches": 2, "call": "run"},
        ),
        (Workload("tiny_cnn", [(1,), (2,)]), {"source": "zoo", "batch_size": None, "batches": 2}),
        (Workload("resnet18", weights="DEFAULT"), {"weights": "DEFAULT", "shape": None}),
    ],
)
def test_a_workload_describes_itself_as_json(workload, described, environment):
    record = workload.describe(environment)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record | described == record


@pytest.mark.parametrize("name", ["tiny_cnn", "tiny_transformer", "resnet18"])
def test_the_code_that_builds_a_zoo_model_is_python(name, environment):
    compile(Workload(name).describe(environment)["code"], "code", "exec")


def test_the_code_for_a_model_of_ones_own_begins_where_it_exists_and_puts_it_in_eval_mode(environment):
    assert Workload(build, INPUTS).describe(environment)["code"] == "model.eval()"


@pytest.mark.parametrize(
    ("workload", "inputs"),
    [
        (Workload("tiny_cnn"), "*inputs"),
        (Workload("tiny_transformer"), "**inputs"),
        (Workload(build, (1,)), "*inputs"),
        (Workload(build, {"x": 1}), "**inputs"),
    ],
)
def test_the_code_passes_inputs_the_way_the_model_takes_them(workload, inputs, environment):
    assert workload.describe(environment)["inputs_code"] == inputs


def test_nothing_is_written_for_a_model_that_a_worker_can_build_by_name(tmp_path, no_torch):
    spec = Workload("tiny_cnn", batch_size=2).pack(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert json.loads(json.dumps(spec))["payload"] is None
    assert (spec["model"], spec["batch_size"], spec["shape"]) == ("tiny_cnn", 2, (3, 32, 32))


def test_a_model_of_ones_own_is_packed_by_value(tmp_path, no_torch):
    factor = 3

    def factory():
        return factor

    spec = Workload(factory, {"x": 1}).pack(tmp_path)
    with open(spec["payload"], "rb") as file:  # noqa: PTH123
        payload = pickle.load(file)
    assert payload["model"]() == 3
    assert payload["batches"] == (((), {"x": 1}),)
    assert spec["payload_by_torch"] is False


def test_a_module_and_its_tensors_are_packed_by_torch(tmp_path, torch):
    model, inputs = torch.nn.Linear(3, 2), torch.ones(1, 3)
    spec = Workload(model, inputs).pack(tmp_path)
    assert spec["payload_by_torch"] is True
    payload = torch.load(spec["payload"], weights_only=False)
    assert torch.equal(payload["model"].weight, model.weight)
    assert torch.equal(payload["batches"][0][0][0], inputs)


def test_a_model_that_cannot_be_pickled_is_refused_with_what_to_do(tmp_path, torch):
    model = torch.nn.Linear(3, 2)
    model.lock = threading.Lock()
    with pytest.raises(WorkloadError, match=r"Linear cannot be sent to a worker \(TypeError: .*; pass a function"):
        Workload(model, torch.ones(1, 3)).pack(tmp_path)


def test_sources_of_notebook_cells_travel_along(tmp_path, no_torch, monkeypatch):
    cell = (9, None, ["x = 1 + 1\n"], "<ipython-input-1>")
    monkeypatch.setitem(__import__("linecache").cache, "<ipython-input-1>", cell)
    spec = Workload(build, INPUTS).pack(tmp_path)
    with open(spec["payload"], "rb") as file:  # noqa: PTH123
        assert pickle.load(file)["sources"]["<ipython-input-1>"] == cell


class _Config(types.ModuleType):
    """A module of another type, like ``torch._dynamo.config``, which holds what cannot be pickled."""


def test_a_function_that_names_a_module_of_another_type_is_sent_with_the_modules_name(tmp_path, monkeypatch):
    config = _Config("optkit_test_config")
    config.lock, config.level = threading.Lock(), 1
    monkeypatch.setitem(sys.modules, config.__name__, config)
    cell = {"__name__": "__main__", "config": config}
    exec("def build():\n    return config.level", cell)
    assert cloudpickle.loads(by_value.dumps(cell["build"]))() == 1
    assert Workload(cell["build"], (1,)).pack(tmp_path)["payload"]
