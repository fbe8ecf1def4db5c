"""Variants: their text form, and what users may give."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optkit.engines import AotInductor, Compile, Eager, OnnxRuntime, TorchScript
from optkit.engines.compile import BACKENDS
from optkit.engines.inductor_settings import modes, options
from optkit.errors import VariantError
from optkit.presets import PRESETS, resolve
from optkit.variant import BASELINE, DTYPES, GRADS, QUANTIZATIONS, Variant
from test_text import SCALARS

NAMES = st.sampled_from([name for name, default in options().items() if default is None])
OPTIONS = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, min_size=1, max_size=3), max_size=3)


@st.composite
def compiles(draw):
    given = draw(OPTIONS)
    return Compile(
        backend=draw(st.sampled_from(BACKENDS)),
        mode=None if given else draw(st.sampled_from(modes())),
        dynamic=draw(st.sampled_from([None, True, False])),
        fullgraph=draw(st.booleans()),
        freezing=draw(st.booleans()),
        options=given,
    )


PATHS = st.none() | st.text(min_size=1)
EXPORTERS = (
    st.builds(TorchScript, method=st.sampled_from(["trace", "script"]), freeze=st.booleans())
    | st.builds(TorchScript, path=st.text(min_size=1), trust=st.just(True))
    | st.just(TorchScript(compile=True))
    | st.builds(
        OnnxRuntime, opset=st.none() | st.integers(1, 30), dynamic=st.booleans(), provider=st.none() | st.text()
    )
    | st.builds(OnnxRuntime, path=PATHS, optimization=st.sampled_from(["all", "basic"]), options=OPTIONS)
    | st.builds(AotInductor, dynamic=st.booleans(), freezing=st.booleans(), options=OPTIONS)
)


@st.composite
def variants(draw):
    engine = draw(st.builds(Eager) | compiles() | EXPORTERS)
    halves = st.none() | st.sampled_from(DTYPES)
    dtype = draw(halves)
    is_compiled = isinstance(engine, Compile)
    has_file = engine.runs_file and not engine.exports
    return Variant(
        engine=engine,
        grad=draw(st.sampled_from(GRADS)),
        train=draw(st.booleans()) and not (engine.name == "onnxruntime" or getattr(engine, "freeze", False)),
        dtype=dtype,
        autocast=None if dtype or has_file else draw(halves | st.just(True)),
        memory_format=draw(st.sampled_from([None, "channels_last"])),
        quantize=None if has_file else draw(st.none() | st.sampled_from(QUANTIZATIONS)),
        threads=draw(st.none() | st.integers(1, 256)),
        compiled_in=draw(st.none() | st.sampled_from(GRADS)) if is_compiled else None,
        fallback=draw(st.sampled_from([None, "eager"])) if is_compiled else None,
    )


VARIANTS = variants()


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
        (
            "compile:options.cpp.simdlen=1|2+grad+threads=4",
            Variant(Compile(options={"cpp.simdlen": (1, 2)}), "grad", threads=4),
        ),
        ("torchscript:method=script", Variant(TorchScript(method="script"))),
        ("torchscript:method=trace,compile=true", Variant(TorchScript(compile=True))),
        ("onnxruntime:opset=14", Variant(OnnxRuntime(opset=14))),
        ("aotinductor:path=model.pt2,trust=true", Variant(AotInductor(path="model.pt2", trust=True))),
        (
            "compile:freezing=true+bfloat16+channels_last",
            Variant(Compile(freezing=True), dtype="bfloat16", memory_format="channels_last"),
        ),
        ("eager+autocast", Variant(autocast=True)),
        ("eager+autocast=float16", Variant(autocast="float16")),
        ("compile+int8", Variant(Compile(), quantize="int8")),
        (
            "compile+compiled_in=no_grad+fallback=eager",
            Variant(Compile(), compiled_in="no_grad", fallback="eager"),
        ),
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
        ("eager+nograd", ["no modifier 'nograd'", "no_grad, grad, train, channels_last", "threads=N"]),
        ("eager+threads", ["no modifier 'threads'", "threads=N"]),
        ("eager+threads=0", ["threads must be a whole number of at least 1, not 0"]),
        ("eager+threads=many", ["threads must be a whole number of at least 1, not 'many'"]),
        ("eager+no_grad+grad", ["Two modifiers set grad"]),
        ("eager+threads=1+threads=2", ["Two modifiers set threads"]),
        ("eager+bfloat16+float16", ["Two modifiers set dtype"]),
        ("eager+autocast=int8", ["no autocast 'int8'", "bfloat16, float16"]),
        ("eager+bfloat16+autocast", ["either a dtype", "or autocast"]),
        ("eager+fallback=eager", ["fallback is about torch.compile", "eager has no use for it"]),
        ("torchscript+compiled_in=grad", ["compiled_in is about torch.compile"]),
        ("compile+compiled_in=train", ["no compiled_in 'train'", "inference_mode, no_grad, grad"]),
        ("compile+fallback=yes", ["no fallback 'yes'", "allowed are: eager"]),
        ("torchscript:method=guess", ["no method=guess", "trace, script"]),
        ("torchscript:path=a.ts", ["a.ts is a program", "add trust=true"]),
        ("aotinductor:path=a.pt2", ["a.pt2 is a program", "add trust=true"]),
        ("torchscript:trust=true", ["give its path too"]),
        ("torchscript:compile=true,freeze=true", ["refuses one that was loaded or frozen"]),
        ("onnxruntime:opset=0", ["opset must be a whole number"]),
        ("onnxruntime:optimization=most", ["no optimization=most", "all, extended, basic, disabled"]),
        ("onnxruntime:path=a.onnx,opset=14", ["are for exporting"]),
        ("aotinductor:path=a.pt2,trust=true+autocast", ["already has its precision"]),
        ("compile:options.max_autotun=true", ["no option 'max_autotun'", "did you mean max_autotune"]),
        ("onnxruntime+train", ["has left training mode"]),
        ("torchscript:freeze=true+train", ["has left training mode"]),
        ("onnxruntime:options.intra_op_num_threads=2", ["set it with +threads=N"]),
        ("compile:options.debug=3", ["options.debug must be true or false"]),
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
        ("compile:backend=eager,options.cpp.simdlen=1", ["options is a setting of Inductor"]),
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


@pytest.mark.parametrize(
    ("string", "said"),
    [
        ("torchscript+int8", "torchscript cannot hold the tensors that torchao makes"),
        ("onnxruntime+int8_weight_only", "onnxruntime cannot hold the tensors that torchao makes"),
        ("onnxruntime+bfloat16", "ONNX Runtime has no bfloat16"),
        ("onnxruntime+autocast", "ONNX Runtime has no bfloat16"),
        ("compile:backend=tvm", "needs the package tvm"),
    ],
)
def test_what_cannot_work_at_all_is_blocked_with_its_reason(string, said, environment):
    assert said in Variant.parse(string).blocked(environment)
    assert any(said in problem for problem in Variant.parse(string).problems(environment))


@pytest.mark.parametrize(
    ("string", "missing", "extra"),
    [
        ("onnxruntime", "onnxruntime", "onnx"),
        ("onnxruntime", "onnxscript", "onnx"),
        ("compile+int8", "torchao", "quant"),
    ],
)
def test_a_missing_extra_is_one_sentence_that_says_what_to_install(string, missing, extra, environment):
    versions = {name: version for name, version in environment.versions.items() if name != missing}
    said = Variant.parse(string).blocked(replace(environment, versions=versions))
    assert missing in said
    assert said.endswith(f'pip install "optkit[{extra}]".')


@pytest.mark.parametrize("string", ["eager+bfloat16", "compile+autocast", "compile+autocast=bfloat16"])
def test_bfloat16_without_units_for_it_is_a_problem_on_a_cpu(string, environment):
    assert Variant.parse(string).problems(environment) == []
    plain = replace(environment, cpu_flags=("avx2",))
    assert any("emulates them" in problem for problem in Variant.parse(string).problems(plain))
    assert Variant.parse(string).problems(replace(plain, cuda=True)) == []


def test_torchscript_is_blocked_where_torch_has_none(environment):
    newer = replace(environment, versions={"python": "3.14.2"})
    assert "no TorchScript on Python 3.14.2" in Variant.parse("torchscript").blocked(newer)
    assert Variant.parse("torchscript").blocked(environment) is None


def test_a_variant_says_whether_it_computes_in_less_precision():
    reduced = ["eager+bfloat16", "eager+autocast", "compile+int8", "onnxruntime+float16"]
    assert all(Variant.parse(string).is_reduced for string in reduced)
    assert not any(Variant.parse(string).is_reduced for string in ["eager", "compile+channels_last", "eager+train"])


def test_train_leaves_the_model_in_training_mode():
    assert Variant.parse("eager+train") == Variant(train=True)
    assert "model.train()" in Variant(train=True).code()
    with pytest.raises(VariantError, match="train must be True or False"):
        Variant(train=1)
