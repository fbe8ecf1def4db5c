"""Frames: JSON objects over a pipe."""

from __future__ import annotations

import os
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optkit.errors import WorkerError
from optkit.worker import frames

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), max_size=4)


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue  # the test closed it


@given(MESSAGES, st.lists(st.integers(1, 40), max_size=60))
def test_messages_come_out_whole_however_their_bytes_arrive(messages, sizes):
    data = b"".join(frames.encode(message) for message in messages)
    decoder, out = frames.Decoder(), []
    for size in sizes:
        out += decoder.feed(data[:size])
        data = data[size:]
    out += decoder.feed(data)
    assert out == messages


@given(MESSAGES)
def test_reading_what_is_missing_never_reads_into_the_next_message(messages):
    for message in messages:
        decoder, data = frames.Decoder(), frames.encode(message) + b"next"
        out: list = []
        while not out:
            wanted = decoder.missing
            out, data = decoder.feed(data[:wanted]), data[wanted:]
        assert (out, data) == ([message], b"next")


def test_messages_cross_a_real_pipe_in_order(pipe):
    reader, writer = pipe
    messages = [{"n": n, "text": "µs ×" * n} for n in range(5)]
    for message in messages:
        frames.write(writer, message)
    assert [frames.read(reader) for _ in messages] == messages


def test_a_message_larger_than_the_pipe_arrives_whole(pipe):
    reader, writer = pipe
    message = {"durations_ns": list(range(200_000))}
    thread = threading.Thread(target=frames.write, args=(writer, message))
    thread.start()
    assert frames.read(reader) == message
    thread.join()


@pytest.mark.parametrize("left", [b"", b"\x00", struct.pack("!I", 10) + b"{"], ids=["nothing", "header", "body"])
def test_the_end_of_the_stream_is_none(pipe, left):
    reader, writer = pipe
    os.write(writer, left)
    os.close(writer)
    assert frames.read(reader) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"{", "not JSON"), (b"\xff\xfe", "not JSON"), (b"[1]", "not an object"), (b"3", "not an object")],
)
def test_what_is_no_json_object_is_an_error(body, said):
    with pytest.raises(WorkerError, match=said):
        frames.Decoder().feed(struct.pack("!I", len(body)) + body)


def test_too_large_a_frame_is_refused_before_it_is_read():
    with pytest.raises(WorkerError, match="more than allowed"):
        frames.Decoder().feed(struct.pack("!I", frames.MAXIMUM_BYTES + 1))


def test_too_large_a_message_is_not_sent():
    with pytest.raises(WorkerError, match="too large"):
        frames.encode({"x": "x" * frames.MAXIMUM_BYTES})
