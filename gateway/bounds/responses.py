"""The most input tokens of a call of OpenAI's Responses API."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gateway.bounds.content_parts import content_max
from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_values import (
    as_list,
    field_max,
    fields_max,
    json_max,
    others_max,
    value_of,
)
from gateway.bounds.template_overhead import (
    CALL,
    MESSAGE,
    call_max,
    request_max,
    schema_max,
    tools_max,
)
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import ModelFacts

_CONTENT = ("instructions", "input", "text", "tool_choice")
# Tools that the client runs and an item may add to those of the request.
_ADDED_TOOLS = ("function", "custom", "namespace")

_STORED = {
    "previous_response_id": "Send the earlier items in `input` instead.",
    "conversation": "Send the conversation's items in `input` instead.",
    "prompt": "Send the template's text in `instructions` and `input` instead.",
}


def responses_input_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    """The most input tokens `model` can count for a request.

    `fields`: the top level of the body; values are decoded or raw JSON. Refusals:
    CannotBeBounded, InvalidRequest.
    """
    for name, instead in _STORED.items():
        if value_of(fields, name):
            raise CannotBeBounded(
                f"What `{name}` adds to the request is stored at the provider and cannot be counted"
                f" here. {instead}",
                field=name,
            )
    tools = tools_max(fields, model=model)
    content = _content_fields_max(fields, model=model)
    others = others_max(fields, (*_CONTENT, "tools"), model=model)
    return request_max(model=model) + content + others + tools


def _content_fields_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    return (
        _items_max(value_of(fields, "instructions"), model=model)
        + _items_max(value_of(fields, "input"), model=model)
        + schema_max(value_of(fields, "text"), model=model)
        + field_max(value_of(fields, "tool_choice"), model=model)
    )


def _items_max(items: Any, *, model: ModelFacts) -> int:
    if not isinstance(items, list):
        # A text alone is a message, with a role and what a template writes around it.
        return 0 if items is None else field_max(items, model=model) + 2 * MESSAGE
    return sum(_item_max(item, model=model) for item in items)


class _Kind(NamedTuple):
    """A type of items. `content`: the fields of which an item has one, or else the provider takes
    what it has stored under the item's `id`; none if it always does."""

    bound: Callable[[dict[str, Any], ModelFacts], int]
    content: tuple[str, ...] = ()


def _item_max(item: Any, *, model: ModelFacts) -> int:
    if not isinstance(item, dict):
        return json_max(item) + MESSAGE
    kind = _KINDS.get(_type_of(item))
    if kind is None:
        raise CannotBeBounded(
            "The size of an item of `input` is only known by its `type`, or if it has a `role` and"
            f" `content`. {item.get('type')!r} is not a type that can be counted here. Leave the"
            " item out.",
            field="input",
        )
    if item.get("id") and not _has_content(item, kind):
        raise CannotBeBounded(
            f"The item {item['id']!r} in `input` is stored at the provider and cannot be counted"
            " here. Send the item with its content, reasoning with its `encrypted_content` (the"
            ' provider returns it for `"include": ["reasoning.encrypted_content"]`).',
            field="input",
        )
    return kind.bound(item, model) + MESSAGE


def _type_of(item: dict[str, Any]) -> str:
    if item.get("type") is not None:
        return str(item["type"])
    if item.keys() >= {"role", "content"}:
        return "message"
    return "item_reference" if item.get("id") else ""


def _has_content(item: dict[str, Any], kind: _Kind) -> bool:
    # Encrypted content that is empty has nothing to decrypt; an answer of a tool can be empty.
    return any(
        item.get(name) is not None and (item[name] or name != "encrypted_content")
        for name in kind.content
    )


def _message_max(item: dict[str, Any], model: ModelFacts) -> int:
    content = sum(content_max(item.get(name), model=model) for name in ("content", "images"))
    rest = fields_max(item, model=model, without=("content", "images", "role", "type", "status"))
    return content + field_max(item.get("role"), model=model) + rest


