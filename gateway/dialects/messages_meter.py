"""Meter the stream of a message."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import anthropic_usage
from gateway.dialects.answer_errors import is_error_event
from gateway.dialects.base import UsageReport
from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.output_count import StreamedText
from gateway.dialects.reported_usage import as_object, id_of, merge_counts
from gateway.dialects.service_tiers import service_tier
from gateway.dialects.sse import data_of
from keys.services import Usage
from keys.supply.model_facts import ModelFacts


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
    content_block: Any = None


_SEARCH = ("server_tool_use", "web_search")
# The input is charged once a message has started.
_BEFORE_ANSWER = ("ping", "error")
_decode = msgspec.json.Decoder(_Event, float_hook=Decimal).decode


class MessagesMeter:
    """Meters the events of a message.

    `message_start` has the input, every `message_delta` the output so far; the usage is final in
    the one that has a reason to stop.
    """

    def __init__(self) -> None:
        self.begun = self.ended = False
        self.finished = False
        self.error: Any = None
        self._id = ""
        self._values: dict[str, Any] = {}
        self._searches = 0
        self.text = StreamedText()

    @property
    def report(self) -> UsageReport | None:
        """The usage, once it is final."""
        return self._latest() if self.finished or self.ended else None

    @property
    def service_tier(self) -> str:
        """As the provider says it serves the message."""
        return service_tier(self._values.get("service_tier"))

    def feed(self, event: bytes) -> bytes:
        """Take one event; the client gets all of them."""
        data = data_of(event)
        try:
            decoded = _decode(data)
        except DECODE_ERRORS:
            if is_error_event(event):
                self.error = data.decode(errors="replace")
            return event
        self.begun = self.begun or decoded.type not in _BEFORE_ANSWER
        if decoded.type == "content_block_delta":
            if decoded.delta is not None:
                self._add(decoded.delta)
        else:
            self._read_state(decoded)
        return event

    def evidence(self, *, model: ModelFacts) -> Usage | None:
        """The usage as far as it is known without a final report."""
        report = self._latest()
        known = report.usage if report else anthropic_usage.partial_usage(self._values)
        usage = self.text.usage(known, model=model)
        if not self._searches:
            return usage
        usage = usage or Usage()
        return replace(usage, web_searches=max(usage.web_searches, self._searches))

    def _add(self, delta: _Delta) -> None:
        if text := delta.text or delta.thinking or delta.partial_json:
            self.text.add(text)

    def _read_state(self, decoded: _Event) -> None:
        if decoded.type == "message_start" and decoded.message is not None:
            self._id = id_of(decoded.message.id)
            self._merge(decoded.message.usage)
        elif decoded.type == "content_block_start":
            # A tool's name is output too.
            block = as_object(decoded.content_block)
            self.text.add(block.get("name") or "")
            self._searches += (block.get("type"), block.get("name")) == _SEARCH
        elif decoded.type == "error" or decoded.error:
            self.error = decoded.error or "error"
        else:
            self._merge(decoded.usage)
            if decoded.delta is not None and decoded.delta.stop_reason:
                self.finished = True
            self.ended = self.ended or decoded.type == "message_stop"

    def _merge(self, usage: Any) -> None:
        self._values = merge_counts(self._values, as_object(usage))

    def _latest(self) -> UsageReport | None:
        return anthropic_usage.usage_report(self._values, request_id=self._id)
