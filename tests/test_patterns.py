"""The named deployment patterns."""

from __future__ import annotations

import pytest

from optkit.patterns import PATTERNS
from optkit.presets import resolve
from optkit.variant import Variant
from optkit.workload import Workload


def test_there_are_the_four_of_guides_in_their_order():
    assert list(PATTERNS) == ["development", "deployment", "speed", "combined"]
    assert [one.title.partition(":")[0] for one in PATTERNS.values()] == [f"Pattern {n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("name", PATTERNS)
def test_the_code_of_a_pattern_is_a_script_headed_by_when_to_use_it(name):
    code = PATTERNS[name].code(Workload("tiny_cnn"))
    assert code.startswith(f"# {PATTERNS[name].title}. {PATTERNS[name].when}\n# {PATTERNS[name].correction}\n")
    compile(code, name, "exec")


@pytest.mark.parametrize("name", PATTERNS)
def test_the_best_practices_are_in_the_code(name):
    code = PATTERNS[name].code(Workload("tiny_cnn"))
    assert "model.eval()" in code
    assert "torch.inference_mode()" in code
    assert code.count("torch.compile(") <= 1
    assert "first call" in code


def test_combining_a_trace_with_compile_is_corrected():
    assert str(PATTERNS["combined"].guide) == "torchscript:compile=true"
    assert str(PATTERNS["combined"].variant) == "aotinductor:freezing=true"


def test_the_preset_measures_what_guides_write_beside_what_works(environment):
    names = list(map(str, resolve("patterns", environment)))
    assert {str(way) for one in PATTERNS.values() for way in (one.guide, one.variant)} == set(names)
    assert Variant.parse("torchscript:compile=true") in resolve("patterns", environment)
