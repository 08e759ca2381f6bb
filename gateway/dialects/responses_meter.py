"""Meter the stream of a response."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import openai_usage
from gateway.dialects.base import UsageReport
from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.output_count import StreamedText
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
    """Meters the events of a response; the last one has the usage."""

    def __init__(self) -> None:
        self.report: UsageReport | None = None
        self.ended = False
        self.failed = False
        self._text = StreamedText()

    def feed(self, event: bytes) -> bytes:
        """Take one event; the client gets all of them."""
        try:
            decoded = _decode(data_of(event))
        except DECODE_ERRORS:
            return event
        # Events of text, reasoning and arguments have a `delta`; those that repeat the whole text
        # have none.
        if decoded.delta:
            self._text.add(decoded.delta)
        elif decoded.type in _ENDS or decoded.type in _FAILURES:
            self._close(decoded)
        return event

    def evidence(self, *, model: str) -> Usage | None:
        """The usage as far as it is known without a final report."""
        return self._text.usage(self.report, model=model)

    def _close(self, decoded: _Event) -> None:
        self.ended = decoded.type in _ENDS
        self.failed = not self.ended
        if decoded.response is not None:
            self.report = openai_usage.usage_report(
                decoded.response.usage, request_id=decoded.response.id
            )
