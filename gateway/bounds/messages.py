"""The most input tokens of a call of Anthropic's Messages API."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.bounds.content_parts import check_medium
from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_values import (
    as_list,
    field_max,
    fields_max,
    json_max,
    json_of,
    others_max,
    parameters_max,
    raw_bytes_max,
    value_of,
)
from gateway.bounds.template_overhead import CALL, MESSAGE, request_max, schema_max, tools_max
from gateway.bounds.tokenizers import text_tokens_max, utf8_max
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import ModelFacts

_SCHEMAS = ("output_format", "output_config")
_CONTENT = ("system", "messages", "tool_choice", *_SCHEMAS)

# For citations the provider marks every sentence of a document and adds instructions.
_CITATIONS_FACTOR = 2
_CITATIONS = 1024

# Results of tools contain documents, and documents contain texts: no deeper.
_DEPTH_MAX = 4


def messages_input_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    """The most input tokens `model` can count for a request.

    `fields`: the top level of the body; values are decoded or raw JSON. Refusals:
    CannotBeBounded, InvalidRequest.
    """
    tools = tools_max(fields, model=model)
    content = raw_bytes_max(fields, _CONTENT, model=model)
    if content is None:
        content = _content_fields_max(fields, model=model)
    others = others_max(fields, (*_CONTENT, "tools"), model=model)
    return request_max(model=model) + content + others + tools


def _content_fields_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    return (
        _content_max(value_of(fields, "system"), model)
        + sum(_message_max(message, model) for message in as_list(value_of(fields, "messages")))
        + field_max(value_of(fields, "tool_choice"), model=model)
        + sum(schema_max(value_of(fields, name), model=model) for name in _SCHEMAS)
    )


def _message_max(message: Any, model: ModelFacts) -> int:
    if not isinstance(message, dict):
        return json_max(message) + MESSAGE
    role = field_max(message.get("role"), model=model)
    rest = fields_max(message, model=model, without=("role", "content"))
    return MESSAGE + role + rest + _content_max(message.get("content"), model)


def _content_max(content: Any, model: ModelFacts, depth: int = 0) -> int:
    if depth > _DEPTH_MAX:
        raise CannotBeBounded(
            "Blocks are nested too deeply to count their tokens.", field="messages"
        )
    if isinstance(content, str):
        return text_tokens_max(content, model=model)
    return sum(_block_max(block, model, depth) for block in as_list(content))


def _block_max(block: Any, model: ModelFacts, depth: int) -> int:
    if not isinstance(block, dict):
        return json_max(block) + MESSAGE
    kind = block.get("type")
    bound = _TYPES.get("text" if kind is None and "text" in block else str(kind))
    if bound is None:
        raise CannotBeBounded(
            f"The tokens of a block of type {kind!r} are not known. Send texts and images, each"
            " block with its `type`.",
            field="messages",
        )
    return bound(block, model, depth) + MESSAGE


def _text_max(block: dict[str, Any], model: ModelFacts, depth: int) -> int:
    rest = fields_max(block, model=model, without=("type", "text", "cache_control"))
    return field_max(block.get("text"), model=model) + rest


def _image_max(block: dict[str, Any], model: ModelFacts, depth: int) -> int:
    check_medium("image", model=model)
    source = _source_of(block)
    url = None
    if source.get("type") == "base64":
        url = f"data:;base64,{source.get('data')}"
    return image_tokens_max(url, model=model) + CALL


def _tool_use_max(block: dict[str, Any], model: ModelFacts, depth: int) -> int:
    arguments = json_of(block.get("input"))
    rest = fields_max(block, model=model, without=("type", "input", "cache_control"))
    return utf8_max(arguments) + rest + CALL + parameters_max(arguments)


def _container_max(block: dict[str, Any], model: ModelFacts, depth: int) -> int:
    inner = _content_max(block.get("content"), model, depth + 1)
    rest = fields_max(block, model=model, without=("content", "cache_control", "citations"))
    return _with_citations(block, inner + rest + CALL)


def _document_max(block: dict[str, Any], model: ModelFacts, depth: int) -> int:
    source = _source_of(block)
    match source.get("type"):
        case "text":
            inner = field_max(source.get("data"), model=model)
        case "content":
            inner = _content_max(source.get("content"), model, depth + 1)
        case kind:
            raise CannotBeBounded(
                f"The tokens of a document ({kind}) cannot be known before the call. Send its text,"
                " or images of its pages.",
                field="messages",
            )
    rest = fields_max(block, model=model, without=("source", "cache_control", "citations"))
    return _with_citations(block, inner + rest + CALL)


def _with_citations(block: dict[str, Any], tokens: int) -> int:
    return tokens * _CITATIONS_FACTOR + _CITATIONS if block.get("citations") else tokens


def _source_of(block: dict[str, Any]) -> dict[str, Any]:
    source = block.get("source")
    return source if isinstance(source, dict) else {}


def _refuse_stored(block: dict[str, Any], model: ModelFacts, depth: int) -> int:
    raise CannotBeBounded(
        f"The content of {block['type']!r} is stored at the provider and cannot be counted here."
        " Send its text.",
        field="messages",
    )


def _bytes_max(block: dict[str, Any], model: ModelFacts, depth: int) -> int:
    """Also thoughts: encrypted ones are base64, which is longer than their text."""
    return json_max(block)


_TYPES: dict[str, Callable[[dict[str, Any], ModelFacts, int], int]] = {
    "text": _text_max,
    "image": _image_max,
    "tool_use": _tool_use_max,
    "tool_result": _container_max,
    "search_result": _container_max,
    "mcp_tool_result": _container_max,
    "document": _document_max,
    "container_upload": _refuse_stored,
    "web_fetch_tool_result": _refuse_stored,
    **dict.fromkeys(
        (
            "thinking",
            "redacted_thinking",
            "server_tool_use",
            "mcp_tool_use",
            "tool_reference",
            "compaction",
            "web_search_tool_result",
            "code_execution_tool_result",
            "bash_code_execution_tool_result",
            "text_editor_code_execution_tool_result",
            "tool_search_tool_result",
        ),
        _bytes_max,
    ),
}
