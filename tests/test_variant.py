"""Variants: their text form, and what users may give."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optkit.engines import Compile, Eager
from optkit.engines.compile import BACKENDS, MODES
from optkit.errors import VariantError
from optkit.variant import BASELINE, GRADS, PRESETS, Variant, resolve
from test_text import SCALARS

NAMES = st.from_regex(r"[A-Za-z_]\w*(\.\w+)?", fullmatch=True)
OPTIONS = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, min_size=1, max_size=3), max_size=3)


@st.composite
def compiles(draw):
    options = draw(OPTIONS)
    return Compile(
        backend=draw(st.sampled_from(BACKENDS)),
        mode=None if options else draw(st.sampled_from(MODES)),
        dynamic=draw(st.sampled_from([None, True, False])),
        fullgraph=draw(st.booleans()),
        freezing=draw(st.booleans()),
        options=options,
    )


VARIANTS = st.builds(
    Variant,
    engine=st.builds(Eager) | compiles(),
    grad=st.sampled_from(GRADS),
    threads=st.none() | st.integers(1, 256),
)


@given(VARIANTS)
def test_parse_reads_what_str_wrote(variant):
    assert Variant.parse(str(variant)) == variant


@given(VARIANTS)
def test_the_text_of_a_variant_is_its_only_text(variant):
    assert str(Variant.parse(str(variant))) == str(variant)


@pytest.mark.parametrize(
    ("string", "variant"),
    [
        ("eager", Variant()),
        ("  eager ", Variant()),
        ("eager+no_grad", Variant(grad="no_grad")),
        ("eager+inference_mode", Variant()),
        ("eager+threads=1", Variant(threads=1)),
        ("compile", Variant(Compile())),
        ("compile:backend=inductor", Variant(Compile())),
        ("compile:backend=cudagraph", Variant(Compile(backend="cudagraphs"))),
        ("compile:mode=max-autotune,dynamic=true", Variant(Compile(mode="max-autotune", dynamic=True))),
        ("compile:mode=default", Variant(Compile())),
        ("compile:dynamic=auto", Variant(Compile())),
        ("compile:options.max_autotune=true", Variant(Compile(options={"max_autotune": True}))),
        ("compile:options.a=1|2+grad+threads=4", Variant(Compile(options={"a": (1, 2)}), "grad", threads=4)),
    ],
)
def test_users_may_write(string, variant):
    assert Variant.parse(string) == variant


def test_defaults_are_left_out_of_the_text():
    assert str(Variant(Compile(backend="inductor", mode=None, dynamic=None))) == "compile"


@pytest.mark.parametrize(
    ("string", "said"),
    [
        ("", ["no engine or preset ''", "Engines are: eager, compile", "presets are: recommended"]),
        ("compil", ["Did you mean 'compile'?"]),
        ("recomended", ["Did you mean 'recommended'?"]),
        ("eager:mode=x", ["eager has no setting 'mode'", "allowed are: none"]),
        ("compile:speed=9", ["no setting 'speed'", "backend, mode, dynamic, fullgraph, freezing, options.NAME"]),
        ("compile:options=3", ["no setting 'options'", "options.NAME"]),
        ("compile:options.=3", ["no setting 'options.'", "options.NAME"]),
        ("compile:mode=fast", ["no mode=fast", "reduce-overhead", "max-autotune"]),
        ("compile:backend=inducter", ["no backend=inducter", "inductor", "cudagraphs", "aot_eager"]),
        ("compile:fullgraph=1", ["no fullgraph=1", "true, false"]),
        ("compile:dynamic", ["'dynamic' in 'compile:dynamic' is no setting; write key=value"]),
        ("compile:", ["is no setting; write key=value"]),
        ("compile:mode=max-autotune,mode=default", ["'mode' is given twice"]),
        ("eager+nograd", ["no modifier 'nograd'", "no_grad, grad, train, threads=N"]),
        ("eager+threads", ["no modifier 'threads'", "threads=N"]),
        ("eager+threads=0", ["threads must be a whole number of at least 1, not 0"]),
        ("eager+threads=many", ["threads must be a whole number of at least 1, not 'many'"]),
        ("eager+no_grad+grad", ["Two modifiers set grad"]),
        ("eager+threads=1+threads=2", ["Two modifiers set threads"]),
        ("compile:backend=f()", ["Python callable", "optkit.engines.Compile(backend=f)"]),
    ],
)
def test_an_error_in_the_text_says_what_is_allowed(string, said):
    with pytest.raises(VariantError) as caught:
        Variant.parse(string)
    assert [part for part in said if part not in str(caught.value)] == []


@pytest.mark.parametrize("field", [{"engine": "compile"}, {"grad": "none"}, {"threads": 0}, {"threads": True}])
def test_a_value_that_makes_no_sense_is_refused_in_code_as_well(field):
    with pytest.raises(VariantError):
        Variant(**field)


def test_a_custom_backend_prints_as_its_name_and_says_that_it_does_not_read_back():
    def my_backend(graph, inputs):
        return graph.forward

    variant = Variant(Compile(backend=my_backend))
    assert str(variant) == "compile:backend=my_backend()"
    with pytest.raises(VariantError, match="cannot be read back from text"):
        Variant.parse(str(variant))


def test_variants_are_immutable_and_hashable():
    assert len({Variant(), Variant(Eager()), Variant.parse("eager")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        BASELINE.grad = "grad"


@pytest.mark.parametrize("name", [*PRESETS, "all"])
def test_every_preset_gives_variants_that_read_back(name, environment):
    for machine in (environment, replace(environment, cuda=True)):
        found = resolve(name, machine)
        assert found
        assert [Variant.parse(str(variant)) for variant in found] == found


def test_all_is_every_preset_with_each_variant_once(environment):
    names = [str(variant) for variant in resolve("all", environment)]
    assert len(names) == len(set(names))
    assert set(names) == {str(v) for preset in PRESETS for v in resolve(preset, environment)}


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("compile", ["compile"]),
        (Compile(), ["compile"]),
        (Variant(Compile()), ["compile"]),
        (["compile", Variant(grad="grad"), Compile(freezing=True)], ["compile", "eager+grad", "compile:freezing=true"]),
        (["compile", Compile(), Variant(Compile())], ["compile"]),
        (["contexts", "compile", "eager+grad"], ["eager+grad", "eager+no_grad", "compile"]),
        (iter(["compile"]), ["compile"]),
    ],
)
def test_variants_may_be_given_in_any_form_and_come_out_once_in_order(given, names, environment):
    assert [str(variant) for variant in resolve(given, environment)] == names


@pytest.mark.parametrize("given", [[], (), iter([])])
def test_no_variant_at_all_is_an_error(given, environment):
    with pytest.raises(VariantError, match="at least one, or a preset"):
        resolve(given, environment)


@pytest.mark.parametrize("item", [3, None, Compile, ["compile"]])
def test_what_is_no_variant_is_an_error(item, environment):
    with pytest.raises(VariantError, match="is no variant"):
        resolve([item], environment)


def test_two_different_callables_of_one_name_are_an_error(environment):
    def make(result):
        def backend(graph, inputs):
            return result

        return backend

    with pytest.raises(VariantError, match="Two different variants print as"):
        resolve([Compile(backend=make(1)), Compile(backend=make(2))], environment)


@pytest.mark.parametrize(
    ("string", "said"),
    [
        ("eager", []),
        ("compile", []),
        ("eager+threads=2", []),
        ("eager+threads=3", ["more than the 2 CPUs usable here"]),
        ("compile:backend=cudagraphs", ["needs a CUDA device"]),
        ("compile:mode=reduce-overhead", ["without a CUDA device it is the default mode"]),
        ("compile:backend=eager,mode=max-autotune", ["mode is a setting of Inductor"]),
        ("compile:backend=eager,freezing=true", ["freezing is a setting of Inductor"]),
        ("compile:backend=eager,options.a=1", ["options is a setting of Inductor"]),
        ("compile:freezing=true+grad", ["freezing is ignored while gradients are enabled"]),
        ("compile:freezing=true+no_grad", []),
    ],
)
def test_problems_say_what_should_not_run_here_as_asked(string, said, environment):
    found = Variant.parse(string).problems(environment)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))
    assert Variant.parse(string).blocked(environment) is None


@pytest.mark.parametrize(("string", "blocked"), [("compile", True), ("compile:backend=eager", False), ("eager", False)])
def test_only_inductor_needs_a_compiler(string, blocked, environment):
    bare = replace(environment, cxx_compiler="")
    variant = Variant.parse(string)
    assert ("install g++" in (variant.blocked(bare) or "")) is blocked
    assert any("install g++" in sentence for sentence in variant.problems(bare)) is blocked
    assert variant.blocked(replace(bare, cuda=True)) is None


@given(VARIANTS)
def test_the_code_of_every_variant_is_python(variant):
    compile(variant.code(), "code", "exec")


def test_code_sets_threads_and_runs_in_the_variants_context():
    assert Variant.parse("eager+no_grad+threads=2").code().splitlines() == [
        "import torch",
        "model.eval()",
        "",
        "torch.set_num_threads(2)",
        "fast = model",
        "with torch.no_grad():",
        "    output = fast(*inputs)",
    ]


def test_a_record_reads_back_with_a_stand_in_for_a_callable():
    def my_backend(graph, example_inputs):
        return graph

    text = str(Variant(Compile(backend=my_backend, dynamic=True), grad="no_grad"))
    read = Variant.read(text)
    assert str(read) == text
    with pytest.raises(VariantError, match="my_backend was a Python callable"):
        read.engine.backend()


def test_train_leaves_the_model_in_training_mode():
    assert Variant.parse("eager+train") == Variant(train=True)
    assert "model.train()" in Variant(train=True).code()
    with pytest.raises(VariantError, match="train must be True or False"):
        Variant(train=1)
