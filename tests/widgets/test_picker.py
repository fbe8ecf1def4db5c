"""VariantPicker: a value to read and set, and what does not go together."""

from __future__ import annotations

import pytest

from optkit.engines import Compile
from optkit.errors import VariantError
from optkit.variant import Variant
from optkit.widgets import VariantPicker


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


def test_every_enabled_option_can_be_chosen_and_brings_no_problem(picker, environment):
    for one in picker._fields:
        for choice in one["options"]:
            picker.variant = "compile"
            picker.choose(one["name"], choice["value"])
            if "reason" not in choice:
                assert picker.variant.problems(environment) == []


def test_eager_has_no_settings_to_choose(picker):
    picker.choose("engine", "eager")
    assert all(field(picker, name)["disabled"] for name in ("backend", "mode", "dynamic", "freezing"))
    assert not field(picker, "grad")["disabled"]


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


def test_a_value_that_is_no_option_is_refused(picker):
    picker._receive(picker, {"op": "set", "name": "backend", "value": "<script>"}, [])
    assert str(picker.variant) == "compile"


def test_unknown_keyword_arguments_are_refused():
    with pytest.raises(TypeError):
        VariantPicker(colour="red")
