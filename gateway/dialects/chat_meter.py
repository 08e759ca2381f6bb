"""Meters a stream of chat completion chunks."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects import openai_usage
from gateway.dialects.base import Asked, Reported
from gateway.dialects.json_body import BROKEN
from gateway.dialects.output_count import Written
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


class _Loose(msgspec.Struct):
    """A chunk whose choices are not as OpenAI writes them: its usage still counts."""

    id: Any = None
    choices: Any = None
    usage: Any = None
    x_groq: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk, float_hook=Decimal).decode
_decode_loose = msgspec.json.Decoder(_Loose, float_hook=Decimal).decode


class ChatMeter:
    """Watches chunks of chat completions go by.

    A usage that comes before the answer is finished (some providers send one with every chunk) is
    not final: it becomes `reported` only when nothing better came before `[DONE]`.
    """

    def __init__(self, asked: Asked) -> None:
        self.reported: Reported | None = None
        self.ended = False
        self.failed = False
        self._asked = asked
        self._latest: Reported | None = None
        self._finished: set[int] = set()
        self._written = Written()

    def feed(self, event: bytes) -> bytes:
        """Take one event; the client gets it unless it is a usage nobody asked for."""
        data = data_of(event)
        if not data.startswith(b"{"):
            if data.strip() == b"[DONE]":
                self.ended = True
                self.reported = self.reported or self._latest
            return event
        try:
            chunk = _decode(data)
        except BROKEN:
            return self._feed_loose(event, data)
        for choice in chunk.choices or ():
            self._see(choice)
        return self._after(event, chunk)

    def evidence(self, *, model: str) -> Usage | None:
        """What is known without the final usage."""
        return self._written.usage(self.reported or self._latest, model=model)

    def _see(self, choice: _Choice) -> None:
        if choice.finish_reason:
            self._finished.add(choice.index)
        if (delta := choice.delta) is None:
            return
        if delta.content:
            self._written.add(delta.content)
        # Some providers write a thought in both fields.
        if thought := delta.reasoning_content or delta.reasoning:
            self._written.add(thought)
        if rest := delta.tool_calls or delta.function_call or delta.refusal:
            self._written.add(rest)

    def _after(self, event: bytes, chunk: _Chunk | _Loose) -> bytes:
        if chunk.error:
            self.failed = True
        if not chunk.usage and not chunk.x_groq:
            return event
        said = openai_usage.reported_in(chunk.usage, chunk.x_groq, request_id=chunk.id)
        if said is not None:
            self._latest = said
            if not chunk.choices or len(self._finished) >= self._asked.choices:
                self.reported = said
        # A chunk of usage alone exists only because Butler asked for it.
        alone = chunk.choices == [] and chunk.usage
        return b"" if alone and not self._asked.usage_asked else event

    def _feed_loose(self, event: bytes, data: bytes) -> bytes:
        try:
            chunk = _decode_loose(data)
        except BROKEN:
            return event
        if chunk.choices:
            self._written.add(chunk.choices)
        return self._after(event, chunk)
