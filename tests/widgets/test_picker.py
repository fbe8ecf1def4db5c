"""VariantPicker: a value to read and set, and what does not go together."""

from __future__ import annotations

import dataclasses

import pytest

from optkit.engines import ENGINES, Compile
from optkit.errors import VariantError
from optkit.variant import Variant
from optkit.widgets import VariantPicker, fields


@pytest.fixture
def picker(monkeypatch, environment):
    monkeypatch.setattr("optkit.environment.detect", lambda: environment)
    return VariantPicker()


def option(picker, field, value):
    (found,) = [one for one in picker._fields if one["name"] == field]
    (chosen,) = [one for one in found["options"] if one["value"] == value]
    return chosen


def field(picker, name):
    (found,) = [one for one in picker._fields if one["name"] == name]
    return found


def test_the_variant_is_a_value_that_can_be_read_and_set_as_text_or_object(picker):
    picker.variant = "compile:mode=max-autotune+no_grad"
    assert picker.variant == Variant(Compile(mode="max-autotune"), grad="no_grad")
    assert field(picker, "mode")["value"] == "max-autotune"
    assert field(picker, "grad")["value"] == "no_grad"
    picker.variant = Variant()
    assert field(picker, "engine")["value"] == "eager"


def test_a_value_that_is_no_variant_is_refused_and_the_old_one_stays(picker):
    with pytest.raises(VariantError, match="no engine or preset"):
        picker.variant = "complie"
    with pytest.raises(VariantError, match="must be a Variant or its text"):
        picker.variant = 3
    assert str(picker.variant) == "compile"


def test_observers_are_told_when_a_person_chooses(picker):
    seen = []
    picker.observe(lambda change: seen.append(str(change["new"])), "variant")
    picker._receive(picker, {"op": "set", "name": "backend", "value": "aot_eager"}, [])
    assert seen == ["compile:backend=aot_eager"]


@pytest.mark.parametrize(
    ("chosen", "name", "value", "why"),
    [
        ("compile", "backend", "cudagraphs", "needs a CUDA device"),
        ("compile", "mode", "reduce-overhead", "CUDA graphs"),
        ("compile:backend=eager", "mode", "max-autotune", "does nothing with backend=eager"),
        ("compile:options.max_autotune=true", "mode", "max-autotune", "either a mode or options"),
        ("compile+grad", "freezing", "true", "ignored while gradients are enabled"),
    ],
)
def test_a_combination_that_does_not_work_is_disabled_with_its_reason_shown(picker, chosen, name, value, why):
    picker.variant = chosen
    assert why in option(picker, name, value)["reason"]
    assert any(why in note for note in picker._notes)
    picker.choose(name, value)
    assert str(picker.variant) == chosen


def test_choosing_a_backend_resets_the_settings_that_do_not_go_with_it(picker):
    picker.variant = "compile:mode=max-autotune,dynamic=true,freezing=true+threads=1"
    picker.choose("backend", "aot_eager")
    assert str(picker.variant) == "compile:backend=aot_eager,dynamic=true+threads=1"


@pytest.mark.parametrize("engine", ENGINES)
def test_every_enabled_option_can_be_chosen_and_brings_no_problem(picker, environment, engine):
    picker.variant = engine
    before = set(picker.variant.problems(environment))
    for one in picker._fields:
        for choice in one["options"]:
            picker.variant = engine
            picker.choose(one["name"], choice["value"])
            if "reason" in choice:
                assert str(picker.variant) == engine
            else:
                assert field(picker, one["name"])["value"] == choice["value"]
                assert set(picker.variant.problems(environment)) <= before


