"""What is read from outside, given anything at all: it is read, or refused in a sentence, and that soon."""

from __future__ import annotations

import json
import math
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import is_plain
from optkit.comparison import Comparison
from optkit.engines import AotInductor, Compile, Eager, OnnxRuntime, TorchScript
from optkit.engines.compile import backends
from optkit.engines.inductor_settings import modes
from optkit.errors import OptkitError, VariantError, WorkerError
from optkit.events import Event
from optkit.variant import GRADS, Variant
from optkit.worker import frames
from stories import one_of_each, rounds

STEADY = settings(max_examples=150, derandomize=True, deadline=None)

TEXTS = st.text(max_size=12) | st.text('",:=+|\\()x1 \x1b\u202e\n', max_size=8) | st.text("\ud800\udfffa", max_size=4)
SCALARS = st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS
OPTIONS = st.dictionaries(
    st.from_regex(r"\A[\w.-]{1,8}\Z"), SCALARS | st.lists(SCALARS, min_size=1, max_size=3), max_size=3
)
BOOLEANS = st.booleans()


def settings_of(kind, **fields):
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: (kind, given))


ENGINES = st.one_of(
    st.just((Eager, {})),
    settings_of(
        Compile, backend=st.sampled_from(backends()), mode=st.sampled_from(modes()), freezing=BOOLEANS,
        dynamic=st.sampled_from([None, True, False]), fullgraph=BOOLEANS,
    ),
    OPTIONS.map(lambda options: (Compile, {"backend": "aot_eager", "options": options})),
    settings_of(TorchScript, method=st.sampled_from(["trace", "script"]), freeze=BOOLEANS, compile=BOOLEANS),
    TEXTS.map(lambda path: (TorchScript, {"path": path, "trust": True})),
    TEXTS.map(lambda path: (AotInductor, {"path": path, "trust": True})),
    settings_of(OnnxRuntime, opset=st.integers(1, 30), dynamic=BOOLEANS, provider=TEXTS, options=OPTIONS),
    TEXTS.map(lambda path: (OnnxRuntime, {"path": path})),
)  # fmt: skip
MODIFIERS = st.fixed_dictionaries(
    {},
    optional={
        "grad": st.sampled_from(GRADS), "train": BOOLEANS, "dtype": st.sampled_from(["bfloat16", "float16"]),
        "autocast": st.sampled_from([True, "bfloat16"]), "memory_format": st.just("channels_last"),
        "quantize": st.sampled_from(["int8", "int8_weight_only"]), "threads": st.integers(1, 1 << 40),
        "compiled_in": st.sampled_from(GRADS), "fallback": st.just("eager"),
    },
)  # fmt: skip


@STEADY
@given(ENGINES, MODIFIERS)
def test_every_variant_there_can_be_reads_back_from_its_text(engine, modifiers):
    kind, fields = engine
    try:
        variant = Variant(kind(**fields), **modifiers)
    except VariantError:
        return  # there is no such variant
    told = str(variant)
    assert Variant.parse(told) == variant
    assert is_plain(told)
    assert "\n" not in told


PIECES = ["compile", "eager", "torchscript", "onnxruntime", ":", ",", "=", "+", "|", '"', "\\", "()", "options."]
PIECES += ["path", "trust=true", "threads", "true", "none", "1e999", "nan", "9" * 5000, "\x00", "\ud800", "autocast"]


def refusal(call, *given):
    """Return the sentence with which a call refuses what it is given; None where it does not."""
    try:
        call(*given)
    except OptkitError as error:
        return str(error)
    return None


@STEADY
@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_a_text_is_a_variant_or_is_refused_in_a_sentence(text):
    for read in (Variant.parse, Variant.read):
        assert is_plain(refusal(read, text) or "")


@pytest.mark.parametrize("piece", ["a", ",", "+", '"', "|", "=", "\\", "a=b,", "9", 'compile:x="'])
def test_a_long_text_is_refused_soon_and_shortly(piece):
    for text in (piece * 50_000, "compile:options.x=" + piece * 50_000, "compile:" + piece * 50_000):
        begin = time.process_time()
        assert len(refusal(Variant.parse, text) or "") < 5000
        assert time.process_time() - begin < 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
RECORDS = [json.loads(json.dumps(event.to_json())) for event in one_of_each()]


def check_decoded(record):
    """See that a record is an event that can be kept and read again, or is refused in a sentence."""
    if (said := refusal(Event.from_json, record)) is not None:
        assert is_plain(said)
        return
    event = Event.from_json(record)
    kept = json.dumps(event.to_json(), allow_nan=False)
    kept.encode()
    assert Event.from_json(json.loads(kept)) == event
    comparison = Comparison([*map(Event.from_json, RECORDS[:30]), event])
    json.loads(comparison.to_json())
    assert is_plain(comparison.answer())


@STEADY
@given(JSON | st.dictionaries(st.sampled_from(["event", "at_s", "variant", "phase"]), JSON))
def test_anything_is_an_event_or_is_refused(record):
    check_decoded(record)


