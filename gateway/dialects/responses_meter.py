"""Meter the stream of a response."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import openai_usage
from gateway.dialects.answer_errors import is_error_event
from gateway.dialects.base import UsageReport
from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.output_count import StreamedText
from gateway.dialects.reported_usage import merge_counts
from gateway.dialects.search_items import is_search, with_searches
from gateway.dialects.service_tiers import service_tier
from gateway.dialects.sse import data_of
from keys.services import Usage
from keys.supply.model_facts import ModelFacts


class _Response(msgspec.Struct):
    id: Any = None
    usage: Any = None
    error: Any = None
    service_tier: Any = None


class _Event(msgspec.Struct):
    type: Any = None
    delta: Any = None
    response: _Response | None = None
    usage: Any = None
    error: Any = None
    item: Any = None


_decode = msgspec.json.Decoder(_Event, float_hook=Decimal).decode
# An answer cut at its maximum is complete too.
_ENDS = ("response.completed", "response.incomplete", "response.done")
_ITEM_END = "response.output_item.done"
_FAILURES = ("response.failed", "response.cancelled", "error")
_BEFORE_ANSWER = (*_FAILURES, "response.created", "response.in_progress", "response.queued")


class ResponsesMeter:
    """Meters the events of a response; the last one has the usage."""

    # Only the event that ends a response says that it is finished.
    finished = False

    def __init__(self) -> None:
        self.begun = self.ended = False
        self.error: Any = None
        self.service_tier = ""
        self._id: Any = None
        self._values: dict[str, Any] = {}
        self._searches = 0
        self.text = StreamedText()

    @property
    def report(self) -> UsageReport | None:
        """The usage, once the response has ended."""
        return self._latest() if self.ended or self.error else None

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
        # Events of text, reasoning and arguments have a `delta`; those that repeat the whole text
        # have none.
        if decoded.delta:
            self.text.add(decoded.delta)
        else:
            self._read_state(decoded)
        return event

    def evidence(self, *, model: ModelFacts) -> Usage | None:
        """The usage as far as it is known without a final report."""
        report = self._latest()
        known = report.usage if report else openai_usage.partial_usage(self._values)
        usage = self.text.usage(known, model=model)
        if not self._searches:
            return usage
        return replace(usage or Usage(), web_searches=self._searches)

    def _latest(self) -> UsageReport | None:
        report = openai_usage.report_of(self._values, request_id=self._id)
        return report and with_searches(report, self._searches)

    def _read_state(self, decoded: _Event) -> None:
        response = decoded.response or _Response()
        if response.id is not None:
            self._id = response.id
        # Until the end it is the tier that was requested.
        self.service_tier = service_tier(response.service_tier) or self.service_tier
        if decoded.type == _ITEM_END and is_search(decoded.item):
            self._searches += 1
        if values := openai_usage.usage_values(response.usage, decoded.usage):
            self._values = merge_counts(self._values, values)
        if decoded.type in _ENDS:
            self.ended = True
        elif decoded.type in _FAILURES or decoded.error:
            self.error = response.error or decoded.error or decoded.type