@pytest.mark.parametrize(
    ("engine", "names"),
    [
        ("eager", []),
        ("compile", ["backend", "mode", "dynamic", "freezing", "fullgraph", "compiled_in", "fallback"]),
        ("torchscript", ["method", "freeze", "optimize_for_inference", "compile"]),
        ("onnxruntime", ["opset", "dynamic", "optimization"]),
        ("aotinductor", ["dynamic", "freezing"]),
    ],
)
def test_fields_follow_the_engine(picker, engine, names):
    picker.variant = engine
    shared = ["engine", "grad", "precision", "memory_format", "train", "threads"]
    assert [one["name"] for one in picker._fields if one["name"] not in shared] == names
    assert {one["name"] for one in picker._fields} == {*names, *shared}


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"engine": "eager", "train": "train", "threads": "2"}, "eager+train+threads=2"),
        ({"dynamic": "true", "fullgraph": "true"}, "compile:dynamic=true,fullgraph=true"),
        ({"compiled_in": "no_grad", "fallback": "eager"}, "compile+compiled_in=no_grad+fallback=eager"),
        ({"memory_format": "channels_last", "precision": "bfloat16"}, "compile+channels_last+bfloat16"),
        ({"precision": "autocast=float16"}, "compile+autocast=float16"),
        ({"precision": "int8_weight_only"}, "compile+int8_weight_only"),
        (
            {"engine": "torchscript", "method": "script", "freeze": "true", "optimize_for_inference": "true"},
            "torchscript:method=script,freeze=true,optimize_for_inference=true",
        ),
        ({"engine": "torchscript", "freeze": "true", "compile": "true"}, "torchscript:freeze=true"),
        (
            {
                "engine": "onnxruntime",
                "opset": "17",
                "dynamic": "true",
                "optimization": "basic",
                "precision": "float16",
            },
            "onnxruntime:opset=17,dynamic=true,optimization=basic+float16",
        ),
        (
            {"engine": "aotinductor", "dynamic": "true", "freezing": "true", "precision": "autocast"},
            "aotinductor:dynamic=true,freezing=true+autocast",
        ),
        ({"precision": "bfloat16", "threads": "1", "engine": "onnxruntime"}, "onnxruntime+threads=1"),
        ({"precision": "int8", "engine": "torchscript"}, "torchscript"),
        ({"fallback": "eager", "grad": "no_grad", "engine": "eager"}, "eager+no_grad"),
        ({"engine": "torchscript", "compile": "true", "freeze": "true"}, "torchscript:freeze=true"),
        ({"freezing": "true", "grad": "grad"}, "compile+grad"),
    ],
)
def test_a_person_chooses_one_field_after_another_and_what_no_longer_goes_falls_back(picker, choices, text):
    for name, value in choices.items():
        picker.choose(name, value)
    assert str(picker.variant) == text


def bare(environment):
    """Return a machine that has no extra."""
    return dataclasses.replace(environment, versions={name: environment.versions[name] for name in ("python", "torch")})


def test_an_engine_whose_extra_is_missing_is_disabled_with_its_reason(picker, environment):
    picker._environment = bare(environment)
    picker.variant = "eager"
    assert 'pip install "optkit[onnx]"' in option(picker, "engine", "onnxruntime")["reason"]
    assert any("optkit[onnx]" in note for note in picker._notes)
    picker.choose("engine", "onnxruntime")
    assert str(picker.variant) == "eager"


def test_a_precision_whose_extra_is_missing_is_disabled_with_its_reason(picker, environment):
    picker._environment = bare(environment)
    picker.variant = "eager"
    for name in ("int8", "int8_weight_only"):
        assert "optkit[quant]" in option(picker, "precision", name)["reason"]


def test_without_a_compiler_compile_can_be_chosen_with_a_backend_that_needs_none(picker, environment):
    picker._environment = dataclasses.replace(environment, cxx_compiler="")
    picker.variant = "eager"
    picker.choose("engine", "compile")
    assert str(picker.variant) == "compile:backend=aot_eager"
    assert "install g++" in option(picker, "backend", "inductor")["reason"]
    assert "install g++" in option(picker, "engine", "aotinductor")["reason"]


