"""The types of the parts in raw turns, read without decoding what is in them."""

from collections.abc import Iterator

import msgspec

# Parts that are texts, or as long as what the model gets of them.
_PLAIN = frozenset(
    {"text", "refusal", "thinking", "redacted_thinking", "tool_use", "tool_result"}
    | {"server_tool_use", "search_result"}
)


class _Part(msgspec.Struct):
    type: str
    content: "_Content" = None


class _Turn(msgspec.Struct):
    content: "_Content" = None


_Content = str | list[str | _Part] | None

_DECODERS = {
    "messages": msgspec.json.Decoder(list[_Turn]),
    "system": msgspec.json.Decoder(_Content),
    "prediction": msgspec.json.Decoder(_Turn | None),
}


def has_only_plain_parts(name: str, raw: bytes) -> bool:
    """Whether every part in the field `name` is of a type that is known to be plain."""
    if name not in _DECODERS:
        return True
    try:
        turns = _DECODERS[name].decode(raw)
        return all(map(_PLAIN.__contains__, _types_in(turns)))
    except (msgspec.MsgspecError, RecursionError):
        return False


def _types_in(parts: "_Content | _Turn | list[_Turn]") -> Iterator[str]:
    if isinstance(parts, _Turn):
        parts = [parts]
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, _Part):
            yield part.type
        if not isinstance(part, str):
            yield from _types_in(part.content)
