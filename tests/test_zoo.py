"""The model zoo, by name."""

from __future__ import annotations

import json

import pytest

from optkit import zoo
from optkit.errors import WorkloadError


def test_the_zoo_holds_the_tiny_models_and_torchvisions():
    assert zoo.names()[:2] == zoo.TINY
    assert {"resnet18", "resnet50", "mobilenet_v3_small", "vit_b_16"} <= set(zoo.names())


@pytest.mark.parametrize("name", ["tiny_cnn", "resnet50"])
def test_a_name_of_the_zoo_is_accepted(name):
    zoo.check_name(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet5", "Did you mean .*resnet50"),
        ("ResNet18", "Did you mean resnet18"),
        ("tinycnn", "Did you mean tiny_cnn"),
        ("qqqq", "See torchvision's classification models"),
    ],
)
def test_an_unknown_name_is_an_error_that_suggests_the_closest(name, hint):
    with pytest.raises(WorkloadError, match=rf"no model '{name}' in the zoo.*{hint}.*measured from Python"):
        zoo.check_name(name)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("tiny_cnn", (3, 32, 32)),
        ("tiny_transformer", (32,)),
        ("inception_v3", (3, 299, 299)),
        ("resnet18", (3, 224, 224)),
    ],
)
def test_each_model_has_a_usual_shape(name, shape):
    assert zoo.default_shape(name) == shape


def test_without_torchvision_the_tiny_models_remain(monkeypatch):
    zoo.names.cache_clear()
    monkeypatch.setattr(zoo.util, "find_spec", lambda _: None)
    try:
        assert zoo.names() == zoo.TINY
    finally:
        zoo.names.cache_clear()


@pytest.mark.worker
def test_the_names_read_from_the_source_are_torchvisions_own_and_its_models_run(run_python):
    said = json.loads(
        run_python(
            "import json, torch\n"
            "from optkit import zoo\n"
            "models = zoo.torchvision_models()\n"
            "assert zoo.torchvision_models() is models\n"
            "with torch.inference_mode():\n"
            "    shape = models.mobilenet_v3_small().eval()(torch.randn(2, 3, 224, 224)).shape\n"
            "print(json.dumps([models.list_models(module=models), list(shape), zoo.names()]))"
        )
    )
    listed, shape, names = said
    assert set(names) - set(zoo.TINY) >= set(listed)
    assert shape == [2, 1000]