def _output_max(item: dict[str, Any], model: ModelFacts) -> int:
    output = item.get("output")
    # A screenshot is a single part; texts and lists of parts are content.
    content = content_max(output, model=model)
    return content + fields_max(item, model=model, without=("output",)) + CALL


def _reasoning_max(item: dict[str, Any], model: ModelFacts) -> int:
    """Encrypted thoughts count by their bytes: base64 is longer than their text."""
    texts = [content_max(item.get(name), model=model) for name in ("summary", "content")]
    encrypted = json_max(item.get("encrypted_content") or "")
    known = ("summary", "content", "encrypted_content")
    return sum(texts) + encrypted + fields_max(item, model=model, without=known) + CALL


def _image_max(item: dict[str, Any], model: ModelFacts) -> int:
    rest = fields_max(item, model=model, without=("result",))
    return image_tokens_max(None, model=model) + rest + CALL


def _added_tools_max(item: dict[str, Any], model: ModelFacts) -> int:
    tools = as_list(item.get("tools"))
    if not all(map(_is_added_tool, tools)):
        raise CannotBeBounded(
            f"An item of type {item['type']!r} can only add tools of these types:"
            f" {', '.join(_ADDED_TOOLS)}. Tools that the provider runs cost more than tokens.",
            field="input",
        )
    rest = fields_max(item, model=model, without=("tools",))
    return tools_max({"tools": tools}, model=model) + rest + CALL


def _is_added_tool(tool: Any) -> bool:
    if not isinstance(tool, dict) or tool.get("type") not in _ADDED_TOOLS:
        return False
    return tool["type"] != "namespace" or all(map(_is_added_tool, as_list(tool.get("tools"))))


def _refuse_reference(item: dict[str, Any], model: ModelFacts) -> int:
    raise CannotBeBounded(
        "An `item_reference` is stored at the provider and cannot be counted here. Send the item"
        " itself, reasoning with its `encrypted_content`.",
        field="input",
    )


def _other_max(item: dict[str, Any], model: ModelFacts) -> int:
    return json_max(item) + CALL


def _call_max(item: dict[str, Any], model: ModelFacts) -> int:
    return fields_max(item, model=model) + call_max(item.get("arguments"), model=model)


_KINDS = {
    "message": _Kind(_message_max, ("content",)),
    "function_call": _Kind(_call_max, ("arguments",)),
    "custom_tool_call": _Kind(_call_max, ("input",)),
    "reasoning": _Kind(_reasoning_max, ("encrypted_content",)),
    "compaction": _Kind(_other_max, ("encrypted_content",)),
    # OpenAI documents that results of a search are not carried over to the next turn.
    "web_search_call": _Kind(_other_max, ("action",)),
    "image_generation_call": _Kind(_image_max, ("result",)),
    "computer_call": _Kind(_other_max, ("action", "actions")),
    "local_shell_call": _Kind(_other_max, ("action",)),
    "shell_call": _Kind(_other_max, ("action",)),
    "apply_patch_call": _Kind(_other_max, ("operation",)),
    "shell_call_output": _Kind(_other_max, ("output",)),
    "tool_search_call": _Kind(_other_max, ("arguments",)),
    "tool_search_output": _Kind(_added_tools_max, ("tools",)),
    "additional_tools": _Kind(_added_tools_max, ("tools",)),
    "item_reference": _Kind(_refuse_reference, ("id",)),
    **dict.fromkeys(
        (
            "function_call_output",
            "custom_tool_call_output",
            "computer_call_output",
            "local_shell_call_output",
            "apply_patch_call_output",
        ),
        _Kind(_output_max, ("output",)),
    ),
    # What the provider found or ran is not in the item.
    **dict.fromkeys(
        (
            "file_search_call",
            "code_interpreter_call",
            "mcp_list_tools",
            "mcp_call",
            "mcp_approval_request",
        ),
        _Kind(_other_max),
    ),
}
