"""The engines' settings."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections import OrderedDict

import pytest

from optkit.engines import ENGINES, AotInductor, Compile, Eager, Engine, LoadedModel, OnnxRuntime, TorchScript
from optkit.engines.compile import BACKENDS, backends
from optkit.engines.inductor_settings import modes, options
from optkit.errors import VariantError
from optkit.verdicts import Doubt


class Greeter:
    def __call__(self, name):
        return f"called {name}"

    def greet(self, name):
        return f"greeted {name}"


def test_every_engine_goes_by_the_name_of_its_text_form():
    assert {name: engine.name for name, engine in ENGINES.items()} == {name: name for name in ENGINES}
    assert set(ENGINES) == {"eager", "compile", "torchscript", "onnxruntime", "aotinductor"}


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
    assert Eager().prepare(loaded, None)("you") == said


def test_the_spelling_cudagraph_means_cudagraphs():
    assert Compile(backend="cudagraph") == Compile(backend="cudagraphs")


def test_the_mode_default_is_no_mode():
    assert Compile(mode="default") == Compile()


@pytest.mark.parametrize(
    "same",
    [
        {"debug": True, "compile_threads": 2},
        OrderedDict(compile_threads=2, debug=True),
        (("debug", True), ("compile_threads", 2)),
    ],
)
def test_equal_options_are_equal_however_they_were_given(same):
    assert Compile(options=same) == Compile(options={"compile_threads": 2, "debug": True})
    assert hash(Compile(options=same)) == hash(Compile(options={"compile_threads": 2, "debug": True}))


def test_a_list_among_the_options_is_kept_as_a_tuple():
    assert Compile(options={"cpp.simdlen": [1, 2]}).options == (("cpp.simdlen", (1, 2)),)


@pytest.mark.parametrize(
    ("settings", "key", "allowed"),
    [
        ({"backend": "inducter"}, "backend=inducter", BACKENDS),
        ({"mode": "fast"}, "mode=fast", [mode for mode in modes() if mode]),
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


@pytest.mark.parametrize(
    "value", [object(), {"a": 1}, float("nan"), (1, (2, 3)), b"x"], ids=lambda value: type(value).__name__
)
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
    [
        (Compile(), True),
        (Compile(mode="max-autotune"), True),
        (Compile(backend="eager"), False),
        (Eager(), False),
        (AotInductor(), True),
        (AotInductor(path="a.pt2", trust=True), True),
        (TorchScript(), False),
        (OnnxRuntime(), False),
    ],
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
        (Compile(options={"debug": True}), ["fast = torch.compile(model, options={'debug': True})"]),
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
    assert engine.code("model", "forward", "*inputs") == lines


@pytest.mark.parametrize("engine", [Eager(), Compile()])
def test_code_names_the_method_that_is_measured(engine):
    assert "model.generate" in engine.code("model", "generate", "*inputs")[0]


@pytest.mark.parametrize(
    ("engine", "exports", "runs_file", "compiles"),
    [
        (Eager(), False, False, False),
        (Compile(), False, False, True),
        (TorchScript(), True, True, False),
        (TorchScript(compile=True), False, False, True),
        (TorchScript(path="a.ts", trust=True), False, True, False),
        (OnnxRuntime(), True, True, False),
        (OnnxRuntime(path="a.onnx"), False, True, False),
        (AotInductor(), True, True, False),
    ],
)
def test_an_engine_says_what_its_workers_have_to_do(engine, exports, runs_file, compiles):
    assert (engine.exports, engine.runs_file, engine.compiles) == (exports, runs_file, compiles)


def test_another_opset_than_was_asked_for_is_a_doubt():
    asked = OnnxRuntime(opset=14)
    assert asked.doubts({"opset": 14}, grad="no_grad", device="cpu") == {}
    assert (
        "opset=14 was asked for and 18 was written"
        in asked.doubts({"opset": 18}, grad="grad", device="cpu")[Doubt.OPSET_CHANGED]
    )
    assert OnnxRuntime().doubts({"opset": 18}, grad="grad", device="cpu") == {}


def test_torchscript_is_legacy_where_torch_says_so_and_only_there():
    facts = {"deprecated": "`torch.jit.trace` is deprecated."}
    assert "torch says" in TorchScript().doubts(facts, grad="grad", device="cpu")[Doubt.LEGACY]
    assert TorchScript().doubts({}, grad="grad", device="cpu") == {}


def test_compiling_torchscript_is_not_compiled_only_where_there_was_no_graph():
    engine = TorchScript(compile=True)
    assert Doubt.NOT_COMPILED in engine.doubts({"graphs": 0}, grad="grad", device="cpu")
    assert engine.doubts({"graphs": 1}, grad="grad", device="cpu") == {}


def test_every_option_of_inductor_is_known_and_so_are_its_modes():
    program = (
        "import json; import torch._inductor as i; print(json.dumps([i.list_options(), list(i.list_mode_options())]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names, named_modes = json.loads(done.stdout)
    assert set(names) - {"TYPE_CHECKING"} <= set(options())
    assert {mode or "default" for mode in modes()} == set(named_modes)