@pytest.mark.parametrize(
    "text",
    [
        "compile:options.max_autotune=true",
        "torchscript:path=model.ts,trust=true",
        "onnxruntime:provider=OpenVINOExecutionProvider",
    ],
)
def test_what_was_set_in_code_is_kept_until_another_engine_is_chosen(picker, text):
    picker.variant = text
    for name, value in (("grad", "no_grad"), ("memory_format", "channels_last"), ("threads", "1")):
        picker.choose(name, value)
    assert str(picker.variant) == f"{text}+no_grad+channels_last+threads=1"
    picker.choose("engine", "eager")
    assert str(picker.variant) == "eager+no_grad+channels_last+threads=1"


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("compile+threads=7", "threads", "7"),
        ("onnxruntime:opset=15", "opset", "15"),
        ("compile+bfloat16+int8", "precision", "bfloat16+int8"),
        ("eager+autocast=bfloat16", "precision", "autocast=bfloat16"),
    ],
)
def test_a_value_set_in_code_that_is_no_choice_is_shown_as_one_more(picker, text, name, shown):
    picker.variant = text
    assert field(picker, name)["value"] == shown
    assert field(picker, name)["options"][-1]["value"] == shown
    picker.choose("grad", "grad")
    assert field(picker, name)["value"] == shown


def test_a_problem_that_was_there_before_is_shown_and_forbids_nothing(picker):
    picker.variant = "eager+threads=7"
    assert picker._warnings == ["threads=7 is more than the 2 CPUs usable here."]
    picker.choose("grad", "no_grad")
    assert str(picker.variant) == "eager+no_grad+threads=7"
    picker.choose("threads", "torch's default")
    assert picker._warnings == []


def test_rare_fields_that_are_set_are_told_so_that_their_fold_opens(picker):
    rare = {one["name"]: one["set"] for one in picker._fields if one["rare"]}
    assert rare == dict.fromkeys(("fullgraph", "compiled_in", "fallback", "train", "threads"), False)
    picker.variant = "compile+threads=1"
    assert [one["name"] for one in picker._fields if one["rare"] and one["set"]] == ["threads"]


def test_threads_go_up_to_the_cpus_that_are_usable(picker):
    assert [one["value"] for one in field(picker, "threads")["options"]] == ["torch's default", "1", "2"]


@pytest.mark.parametrize("engine", ENGINES.values())
def test_every_setting_is_in_the_form_with_its_default_first_or_known_to_be_for_code_only(environment, engine):
    offered = {one.name: one for one in fields.offered(Variant(engine()), environment)}
    for setting in dataclasses.fields(engine):
        if setting.name not in ("options", "provider", "path", "trust"):
            assert offered[setting.name].default == setting.default
    for modifier in dataclasses.fields(Variant):
        if modifier.name in offered and modifier.name != "engine":
            assert offered[modifier.name].default == modifier.default


def test_a_custom_backend_given_in_code_is_shown_and_kept(picker):
    def mine(graph, inputs):
        return graph

    picker.variant = Variant(Compile(backend=mine))
    assert field(picker, "backend")["value"] == "mine()"
    picker.choose("grad", "no_grad")
    assert picker.variant.engine.backend is mine


def test_the_code_is_python_that_does_what_is_chosen(picker):
    picker.variant = "compile:mode=max-autotune"
    compile(picker.code, "code", "exec")
    assert "torch.compile(model, mode='max-autotune')" in picker.code


@pytest.mark.parametrize(
    ("name", "value"),
    [("backend", "<script>"), ("backend", ["eager"]), ("grad", None), ("opset", "14"), ("colour", "")],
)
def test_a_value_that_is_no_option_is_refused(picker, name, value):
    picker._receive(picker, {"op": "set", "name": name, "value": value}, [])
    assert str(picker.variant) == "compile"


def test_unknown_keyword_arguments_are_refused():
    with pytest.raises(TypeError):
        VariantPicker(colour="red")
