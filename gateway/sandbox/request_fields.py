"""What the sandbox reads in a request, whatever its wire format."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# No text of a person or a program, or bytes of a file.
_NOT_TEXT = {
    *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "cache_control"),
    *("data", "url", "image_url", "file_data", "signature", "encrypted_content"),
}
_TOKENS_PER_MESSAGE = 3


class Wrong(Exception):
    """A request the real provider would refuse; the text says why."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request as far as an answer depends on it.

    `text`: the last thing the user said. `tools`: their schemas by name. `after_tool`: a tool's
    result is what is to be answered. `fields`: the body, for what only one route knows.
    """

    model: str
    text: str
    input_tokens: int
    fields: dict[str, Any]
    stream: bool = False
    output_tokens_max: int | None = None
    choices: int = 1
    usage_asked: bool = True
    tools: dict[str, Any] = field(default_factory=dict)
    after_tool: bool = False


def string(body: dict[str, Any], name: str) -> str:
    """A field that must be a text. Errors: Wrong."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Wrong(f"{name}: a text is required.")
    return value


def number(body: dict[str, Any], name: str, *, least: int = 1) -> int | None:
    """A field that is a number if it is there. Errors: Wrong."""
    value = body.get(name)
    if value is not None and (type(value) is not int or value < least):
        raise Wrong(f"{name}: an integer of at least {least} is expected.")
    return value


def items(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A field that must be a list of objects, one at least. Errors: Wrong."""
    value = body.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        raise Wrong(f"{name}: a list of objects is required.")
    return value


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Of the last message of the user that has text; what tools said is none."""
    for message in reversed(messages):
        if message.get("role") == "user" and (found := "\n".join(texts(message.get("content")))):
            return found
    return ""


def texts(content: Any) -> Iterator[str]:
    """The texts of a message's content, whether it is one or a list of parts."""
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def tokens(*values: Any, messages: int) -> int:
    """How many input tokens the sandbox bills: a word is one, and a message three more.

    No tokenizer makes one token of two words, so an honest bound of the input is never passed.
    """
    return sum(map(_words, values)) + _TOKENS_PER_MESSAGE * messages


def _words(value: Any) -> int:
    if isinstance(value, str):
        return len(value.split())
    if isinstance(value, list):
        return sum(map(_words, value))
    if isinstance(value, dict):
        return sum(_words(each) for name, each in value.items() if name not in _NOT_TEXT)
    return 0
