"""Meters a stream of one response's events."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import openai_usage
from gateway.dialects.base import Reported
from gateway.dialects.json_body import BROKEN
from gateway.dialects.output_count import Written
from gateway.dialects.sse import data_of
from keys.services import Usage


class _Response(msgspec.Struct):
    id: Any = None
    usage: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    delta: Any = None
    response: _Response | None = None


_decode = msgspec.json.Decoder(_Event, float_hook=Decimal).decode
# An answer cut at its maximum is complete too.
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILURES = frozenset({"response.failed", "response.cancelled", "error"})


class ResponsesMeter:
    """Watches the events of a response go by; the last one says the usage."""

    def __init__(self) -> None:
        self.reported: Reported | None = None
        self.ended = False
        self.failed = False
        self._written = Written()

    def feed(self, event: bytes) -> bytes:
        """Take one event; the client gets all of them."""
        try:
            seen = _decode(data_of(event))
        except BROKEN:
            return event
        # Text, reasoning and arguments come in events whose names end alike; those that repeat
        # the whole of it have no `delta`.
        if seen.delta:
            self._written.add(seen.delta)
        elif seen.type in _ENDS or seen.type in _FAILURES:
            self._close(seen)
        return event

    def evidence(self, *, model: str) -> Usage | None:
        """What is known without the final usage."""
        return self._written.usage(self.reported, model=model)

    def _close(self, seen: _Event) -> None:
        self.ended = seen.type in _ENDS
        self.failed = not self.ended
        if seen.response is not None:
            self.reported = openai_usage.reported_in(
                seen.response.usage, request_id=seen.response.id
            )
