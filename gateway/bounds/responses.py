"""The most input tokens of a call of OpenAI's Responses API."""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.bounds.content_parts import content_max
from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_values import (
    field_max,
    fields_max,
    json_max,
    others_max,
    raw_bytes_max,
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
    content = raw_bytes_max(fields, _CONTENT, model=model)
    if content is None:
        content = _content_fields_max(fields, model=model)
    others = others_max(fields, (*_CONTENT, "tools"), model=model)
    return request_max(model=model) + content + others + tools_max(fields, model=model)


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


def _item_max(item: Any, *, model: ModelFacts) -> int:
    if not isinstance(item, dict):
        return json_max(item) + MESSAGE
    bound = _TYPES.get(str(item.get("type", "message")), _other_max)
    return bound(item, model) + MESSAGE


def _message_max(item: dict[str, Any], model: ModelFacts) -> int:
    content = content_max(item.get("content"), model=model)
    rest = fields_max(item, model=model, without=("content", "role", "type", "status"))
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


_TYPES: dict[str, Callable[[dict[str, Any], ModelFacts], int]] = {
    "message": _message_max,
    "function_call": _call_max,
    "custom_tool_call": _call_max,
    "reasoning": _reasoning_max,
    "image_generation_call": _image_max,
    "item_reference": _refuse_reference,
    **dict.fromkeys(
        (
            "function_call_output",
            "custom_tool_call_output",
            "computer_call_output",
            "local_shell_call_output",
            "shell_call_output",
            "apply_patch_call_output",
        ),
        _output_max,
    ),
}
