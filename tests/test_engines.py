"""The engines' settings."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

import pytest

from optkit.engines import ENGINES, Compile, Eager, Engine, LoadedModel
from optkit.engines.compile import BACKENDS, MODES, backends
from optkit.errors import VariantError


class Greeter:
    def __call__(self, name):
        return f"called {name}"

    def greet(self, name):
        return f"greeted {name}"


def test_every_engine_goes_by_the_name_of_its_text_form():
    assert {name: engine.name for name, engine in ENGINES.items()} == {name: name for name in ENGINES}
    assert set(ENGINES) == {"eager", "compile"}


@pytest.mark.parametrize("engine", [engine() for engine in ENGINES.values()], ids=lambda engine: engine.name)
def test_settings_are_immutable_hashable_and_print_nothing_by_default(engine):
    assert engine.pairs() == []
    assert hash(engine) == hash(type(engine)())
    with pytest.raises(dataclasses.FrozenInstanceError):
        engine.backend = "eager"


def test_the_seam_itself_is_abstract():
    with pytest.raises(TypeError):
        Engine()


@pytest.mark.parametrize(("method", "said"), [("forward", "called you"), ("greet", "greeted you")])
def test_eager_calls_the_model_or_the_method_that_was_named(method, said):
    loaded = LoadedModel(Greeter(), method, ((("you",), {}),), "cpu")
    assert Eager().prepare(loaded)("you") == said


def test_the_spelling_cudagraph_means_cudagraphs():
    assert Compile(backend="cudagraph") == Compile(backend="cudagraphs")


def test_the_mode_default_is_no_mode():
    assert Compile(mode="default") == Compile()


@pytest.mark.parametrize(
    "same",
    [{"b": 1, "a": 2}, OrderedDict(a=2, b=1), (("b", 1), ("a", 2))],
)
def test_equal_options_are_equal_however_they_were_given(same):
    assert Compile(options=same) == Compile(options={"a": 2, "b": 1})
    assert hash(Compile(options=same)) == hash(Compile(options={"a": 2, "b": 1}))


def test_a_list_among_the_options_is_kept_as_a_tuple():
    assert Compile(options={"sizes": [1, 2]}).options == (("sizes", (1, 2)),)


@pytest.mark.parametrize(
    ("settings", "key", "allowed"),
    [
        ({"backend": "inducter"}, "backend=inducter", BACKENDS),
        ({"mode": "fast"}, "mode=fast", [mode for mode in MODES if mode]),
        ({"dynamic": "maybe"}, "dynamic=maybe", ["auto", "true", "false"]),
        ({"fullgraph": 1}, "fullgraph=1", ["true", "false"]),
        ({"freezing": None}, "freezing=none", ["true", "false"]),
    ],
)
def test_a_value_that_does_not_exist_is_an_error_that_lists_the_allowed_ones(settings, key, allowed):
    with pytest.raises(VariantError) as caught:
        Compile(**settings)
    assert f"compile has no {key}" in str(caught.value)
    assert all(value in str(caught.value) for value in allowed)


@pytest.mark.parametrize("value", [object(), {"a": 1}, float("nan"), (1, (2, 3)), b"x"], ids=repr)
def test_an_option_that_has_no_text_form_is_refused(value):
    with pytest.raises(VariantError, match=r"options\.x must be true, false, a number, a string or a list"):
        Compile(options={"x": value})


@pytest.mark.parametrize("key", ["a=b", "a,b", "a+b", "a b", "", 'a"'])
def test_an_option_whose_name_has_no_text_form_is_refused(key):
    with pytest.raises(VariantError, match="is no name of an option"):
        Compile(options={key: 1})


def test_mode_and_options_together_are_refused():
    with pytest.raises(VariantError, match="either a mode or options, not both"):
        Compile(mode="max-autotune", options={"max_autotune": True})


def test_an_unknown_key_is_an_error_that_lists_the_keys():
    with pytest.raises(VariantError, match=r"compile has no setting 'speed'; allowed are: backend, .*options\.NAME"):
        Compile.from_pairs({"speed": 1})
    with pytest.raises(VariantError, match="eager has no setting 'mode'; allowed are: none"):
        Eager.from_pairs({"mode": "x"})


def test_backends_of_installed_packages_are_allowed_as_well(monkeypatch):
    class Entry:
        name = "mycompiler"

    monkeypatch.setattr("optkit.engines.compile.entry_points", lambda group: [Entry])
    backends.cache_clear()
    try:
        assert backends() == (*BACKENDS, "mycompiler")
        assert Compile(backend="mycompiler").backend == "mycompiler"
    finally:
        backends.cache_clear()


@pytest.mark.parametrize(
    ("engine", "probes"),
    [(Compile(), True), (Compile(mode="max-autotune"), True), (Compile(backend="eager"), False), (Eager(), False)],
)
def test_only_inductor_looks_at_the_cpu_first(engine, probes):
    assert engine.probes_cpu is probes


@pytest.mark.parametrize(
    ("engine", "lines"),
    [
        (Eager(), ["fast = model"]),
        (Compile(), ["fast = torch.compile(model)"]),
        (
            Compile(backend="aot_eager", dynamic=False, fullgraph=True),
            ["fast = torch.compile(model, backend='aot_eager', dynamic=False, fullgraph=True)"],
        ),
        (Compile(options={"a": 1}), ["fast = torch.compile(model, options={'a': 1})"]),
        (
            Compile(backend=len),
            ["# len: the callable that you gave as the backend", "fast = torch.compile(model, backend=len)"],
        ),
        (
            Compile(backend=lambda graph, _: graph),
            [
                "# my_backend: the callable that you gave as the backend",
                "fast = torch.compile(model, backend=my_backend)",
            ],
        ),
        (
            Compile(freezing=True),
            [
                "import torch._inductor.config",
                "torch._inductor.config.freezing = True",
                "fast = torch.compile(model)",
            ],
        ),
    ],
)
def test_code_says_what_prepare_does(engine, lines):
    assert engine.code("model", "forward") == lines


@pytest.mark.parametrize("engine", [Eager(), Compile()])
def test_code_names_the_method_that_is_measured(engine):
    assert "model.generate" in engine.code("model", "generate")[0]
