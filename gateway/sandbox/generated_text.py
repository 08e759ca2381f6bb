"""The text of the sandbox: the same words for the same input, each of them one token."""

from collections.abc import Iterator
from typing import Any

import msgspec

# Every word is one token of OpenAI's public tokenizers, with and without the space before it: the
# count of a stream that broke is what the sandbox bills.
_TEXT = (
    "the sandbox answers every question in the same way it reads what was said counts the words "
    "and writes as many as it may so that each number on a bill can be checked against what was "
    "really sent no model is in it and nothing here takes any money but a budget is held and "
    "paid as if it did"
)
_WORDS = [" " + word for word in _TEXT.split()]
_TOOL_PIECE = 4
_CHUNKS_MAX = 64


def answer(*, seed: int, count: int) -> list[str]:
    """`count` words; `seed` decides the first one. All others begin with a space."""
    first = seed % len(_WORDS)
    words = (_WORDS * ((first + count) // len(_WORDS) + 1))[first : first + count]
    if words:
        words[0] = words[0][1:]
    return words


def arguments(schema: Any) -> list[str]:
    """A tool's arguments, with a value for each required property of its JSON schema, in pieces."""
    return pieces(msgspec.json.encode(_example(schema)).decode())


def pieces(text: str) -> list[str]:
    """`text` in pieces of four characters, as if each were a token."""
    return [text[at : at + _TOOL_PIECE] for at in range(0, len(text), _TOOL_PIECE)]


def chunks(words: list[str], *, count: int | None) -> Iterator[tuple[str, int]]:
    """The text of each event of a stream, and how many tokens the events so far have."""
    count = min(len(words), count or _CHUNKS_MAX)
    ends = [len(words) * number // count for number in range(1, count + 1)]
    for start, end in zip([0, *ends], ends, strict=False):
        yield "".join(words[start:end]), end


def _example(schema: Any) -> Any:
    schema = schema if isinstance(schema, dict) else {}
    if choices := schema.get("enum"):
        return choices[0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: _example(properties.get(name)) for name in schema.get("required", [])}
    return _EXAMPLES.get(kind if isinstance(kind, str) else "string", "sandbox")


_EXAMPLES = {"integer": 1, "number": 1, "boolean": True, "array": [], "null": None}
