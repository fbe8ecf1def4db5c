"""JSON objects in length-prefixed frames over a pipe. The only thing that crosses the process boundary as it speaks."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

from optkit.errors import WorkerError

MAXIMUM_BYTES = 16 * 1024 * 1024
_HEADER = struct.Struct("!I")


def encode(message: dict[str, Any]) -> bytes:
    """Return the frame of a message.

    Raises
    ------
    WorkerError
        If the message is larger than 16 MiB.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAXIMUM_BYTES:
        raise WorkerError(f"A message of {len(body)} bytes is too large for the pipe between processes.")
    return _HEADER.pack(len(body)) + body


def write(descriptor: int, message: dict[str, Any]) -> None:
    """Write one message, however many system calls that takes."""
    view = memoryview(encode(message))
    while view:
        view = view[os.write(descriptor, view) :]


def read(descriptor: int) -> dict[str, Any] | None:
    """Block until one message has arrived; None at the end of the stream."""
    decoder = Decoder()
    while True:
        data = os.read(descriptor, decoder.missing)  # never more than this frame: the next one stays in the pipe
        if not data:
            return None
        messages = decoder.feed(data)
        if messages:
            return messages[0]


class Decoder:
    """Puts frames together from whatever pieces arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def missing(self) -> int:
        """Bytes that the frame now being read still lacks, as far as is known."""
        if len(self._buffer) < _HEADER.size:
            return _HEADER.size - len(self._buffer)
        return _HEADER.size + int(_HEADER.unpack_from(self._buffer)[0]) - len(self._buffer)

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes and return the messages that they complete.

        Raises
        ------
        WorkerError
            If a frame is too large, or not a JSON object.
        """
        self._buffer += data
        messages = []
        while len(self._buffer) >= _HEADER.size:
            size = _HEADER.unpack_from(self._buffer)[0]
            if size > MAXIMUM_BYTES:
                raise WorkerError(f"A worker announced a message of {size} bytes, which is more than allowed.")
            end = _HEADER.size + size
            if len(self._buffer) < end:
                break
            messages.append(_decode(bytes(self._buffer[_HEADER.size : end])))
            del self._buffer[:end]
        return messages


def _decode(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:  # lists in lists, thousands deep, are JSON that nobody can read
        raise WorkerError("A worker sent something that is not JSON.") from error
    if not isinstance(message, dict):
        raise WorkerError("A worker sent JSON that is not an object.")
    return message
