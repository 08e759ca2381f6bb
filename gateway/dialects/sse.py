"""Server-sent events: split chunks of any size into whole events, read their data, write one."""

import re
from typing import Any

import msgspec

# An event ends with an empty line, in any of the three line ends the standard allows, mixed too.
_BLANK = re.compile(rb"\r\n\r\n|\n\r\n|\r\n\n|\n\n|\r\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What the first line of a stream can begin with; the first one is of comments.
_FIELDS = (b":", b"data:", b"event:", b"id:", b"retry:")
EVENT_BYTES_MAX = 16 * 1024 * 1024


class EventTooLong(Exception):
    """An event is longer than EVENT_BYTES_MAX: the stream can no longer be metered."""


class Splitter:
    """Splits a stream of chunks into whole events, their blank lines included.

    Nothing is added or lost: the events and the rest, joined, are the chunks. Errors:
    EventTooLong.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes."""
        if not self._buffer and b"\r" not in chunk:
            # Most chunks are whole events: they are not buffered.
            pieces = chunk.split(b"\n\n")
            if not pieces[-1]:
                return [piece + b"\n\n" for piece in pieces[:-1]]
        self._buffer += chunk
        return self._take_events()

    def _take_events(self) -> list[bytes]:
        events: list[bytes] = []
        start = 0
        for blank in _BLANK.finditer(self._buffer, self._searched):
            events.append(bytes(self._buffer[start : blank.end()]))
            start = blank.end()
        del self._buffer[:start]
        # The end of an event may have begun in the last three bytes.
        self._searched = max(len(self._buffer) - 3, 0)
        if len(self._buffer) > EVENT_BYTES_MAX and not events:
            raise EventTooLong(f"An event has more than {EVENT_BYTES_MAX:,} bytes.")
        return events

    def rest(self) -> bytes:
        """What came after the last whole event, once the stream is over."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return rest


def data_of(event: bytes) -> bytes:
    """The data of one event; empty when it has none (a comment, a heartbeat)."""
    at = 0 if event.startswith(b"data: ") else event.find(b"\ndata: ") + 1
    # Nearly every event has one line of data, as its last one.
    if (at or event.startswith(b"data: ")) and event.find(b"\n", at) == len(event) - 2:
        return event[at + 6 : -2]
    # A stream may begin with a byte order mark.
    lines = event.removeprefix(_BYTE_ORDER_MARK).splitlines()
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))


def begins_events(head: bytes) -> bool | None:
    """Whether a body that begins with `head` is a stream of events; None: more of it is needed."""
    begin = head.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if begin.startswith(_FIELDS):
        return True
    if not begin or _BYTE_ORDER_MARK.startswith(begin):
        return None
    return None if any(field.startswith(begin) for field in _FIELDS) else False


def is_cut_off(rest: bytes) -> bool:
    """Whether the rest of a stream, after its last blank line, is only a part of an event."""
    data = data_of(rest).strip()
    if data.startswith((b"{", b"[")) and data != b"[DONE]":
        try:
            msgspec.json.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return True
        return False
    return bool(rest.strip()) and data != b"[DONE]" and not rest.startswith(b":")


def encode_event(data: dict[str, Any], *, name: str = "") -> bytes:
    """One event with JSON as its data."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(data) + b"\n\n"
