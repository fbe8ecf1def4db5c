"""Which variant is taken away, and what must not be."""

from __future__ import annotations

import pytest

from optkit.comparison import Comparison
from optkit.errors import UsageError
from optkit.takeaway import chosen, usable, workload_of
from optkit.variant import Variant
from optkit.workload import Workload
from stories import bring_up, checked, ended, failed, rounds, started

FAST = "compile:mode=max-autotune"


@pytest.fixture
def comparison():
    told = [started("compile", FAST, "torchscript"), *bring_up("eager"), *bring_up("compile"), *bring_up(FAST)]
    told += [failed("torchscript"), *rounds(20, **{"eager": 4.0, "compile": 2.0, FAST: 1.0})]
    return Comparison([*told, checked("compile", "equal"), checked(FAST, "different", why="It is off."), ended()])


def test_the_best_one_is_meant_where_none_is_named(comparison):
    assert str(chosen(comparison, None)) == "compile"


@pytest.mark.parametrize("given", ["compile", "speed", Variant.parse("compile"), "compile:backend=inductor"])
def test_a_variant_is_meant_in_any_form_and_by_the_name_of_its_pattern(given, comparison):
    assert chosen(comparison, given) is comparison.measurements["compile"]


def test_what_was_not_measured_is_refused_with_what_was(comparison):
    with pytest.raises(UsageError, match=r"onnxruntime was not measured.*eager, compile"):
        chosen(comparison, "onnxruntime")


def test_what_failed_is_refused_with_its_reason(comparison):
    with pytest.raises(UsageError, match=r"torchscript was not measured to its end.*It broke"):
        usable(comparison.measurements["torchscript"])


def test_what_gives_other_outputs_is_refused(comparison):
    with pytest.raises(UsageError, match=r"outputs of .* are not those of eager.* It is off"):
        usable(comparison.measurements[FAST])


def test_the_variant_itself_is_used_where_this_process_has_it():
    mine = Variant.parse("compile")
    told = [started("compile"), *bring_up("eager"), *bring_up("compile"), *rounds(3, eager=2.0, compile=1.0)]
    comparison = Comparison(told, workload=Workload("tiny_cnn"), variants=[mine])
    assert usable(comparison.measurements["compile"]) is mine


def test_a_model_of_the_zoo_is_known_from_its_record_alone_and_no_other(environment):
    record = Workload("tiny_cnn", batch_size=3).describe(environment)
    assert workload_of(None, record).describe(environment) == record
    assert workload_of(None, record | {"batch_size": None}) is None
    assert workload_of(None, record | {"source": "module"}) is None
