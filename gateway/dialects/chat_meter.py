"""Meter a stream of chat completion chunks."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import openai_usage
from gateway.dialects.answer_errors import error_in, is_error_event
from gateway.dialects.base import CallParameters, UsageReport
from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.output_count import StreamedText
from gateway.dialects.reported_usage import decode_fields, merge_counts
from gateway.dialects.service_tiers import service_tier
from gateway.dialects.sse import data_of
from keys.services import Usage
from keys.supply.model_facts import ModelFacts


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None


class _Choice(msgspec.Struct):
    index: int | str | None = 0
    delta: _Delta | None = None
    # Of completions.
    text: Any = None
    finish_reason: Any = None
    # Moonshot's.
    usage: Any = None
    error: Any = None


class _Chunk(msgspec.Struct):
    id: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    x_groq: Any = None
    error: Any = None
    service_tier: Any = None


class _UnusualChunk(msgspec.Struct):
    """A chunk whose choices are not in OpenAI's form: its usage still counts."""

    id: Any = None
    choices: Any = None
    usage: Any = None
    x_groq: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk, float_hook=Decimal).decode
_decode_unusual = msgspec.json.Decoder(_UnusualChunk, float_hook=Decimal).decode


class ChatMeter:
    """Meters the chunks of a chat completion.

    A usage that comes before the answer is finished (some providers send one with every chunk) is
    not final: it becomes the `report` only if no better one came before `[DONE]`.
    """

    def __init__(self, parameters: CallParameters) -> None:
        self.begun = self.ended = False
        self.error: Any = None
        self._parameters = parameters
        self._id: Any = None
        self._values: dict[str, Any] = {}
        # Of these values and this id, once it was asked for.
        self._read_report: UsageReport | None = None
        self._service_tier = ""
        self._is_new = self._is_final = False
        # Whether more than text came already: a finish, or usage.
        self._has_more = False
        self._finished: set[int | str | None] = set()
        self.text = StreamedText()

    @property
    def report(self) -> UsageReport | None:
        """The usage, once it is final."""
        return self._latest() if self._is_final else None

    @property
    def service_tier(self) -> str:
        """As the provider says it serves the call."""
        return self._service_tier or service_tier(self._values.get("service_tier"))

    @property
    def finished(self) -> bool:
        """Whether every choice has a reason to stop."""
        return len(self._finished) >= self._parameters.choices

    def feed(self, event: bytes) -> bytes:
        """Take one event; the client gets it, except a usage that it did not request."""
        data = data_of(event)
        if not data.startswith(b"{"):
            if data.strip() == b"[DONE]":
                self.ended = self._is_final = True
            elif is_error_event(event):
                self.error = data.decode(errors="replace")
            return event
        try:
            chunk = _decode(data)
        except DECODE_ERRORS:
            return self._feed_unusual(event, data)
        if chunk.service_tier:
            self._service_tier = service_tier(chunk.service_tier)
        for choice in chunk.choices or ():
            self.begun = True
            self._add(choice)
        if chunk.choices and not (chunk.usage or chunk.x_groq or chunk.error or self._has_more):
            return event
        return self._read_state(event, data, chunk)

    def evidence(self, *, model: ModelFacts) -> Usage | None:
        """The usage as far as it is known without a final report."""
        partial = openai_usage.partial_usage(self._values)
        if partial and partial.output_tokens and self.finished:
            return partial
        report = self._latest()
        return self.text.usage(report.usage if report else partial, model=model)

    def _latest(self) -> UsageReport | None:
        if self._read_report is None:
            self._read_report = openai_usage.report_of(self._values, request_id=self._id)
        return self._read_report

    def _add(self, choice: _Choice) -> None:
        if choice.finish_reason:
            self._finish(choice)
        if choice.usage:
            self._merge(choice.usage)
        if choice.text:
            self.text.add(choice.text)
        if (delta := choice.delta) is None:
            return
        if delta.content:
            self.text.add(delta.content)
        # Some providers send a thought in both fields.
        if thought := delta.reasoning_content or delta.reasoning:
            self.text.add(thought)
        if rest := delta.tool_calls or delta.function_call or delta.refusal:
            self.text.add(rest)

    def _finish(self, choice: _Choice) -> None:
        self._has_more = True
        self._finished.add(choice.index)
        # OpenRouter says so when a provider behind it gave up.
        if choice.finish_reason == "error":
            self.error = self.error or choice.error or "error"

    def _read_state(self, event: bytes, data: bytes, chunk: _Chunk | _UnusualChunk) -> bytes:
        if chunk.error:
            self.error = chunk.error
        if chunk.id is not None and chunk.id != self._id:
            self._id, self._read_report = chunk.id, None
        if not chunk.usage and (not chunk.choices or self.finished):
            self._read_unusual(event, data)
        if chunk.usage or chunk.x_groq:
            self._merge(chunk.usage, chunk.x_groq)
        if self._is_new and (not chunk.choices or self.finished):
            self._is_final = self._is_final or self._latest() is not None
        self._is_new = False
        # A chunk with nothing but usage is there only because Butler requested it.
        only_usage = chunk.choices == [] and chunk.usage
        return b"" if only_usage and not self._parameters.usage_requested else event

    def _merge(self, *places: Any) -> None:
        if values := openai_usage.usage_values(*places):
            self._values = merge_counts(self._values, values) if self._values else values
            self._read_report = None
            self._has_more = self._is_new = True

    def _read_unusual(self, event: bytes, data: bytes) -> None:
        """Read an error, or the usage in an unusual place, in a chunk without any content."""
        fields = decode_fields(data)
        if not fields.get("choices"):
            self.error = self.error or error_in(fields)
            if is_error_event(event):
                self.error = self.error or fields
        if not self._values:
            self._merge(*openai_usage.unusual_places(fields))

    def _feed_unusual(self, event: bytes, data: bytes) -> bytes:
        try:
            chunk = _decode_unusual(data)
        except DECODE_ERRORS:
            return event
        if chunk.choices:
            self.begun = True
            self.text.add(chunk.choices)
        return self._read_state(event, data, chunk)
