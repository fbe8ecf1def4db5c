"""VariantList: presets, adding and removing."""

from __future__ import annotations

import dataclasses

import pytest

from optkit import advice
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


def test_every_preset_has_a_label_of_its_own():
    labels = [one["label"] for one in VariantList("compile")._presets]
    assert labels[:2] == ["Recommended here", "Backends"]
    assert labels[-4:] == ["Threads", "Exports", "The guide's table", "Deployment patterns"]


def test_what_is_recommended_says_why_also_when_others_are_removed_and_added(monkeypatch, environment):
    monkeypatch.setattr("optkit.environment.detect", lambda: environment)
    listed = VariantList("recommended")
    reasons = dict(advice.recommend(environment))
    assert {item["text"]: item["why"] for item in listed._items} == {"eager": "", **reasons}
    first, second = list(reasons)[:2]
    listed.remove(first)
    listed.add(Variant.parse("eager+grad"))
    told = {item["text"]: item["why"] for item in listed._items}
    assert (told[second], told["eager+grad"]) == (reasons[second], "")
    listed.set(["compile"])
    assert not any(item["why"] for item in listed._items)


def test_a_variant_that_cannot_run_here_says_why(monkeypatch, environment):
    bare = dataclasses.replace(environment, versions={"python": "3.12.1", "torch": "2.13.0"})
    monkeypatch.setattr("optkit.environment.detect", lambda: bare)
    listed = VariantList(["compile", "compile+int8", "eager+threads=5000"])
    blocked = {item["text"]: item["blocked"] for item in listed._items}
    assert blocked["compile"] == blocked["eager"] == ""
    assert "optkit[quant]" in blocked["compile+int8"]
    assert "bring the machine to a halt" in blocked["eager+threads=5000"]
