"""Count the output of an answer for which the provider sent no usage."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from gateway import estimates
from gateway.dialects.json_body import DECODE_ERRORS
from keys.services import Usage
from keys.supply.model_facts import ModelFacts

# Fields of an answer whose strings the model did not write.
_NOT_OUTPUT = frozenset(
    {"id", "type", "role", "status", "call_id", "item_id", "finish_reason", "signature", "object"}
    | {"native_finish_reason", "stop_reason", "error"}
)


class StreamedText:
    """The text of a streamed answer as it arrives: content, reasoning, arguments of tools."""

    def __init__(self) -> None:
        self._text = bytearray()

    def __len__(self) -> int:
        return len(self._text)

    def add(self, piece: Any) -> None:
        """Add a piece: text, or a value that contains texts."""
        if not isinstance(piece, str):
            piece = "\n".join(_strings(piece))
        self._text += piece.encode(errors="replace")

    def tail(self, size: int) -> bytes:
        """Its last bytes."""
        return bytes(self._text[-size:])

    def usage(self, known: Usage | None, *, model: ModelFacts) -> Usage | None:
        """The best known usage: what was reported so far, or more if more text arrived."""
        known = known or Usage()
        text = self._text.decode(errors="replace")
        # What the provider reported has its reasoning in it.
        count = estimates.text_tokens if known.output_tokens else estimates.output_tokens
        output = max(known.output_tokens, count(text, model=model))
        total = known.total and max(known.total, known.input_tokens + output)
        usage = replace(known, output_tokens=output, total=total)
        return usage if usage.tokens else None


def text_size(body: bytes, field: str) -> int:
    """The bytes of the texts that `count_tokens` counts."""
    try:
        value = msgspec.json.decode(body, type=dict[str, Any]).get(field)
    except DECODE_ERRORS:
        return len(body)
    return len("\n".join(_strings(value)).encode(errors="replace"))


def count_tokens(body: bytes, field: str, *, model: ModelFacts) -> int:
    """The tokens of all texts under one field of a whole answer, as a best guess."""
    try:
        value = msgspec.json.decode(body, type=dict[str, Any]).get(field)
    except DECODE_ERRORS:
        return estimates.output_tokens(body.decode(errors="replace"), model=model)
    return estimates.output_tokens("\n".join(_strings(value)), model=model)


def has_output(content: Any) -> bool:
    """Whether the content of a whole answer has any text, numbers (an embedding) or a count."""
    if isinstance(content, int):
        return True
    if isinstance(content, list) and any(
        isinstance(each, dict) and "embedding" in each for each in content
    ):
        return True
    return any(text.strip() for text in _strings(content))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NOT_OUTPUT:
                yield from _strings(inner)
        if isinstance(value.get("input"), dict):
            # The model writes arguments of tools as JSON, with names and punctuation.
            yield msgspec.json.encode(list(value["input"])).decode()
