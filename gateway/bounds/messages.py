"""The most input tokens of a call of Anthropic's Messages API."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_values import (
    field_max,
    fields_max,
    json_max,
    json_of,
    listed,
    others_max,
    parameters_max,
    raw_bytes_max,
    value_of,
)
from gateway.bounds.template_overhead import CALL, MESSAGE, request_max, schema_max, tools_max
from gateway.bounds.tokenizers import text_tokens_max, utf8_max
from gateway.refusals import CannotBeBounded

_SCHEMAS = ("output_format", "output_config")
_SAID = ("system", "messages", "tool_choice", *_SCHEMAS)

# A document's text is cut into sentences, each marked, and there are instructions to cite them.
_CITED_TIMES = 2
_CITED = 1024

# Results of tools hold documents, and documents hold texts: no deeper.
_DEEPEST = 4


def messages_input_max(fields: Mapping[str, Any], *, model: str) -> int:
    """The most input tokens `model` can count for a request.

    `fields`: the top level of the body; values decoded, or still raw JSON. Refusals:
    CannotBeBounded, Unreadable.
    """
    said = raw_bytes_max(fields, _SAID, model=model)
    if said is None:
        said = _said_max(fields, model=model)
    others = others_max(fields, (*_SAID, "tools"), model=model)
    return request_max(model=model) + said + others + tools_max(fields, model=model)


def _said_max(fields: Mapping[str, Any], *, model: str) -> int:
    return (
        _content_max(value_of(fields, "system"), model)
        + sum(_message_max(message, model) for message in listed(value_of(fields, "messages")))
        + field_max(value_of(fields, "tool_choice"), model=model)
        + sum(schema_max(value_of(fields, name), model=model) for name in _SCHEMAS)
    )


def _message_max(message: Any, model: str) -> int:
    if not isinstance(message, dict):
        return json_max(message) + MESSAGE
    role = field_max(message.get("role"), model=model)
    rest = fields_max(message, model=model, without=("role", "content"))
    return MESSAGE + role + rest + _content_max(message.get("content"), model)


def _content_max(content: Any, model: str, depth: int = 0) -> int:
    if depth > _DEEPEST:
        raise CannotBeBounded("Blocks are nested too deeply to be counted.", field="messages")
    if isinstance(content, str):
        return text_tokens_max(content, model=model)
    return sum(_block_max(block, model, depth) for block in listed(content))


def _block_max(block: Any, model: str, depth: int) -> int:
    if not isinstance(block, dict):
        return json_max(block) + MESSAGE
    bound = _TYPES.get(str(block.get("type")), _other)
    return bound(block, model, depth) + MESSAGE


def _text(block: dict[str, Any], model: str, depth: int) -> int:
    rest = fields_max(block, model=model, without=("type", "text", "cache_control"))
    return field_max(block.get("text"), model=model) + rest


def _image(block: dict[str, Any], model: str, depth: int) -> int:
    source = _source_of(block)
    url = None
    if source.get("type") == "base64":
        url = f"data:;base64,{source.get('data')}"
    return image_tokens_max(url, model=model) + CALL


def _tool_use(block: dict[str, Any], model: str, depth: int) -> int:
    arguments = json_of(block.get("input"))
    rest = fields_max(block, model=model, without=("type", "input", "cache_control"))
    return utf8_max(arguments) + rest + CALL + parameters_max(arguments)


def _holding(block: dict[str, Any], model: str, depth: int) -> int:
    inner = _content_max(block.get("content"), model, depth + 1)
    rest = fields_max(block, model=model, without=("content", "cache_control", "citations"))
    return _cited(block, inner + rest + CALL)


def _document(block: dict[str, Any], model: str, depth: int) -> int:
    source = _source_of(block)
    match source.get("type"):
        case "text":
            inner = field_max(source.get("data"), model=model)
        case "content":
            inner = _content_max(source.get("content"), model, depth + 1)
        case kind:
            raise CannotBeBounded(
                f"How many tokens a document ({kind}) is cannot be known before the call; send its"
                " text, or images of its pages.",
                field="messages",
            )
    rest = fields_max(block, model=model, without=("source", "cache_control", "citations"))
    return _cited(block, inner + rest + CALL)


def _cited(block: dict[str, Any], tokens: int) -> int:
    return tokens * _CITED_TIMES + _CITED if block.get("citations") else tokens


def _source_of(block: dict[str, Any]) -> dict[str, Any]:
    source = block.get("source")
    return source if isinstance(source, dict) else {}


def _kept(block: dict[str, Any], model: str, depth: int) -> int:
    raise CannotBeBounded(
        f"What {block['type']!r} refers to is kept at the provider and cannot be counted here; send"
        " its text.",
        field="messages",
    )


def _other(block: dict[str, Any], model: str, depth: int) -> int:
    """Thoughts too: encrypted ones are base64, which is longer than the text in it."""
    return json_max(block)


_TYPES: dict[str, Callable[[dict[str, Any], str, int], int]] = {
    "text": _text,
    "image": _image,
    "tool_use": _tool_use,
    "tool_result": _holding,
    "search_result": _holding,
    "document": _document,
    "container_upload": _kept,
    "web_fetch_tool_result": _kept,
}
