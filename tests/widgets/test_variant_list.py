"""VariantList: presets, adding and removing."""

from __future__ import annotations

import pytest

from optkit.errors import VariantError
from optkit.presets import PRESETS
from optkit.variant import Variant
from optkit.widgets import VariantList


def texts(listed):
    return [str(variant) for variant in listed.variants]


def test_the_baseline_is_shown_first_and_cannot_be_removed():
    listed = VariantList(["compile", "eager"])
    assert [(item["text"], item["removable"]) for item in listed._items] == [("eager", False), ("compile", True)]
    assert texts(listed) == ["compile"]


def test_each_variant_has_a_mark_of_its_own():
    marks = [item["mark"] for item in VariantList("backends")._items]
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_replaces_the_list_and_is_shown_as_chosen(preset):
    listed = VariantList("compile")
    listed._receive(listed, {"op": "preset", "name": preset}, [])
    assert listed._preset == preset
    assert texts(listed) == texts(VariantList(preset))


def test_adding_twice_adds_once_and_removing_removes():
    listed = VariantList("compile")
    listed.add(Variant.parse("eager+grad"))
    listed.add(Variant.parse("eager+grad"))
    assert texts(listed) == ["compile", "eager+grad"]
    listed._receive(listed, {"op": "remove", "name": "compile"}, [])
    assert texts(listed) == ["eager+grad"]


def test_nothing_changes_while_a_study_runs():
    listed = VariantList("compile")
    listed.disabled = True
    listed._receive(listed, {"op": "remove", "name": "compile"}, [])
    assert texts(listed) == ["compile"]


@pytest.mark.parametrize("none", [[], ()])
def test_an_empty_list_leaves_the_baseline_alone(none):
    assert [item["text"] for item in VariantList(none)._items] == ["eager"]


def test_an_unknown_variant_is_refused():
    with pytest.raises(VariantError):
        VariantList(["fast"])
