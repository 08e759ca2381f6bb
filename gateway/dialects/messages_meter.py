"""Meters a stream of one message's events."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import anthropic_usage
from gateway.dialects.base import Reported
from gateway.dialects.json_body import BROKEN
from gateway.dialects.output_count import Written
from gateway.dialects.reported_usage import as_object, id_of
from gateway.dialects.sse import data_of
from keys.services import Usage


class _Delta(msgspec.Struct):
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    stop_reason: Any = None


class _Message(msgspec.Struct):
    id: Any = None
    usage: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    delta: _Delta | None = None
    message: _Message | None = None
    usage: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event, float_hook=Decimal).decode


class MessagesMeter:
    """Watches the events of a message go by.

    The start says the input, every `message_delta` the output so far; only the usage of one with a
    reason to stop is final.
    """

    def __init__(self) -> None:
        self.reported: Reported | None = None
        self.ended = False
        self.failed = False
        self._id = ""
        self._said: dict[str, Any] = {}
        self._written = Written()

    def feed(self, event: bytes) -> bytes:
        """Take one event; the client gets all of them."""
        data = data_of(event)
        try:
            seen = _decode(data)
        except BROKEN:
            return event
        if seen.type == "content_block_delta":
            if seen.delta is not None:
                self._see(seen.delta)
        else:
            self._follow(seen)
        return event

    def evidence(self, *, model: str) -> Usage | None:
        """What is known without the final usage."""
        return self._written.usage(self.reported or self._latest(), model=model)

    def _see(self, delta: _Delta) -> None:
        if text := delta.text or delta.thinking or delta.partial_json:
            self._written.add(text)

    def _follow(self, seen: _Event) -> None:
        if seen.type == "message_start" and seen.message is not None:
            self._id = id_of(seen.message.id)
            self._said = as_object(seen.message.usage)
        elif seen.type == "message_delta":
            self._said = anthropic_usage.later(self._said, as_object(seen.usage))
            if seen.delta is not None and seen.delta.stop_reason:
                self.reported = self._latest()
        elif seen.type == "message_stop":
            self.ended = True
        elif seen.type == "error" or seen.error:
            self.failed = True

    def _latest(self) -> Reported | None:
        return anthropic_usage.reported_in(self._said, request_id=self._id)
