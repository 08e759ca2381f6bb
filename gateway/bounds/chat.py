"""The most input tokens of a chat completion."""

from collections.abc import Mapping
from typing import Any

from gateway.bounds.content_parts import content_max
from gateway.bounds.json_values import (
    as_list,
    field_max,
    fields_max,
    json_max,
    others_max,
    raw_bytes_max,
    value_of,
)
from gateway.bounds.template_overhead import (
    CALLS,
    MESSAGE,
    call_max,
    request_max,
    schema_max,
    tools_max,
)
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import ModelFacts

_TOOL_CHOICE = ("tool_choice", "function_call")
_CONTENT = ("messages", "response_format", "prediction", *_TOOL_CHOICE)
_TOOLS = ("tools", "functions")
# The fields of a message that are not simply texts.
_COUNTED_BY_KIND = ("role", "content", "images", "audio", "tool_calls")


def chat_input_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    """The most input tokens `model` can count for a request.

    `fields`: the top level of the body; values are decoded or raw JSON. Refusals:
    CannotBeBounded, InvalidRequest.
    """
    tools = sum(tools_max(fields, model=model, name=name) for name in _TOOLS)
    content = raw_bytes_max(fields, _CONTENT, model=model)
    if content is None:
        content = _content_fields_max(fields, model=model)
    others = others_max(fields, (*_CONTENT, *_TOOLS), model=model)
    return request_max(model=model) + content + others + tools


def _content_fields_max(fields: Mapping[str, Any], *, model: ModelFacts) -> int:
    prediction = value_of(fields, "prediction")
    if not isinstance(prediction, dict):
        prediction = {"content": prediction}
    return (
        sum(message_max(message, model=model) for message in as_list(value_of(fields, "messages")))
        + schema_max(value_of(fields, "response_format"), model=model)
        + content_max(prediction.get("content"), model=model)
        + fields_max(prediction, model=model, without=("type", "content"))
        + sum(field_max(value_of(fields, name), model=model) for name in _TOOL_CHOICE)
    )


def message_max(message: Any, *, model: ModelFacts) -> int:
    """The most tokens of one message. Refusals: CannotBeBounded."""
    if not isinstance(message, dict):
        return json_max(message) + MESSAGE
    if message.get("audio"):
        raise CannotBeBounded(
            "The size of an earlier spoken answer is unknown. Send its transcript as `content`.",
            field="messages",
        )
    calls = as_list(message.get("tool_calls"))
    return (
        MESSAGE
        + content_max(message.get("content"), model=model)
        # Where some routers return images that a model made.
        + content_max(message.get("images"), model=model)
        + field_max(message.get("role"), model=model)
        + fields_max(message, model=model, without=_COUNTED_BY_KIND)
        + sum(_call_max(call, model=model) for call in calls)
        + (CALLS if len(calls) > 1 else 0)
    )


def _call_max(call: Any, *, model: ModelFacts) -> int:
    if not isinstance(call, dict):
        return json_max(call) + call_max(None, model=model)
    kinds = ("function", "custom")
    bodies = [call[kind] for kind in kinds if isinstance(call.get(kind), dict)]
    return (
        fields_max(call, model=model, without=[kind for kind in kinds if call.get(kind) in bodies])
        + sum(fields_max(each, model=model) for each in bodies)
        + sum(call_max(each.get("arguments"), model=model) for each in bodies or [{}])
    )
