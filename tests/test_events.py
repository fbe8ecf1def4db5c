"""Events and their JSON form."""

from __future__ import annotations

import dataclasses
import json

import pytest

from optkit import events
from optkit.errors import OptkitError
from optkit.events import Event, PhaseBegan
from stories import one_of_each, turn


def test_the_story_used_here_tells_every_kind_of_event():
    assert {type(event).__name__ for event in one_of_each()} == set(Event.kinds)


@pytest.mark.parametrize("event", one_of_each(), ids=lambda event: type(event).__name__)
def test_an_event_survives_real_json(event):
    text = json.dumps(event.to_json(), allow_nan=False)
    assert Event.from_json(json.loads(text)) == event


def test_reading_leaves_the_record_as_it_was():
    record = one_of_each()[0].to_json()
    before = json.dumps(record)
    Event.from_json(record)
    assert json.dumps(record) == before


def test_an_unknown_kind_is_an_error_that_lists_the_known_ones():
    with pytest.raises(OptkitError, match=r"'Rumour' is no kind of event; known are Checked, CompileBegan"):
        Event.from_json({"event": "Rumour", "at_s": 0.0})


@pytest.mark.parametrize("record", [{}, {"at_s": 1.0}, {"event": None}, {"event": "Event", "at_s": 1.0}])
def test_a_record_without_a_kind_is_an_error(record):
    with pytest.raises(OptkitError, match="is no kind of event"):
        Event.from_json(record)


@pytest.mark.parametrize("change", [{"mood": "good"}, {"phase": ...}], ids=["unknown field", "missing field"])
def test_other_fields_than_those_of_the_kind_are_an_error(change):
    record = PhaseBegan(at_s=1.0, variant="eager", phase="build").to_json() | change
    record = {key: value for key, value in record.items() if value is not ...}
    with pytest.raises(OptkitError, match="A PhaseBegan event with other fields"):
        Event.from_json(record)


def test_events_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        one_of_each()[0].at_s = 3.0


def test_seconds_per_call_divides_a_block_by_its_calls():
    assert turn("eager", 1, 10.0, 20.0, calls_per_sample=100).seconds_per_call == [1e-4, 2e-4]


def test_every_kind_is_public():
    assert set(Event.kinds) < set(events.__all__)
