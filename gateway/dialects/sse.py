"""Server-sent events: whole events out of chunks of any size, and the data one carries."""

import re

# An event ends with an empty line, in any of the three line ends the standard allows, mixed too.
_BLANK = re.compile(rb"\r\n\r\n|\n\r\n|\r\n\n|\n\n|\r\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
EVENT_BYTES_MAX = 16 * 1024 * 1024


class TooLong(Exception):
    """An event has no end within EVENT_BYTES_MAX: the stream cannot be metered any more."""


class Splitter:
    """Takes a stream in chunks and gives it back in whole events, their blank lines included.

    Nothing is added or lost: the events and the rest, joined, are the chunks. Errors: TooLong.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that are whole now."""
        if not self._kept and b"\r" not in chunk:
            # Most chunks are whole events: no copy is kept of them.
            pieces = chunk.split(b"\n\n")
            if not pieces[-1]:
                return [piece + b"\n\n" for piece in pieces[:-1]]
        self._kept += chunk
        return self._whole()

    def _whole(self) -> list[bytes]:
        events, start = [], 0
        for blank in _BLANK.finditer(self._kept, self._searched):
            events.append(bytes(self._kept[start : blank.end()]))
            start = blank.end()
        del self._kept[:start]
        # The end of an event may have begun in the last three bytes.
        self._searched = max(len(self._kept) - 3, 0)
        if len(self._kept) > EVENT_BYTES_MAX and not events:
            raise TooLong(f"An event has more than {EVENT_BYTES_MAX:,} bytes.")
        return events

    def rest(self) -> bytes:
        """What came after the last whole event, once the stream is over."""
        rest = bytes(self._kept)
        self._kept.clear()
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
    lines = (line for line in lines if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)
