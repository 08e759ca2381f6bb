"""What an answer wrote, counted only for want of the provider's own usage."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from gateway import bounds
from gateway.dialects.base import Reported
from gateway.dialects.json_body import BROKEN
from keys.services import Usage

# Strings of an answer that no model wrote.
_NOT_WRITTEN = frozenset(
    {"id", "type", "role", "status", "call_id", "item_id", "finish_reason", "signature", "object"}
)


class Written:
    """Text of a streamed answer as it arrives: content, reasoning, arguments of tools."""

    def __init__(self) -> None:
        self._text = bytearray()

    def add(self, piece: Any) -> None:
        """One more piece: text, or something with text in it."""
        if not isinstance(piece, str):
            piece = "\n".join(_strings(piece))
        self._text += piece.encode(errors="replace")

    def usage(self, said: Reported | None, *, model: str) -> Usage | None:
        """The best known usage: what was said so far, or more if more was written."""
        known = said.usage if said else Usage()
        text = self._text.decode(errors="replace")
        output = max(known.output_tokens, _tokens(text, model=model))
        total = known.total and max(known.total, known.input_tokens + output)
        usage = replace(known, output_tokens=output, total=total)
        return usage if usage.tokens else None


def tokens_in(answer: bytes, field: str, *, model: str) -> int:
    """The most tokens that everything written under one field of a whole answer can be."""
    try:
        value = msgspec.json.decode(answer, type=dict[str, Any]).get(field)
    except BROKEN:
        return _tokens(answer.decode(errors="replace"), model=model)
    return _tokens("\n".join(_strings(value)), model=model)


def _tokens(text: str, *, model: str) -> int:
    return bounds.text_tokens_max(text, model=model) if text else 0


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NOT_WRITTEN:
                yield from _strings(inner)
        if isinstance(value.get("input"), dict):
            # Arguments of tools are written as JSON, names and punctuation too.
            yield msgspec.json.encode(list(value["input"])).decode()
