"""Meter a stream of chat completion chunks."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import openai_usage
from gateway.dialects.base import CallParameters, UsageReport
from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.output_count import StreamedText
from gateway.dialects.sse import data_of
from keys.services import Usage


class _Delta(msgspec.Struct):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    id: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    x_groq: Any = None
    error: Any = None


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
        self.report: UsageReport | None = None
        self.ended = False
        self.failed = False
        self._parameters = parameters
        self._latest: UsageReport | None = None
        self._finished: set[int] = set()
        self._text = StreamedText()

    def feed(self, event: bytes) -> bytes:
        """Take one event; the client gets it, except a usage that it did not request."""
        data = data_of(event)
        if not data.startswith(b"{"):
            if data.strip() == b"[DONE]":
                self.ended = True
                self.report = self.report or self._latest
            return event
        try:
            chunk = _decode(data)
        except DECODE_ERRORS:
            return self._feed_unusual(event, data)
        for choice in chunk.choices or ():
            self._add(choice)
        return self._read_usage(event, chunk)

    def evidence(self, *, model: str) -> Usage | None:
        """The usage as far as it is known without a final report."""
        return self._text.usage(self.report or self._latest, model=model)

    def _add(self, choice: _Choice) -> None:
        if choice.finish_reason:
            self._finished.add(choice.index)
        if (delta := choice.delta) is None:
            return
        if delta.content:
            self._text.add(delta.content)
        # Some providers send a thought in both fields.
        if thought := delta.reasoning_content or delta.reasoning:
            self._text.add(thought)
        if rest := delta.tool_calls or delta.function_call or delta.refusal:
            self._text.add(rest)

    def _read_usage(self, event: bytes, chunk: _Chunk | _UnusualChunk) -> bytes:
        if chunk.error:
            self.failed = True
        if not chunk.usage and not chunk.x_groq:
            return event
        report = openai_usage.usage_report(chunk.usage, chunk.x_groq, request_id=chunk.id)
        if report is not None:
            self._latest = report
            if not chunk.choices or len(self._finished) >= self._parameters.choices:
                self.report = report
        # A chunk with nothing but usage is there only because Butler requested it.
        only_usage = chunk.choices == [] and chunk.usage
        return b"" if only_usage and not self._parameters.usage_requested else event

    def _feed_unusual(self, event: bytes, data: bytes) -> bytes:
        try:
            chunk = _decode_unusual(data)
        except DECODE_ERRORS:
            return event
        if chunk.choices:
            self._text.add(chunk.choices)
        return self._read_usage(event, chunk)
