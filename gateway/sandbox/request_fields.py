"""What the sandbox reads of a request, in any wire format."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Fields that are not texts: ids, addresses, bytes of files.
_NOT_TEXT = {
    *("type", "role", "id", "call_id", "tool_call_id", "tool_use_id", "cache_control"),
    *("data", "url", "image_url", "file_data", "signature", "encrypted_content"),
}
_TOKENS_PER_MESSAGE = 3
# Fields by which real providers do more than answer, wherever they are in an object.
_DEAR = {
    *("enable_search", "search_parameters", "data_sources", "cached_content", "compound_custom"),
    *("fallbacks", "models", "image_config", "only", "google_search", "of_tomorrow"),
}
_DEAR_TOKENS = 50_000
_CONTENT = {"messages", "input", "prompt", "system", "instructions", "tools"}


class InvalidRequest(Exception):
    """A request that a real provider would refuse; the message says why."""


@dataclass(slots=True, kw_only=True)
class SandboxRequest:
    """A request as far as an answer depends on it.

    `text`: the last text of the user. `tools`: their schemas by name. `after_tool`: the last
    message is the result of a tool. `searches_max`: how many web searches the request allows.
    `fields`: the body, for fields that only one route knows.
    """

    model: str
    text: str
    input_tokens: int
    fields: dict[str, Any]
    stream: bool = False
    output_tokens_max: int | None = None
    choices: int = 1
    usage_requested: bool = True
    tools: dict[str, Any] = field(default_factory=dict)
    after_tool: bool = False
    searches_max: int = 0


def string(body: dict[str, Any], name: str) -> str:
    """A field that must be a string. Errors: InvalidRequest."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{name} must be a string.")
    return value


def number(body: dict[str, Any], name: str, *, least: int = 1) -> int | None:
    """An optional field that must be a number. Errors: InvalidRequest."""
    value = body.get(name)
    if value is not None and (type(value) is not int or value < least):
        raise InvalidRequest(f"{name} must be an integer of at least {least}.")
    return value


def items(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A field that must be a list of at least one object. Errors: InvalidRequest."""
    value = body.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(one, dict) for one in value):
        raise InvalidRequest(f"{name} must be a list of objects.")
    return value


def search_tools(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tools by which a model searches the web at the provider."""
    return [tool for tool in tools if str(tool.get("type")).startswith("web_search")]


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """The text of the user's last message that has one; results of tools do not count."""
    for message in reversed(messages):
        if message.get("role") == "user" and (text := "\n".join(texts(message.get("content")))):
            return text
    return ""


def texts(content: Any) -> Iterator[str]:
    """The texts of a message's content: a string or a list of parts."""
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            yield part["text"]


def tokens(*values: Any, messages: int) -> int:
    """The input tokens that the sandbox bills: one for each word, three for each message.

    No tokenizer makes one token of two words, so a correct bound is never exceeded.
    """
    return sum(map(_words, values)) + _TOKENS_PER_MESSAGE * messages


def dear_tokens(body: dict[str, Any]) -> int:
    """The input tokens that the sandbox bills for fields that make a call dearer."""
    return _dear({name: value for name, value in body.items() if name not in _CONTENT})


def _dear(value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    return len(_DEAR & value.keys()) * _DEAR_TOKENS + sum(map(_dear, value.values()))


def _words(value: Any) -> int:
    if isinstance(value, str):
        return len(value.split())
    if isinstance(value, list):
        return sum(map(_words, value))
    if isinstance(value, dict):
        return sum(_words(each) for name, each in value.items() if name not in _NOT_TEXT)
    return 0