@STEADY
@given(st.sampled_from(RECORDS), st.data())
def test_a_real_event_in_which_something_is_another_is_an_event_or_is_refused(record, data):
    changed = dict(record)
    for name in data.draw(st.lists(st.sampled_from(sorted(record)), min_size=1, max_size=2)):
        if data.draw(st.booleans()):
            changed[name] = data.draw(JSON)
        else:
            del changed[name]
            break
    check_decoded(changed)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(RECORDS), max_size=40), st.randoms(use_true_random=False))
def test_events_in_any_order_still_make_a_comparison(records, random):
    events = [Event.from_json(record) for record in records]
    random.shuffle(events)
    comparison = Comparison([Event.from_json(RECORDS[0]), *events])
    json.loads(comparison.to_json())
    assert comparison.answer()


WRONG = [
    ("Samples", "durations_ns", "x"), ("Samples", "durations_ns", [1, "x"]), ("Samples", "durations_ns", [1.5]),
    ("Samples", "durations_ns", [-1]), ("Samples", "durations_ns", [True]), ("Samples", "durations_ns", [2**70]),
    ("Samples", "kind", "warm"), ("Samples", "kind", ["round"]), ("Samples", "calls_per_sample", 0),
    ("Samples", "steady", 1), ("Samples", "variant", None), ("FirstCall", "duration_ns", -5),
    ("FirstCall", "at_s", math.nan), ("FirstCall", "at_s", math.inf), ("FirstCall", "at_s", -1.0),
    ("FirstCall", "at_s", "1"), ("PhaseEnded", "seconds", -math.inf), ("PhaseEnded", "details", []),
    ("PhaseBegan", "phase", "lunch"), ("StudyEnded", "because", None), ("RatesMeasured", "copy_bytes_per_s", [[1]]),
    ("RatesMeasured", "copy_bytes_per_s", [[1, "x"]]), ("CompileEnded", "phases_s", {"a": "b"}),
    ("StudyStarted", "variants", "eager"), ("StudyStarted", "plan", {"a": {1, 2}}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "field", "value"), WRONG)
def test_a_field_of_another_type_is_refused_by_name(kind, field, value):
    record = next(one for one in RECORDS if one["event"] == kind)
    with pytest.raises(OptkitError, match=f"A {kind} event says {field}=.*, which is not .*; its record is damaged"):
        Event.from_json(record | {field: value})


def test_a_whole_number_will_do_for_a_float_and_what_is_not_finite_in_free_form_is_missing():
    record = next(one for one in RECORDS if one["event"] == "PhaseEnded")
    event = Event.from_json(record | {"seconds": 2, "details": {"a": math.nan, "b": [math.inf, 1]}})
    assert (event.seconds, type(event.seconds), event.details) == (2.0, float, {"a": None, "b": [None, 1]})


def test_what_lies_too_deep_is_refused():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    record = next(one for one in RECORDS if one["event"] == "PhaseEnded")
    with pytest.raises(OptkitError, match="so deep in each other"):
        Event.from_json(record | {"details": {"a": deep}})
    while deep:
        deep = deep.pop()  # the end of it would be too deep for Python as well


def test_ten_thousand_events_are_read_in_half_a_second():
    told = [*rounds(50, calls=20, eager=2.0, compile=1.0), *one_of_each()]
    records = [json.loads(json.dumps(event.to_json())) for event in told]
    records = (records * (10_000 // len(records) + 1))[:10_000]
    begin = time.process_time()
    for record in records:
        Event.from_json(record)
    assert time.process_time() - begin < 0.5


FRAMES = [{"a": 1}, {"news": {"compile": "began"}}, {"text": "µs ×" * 3}]
STREAM = b"".join(map(frames.encode, FRAMES))


def fed(*pieces):
    """Return the messages that pieces of a stream complete, and whether the stream was refused."""
    decoder, out = frames.Decoder(), []
    try:
        for piece in pieces:
            out += decoder.feed(piece)
    except WorkerError:
        return out, True
    return out, False


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_stream_torn_at_any_byte_gives_what_was_whole(cut):
    whole, refused = fed(STREAM[:cut])
    assert not refused
    assert whole == FRAMES[: len(whole)]
    assert fed(STREAM[:cut], STREAM[cut:]) == (FRAMES, False)


@STEADY
@given(st.integers(0, len(STREAM) - 1), st.binary(min_size=1, max_size=8))
def test_a_stream_with_garbage_in_it_is_refused_or_gives_objects(place, garbage):
    for damaged in (
        STREAM[:place] + garbage + STREAM[place:],
        STREAM[:place] + garbage + STREAM[place + len(garbage) :],
    ):
        assert all(isinstance(message, dict) for message in fed(damaged)[0])


@STEADY
@given(st.binary(max_size=40))
def test_a_frame_of_anything_is_an_object_or_is_refused(body):
    out, refused = fed(struct.pack("!I", len(body)) + body)
    assert refused or (len(out) == 1 and isinstance(out[0], dict))


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000, b'{"a":' + b"9" * 100_000 + b"}"])
def test_a_frame_that_no_parser_is_made_for_is_refused(body):
    assert fed(struct.pack("!I", len(body)) + body) == ([], True)
