"""`POST /v1/messages`, Anthropic's."""

from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.sandbox import request_fields
from gateway.sandbox.reply import Bill, Reply
from gateway.sandbox.request_fields import SandboxRequest
from gateway.sandbox.routes import Event

WIRE_FORMAT = "anthropic"
PREFIX = "msg_"
PRODUCES = True
BILLS = True

# Of a tool without a maximum.
_SEARCHES_MAX = 100


def read(body: dict[str, Any]) -> SandboxRequest:
    """Parse a request body. Errors: InvalidRequest."""
    if request_fields.number(body, "max_tokens") is None:
        raise request_fields.InvalidRequest("max_tokens: Field required")
    return read_conversation(body)


def read_conversation(body: dict[str, Any]) -> SandboxRequest:
    """What `read` reads, but without a required maximum of the output."""
    messages = request_fields.items(body, "messages")
    tools = body.get("tools") or []
    return SandboxRequest(
        model=request_fields.string(body, "model"),
        text=request_fields.last_user_text(messages),
        input_tokens=request_fields.tokens(
            body.get("system"), messages, tools, messages=len(messages)
        ),
        fields=body,
        stream=body.get("stream") is True,
        output_tokens_max=body.get("max_tokens"),
        tools={tool["name"]: tool.get("input_schema") for tool in tools if "name" in tool},
        after_tool=_has_tool_result(messages[-1].get("content")),
        searches_max=sum(
            request_fields.number(tool, "max_uses") or _SEARCHES_MAX
            for tool in request_fields.search_tools(tools)
        ),
    )


def whole(reply: Reply) -> dict[str, Any]:
    """The body of an answer that is not a stream."""
    text = "".join(reply.answers[0])
    block = _block(reply) | ({"input": _input(text)} if reply.tool else {"text": text})
    ending = {"content": [*_searches(reply), block], "stop_reason": _stop_reason(reply)}
    return {**_message(reply), **ending, **reply.usage_field(_usage(reply.bill, reply))}


def events(reply: Reply) -> Iterator[Event]:
    """The events of a stream."""
    count = len(reply.answers[0])
    first = reply.bill_after(0)
    message = _message(reply) | reply.usage_field(_usage(first, reply))
    yield _event("message_start", 0, message=message)
    searches = _searches(reply)
    for index, block in enumerate(searches):
        yield _event("content_block_start", 0, index=index, content_block=block)
        yield _event("content_block_stop", 0, index=index)
    index = len(searches)
    yield _event("content_block_start", 0, index=index, content_block=_block(reply))
    yield _event("ping", 0)
    for text, out in reply.chunks():
        yield _event("content_block_delta", out, index=index, delta=_delta(reply, text))
    yield _event("content_block_stop", count, index=index)
    delta = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    usage = reply.usage_field(_usage(reply.bill, reply))
    yield _event("message_delta", count, delta=delta, **usage)._replace(final_usage=True)
    yield _event("message_stop", count)


def failure(reply: Reply, after: int) -> Event:
    """The event of a provider that gives up, after so many events."""
    return _event(
        "error", 0, error={"type": "api_error", "message": "The sandbox was asked to fail."}
    )


def _event(name: str, produced: int, **data: Any) -> Event:
    return Event(name, {"type": name, **data}, produced)


def _has_tool_result(content: Any) -> bool:
    return isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)


def _message(reply: Reply) -> dict[str, Any]:
    return {
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.request.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _searches(reply: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    for number in range(reply.bill.searches):
        use = f"srvtoolu_{number}_{reply.id.removeprefix(PREFIX)}"
        search = {"type": "server_tool_use", "id": use, "name": "web_search"}
        blocks.append(search | {"input": {"query": "sandbox"}})
        blocks.append({"type": "web_search_tool_result", "tool_use_id": use, "content": []})
    return blocks


def _block(reply: Reply) -> dict[str, Any]:
    if not reply.tool:
        return {"type": "text", "text": ""}
    call_id = "toolu_" + reply.id.removeprefix(PREFIX)
    return {"type": "tool_use", "id": call_id, "name": reply.tool, "input": {}}


def _delta(reply: Reply, text: str) -> dict[str, Any]:
    if reply.tool:
        return {"type": "input_json_delta", "partial_json": text}
    return {"type": "text_delta", "text": text}


def _input(arguments: str) -> Any:
    try:
        return msgspec.json.decode(arguments)
    except msgspec.DecodeError:  # cut short by the requested maximum
        return {}


def _stop_reason(reply: Reply) -> str:
    if not reply.complete:
        return "max_tokens"
    return "tool_use" if reply.tool else "end_turn"


def _usage(bill: Bill, reply: Reply) -> dict[str, Any]:
    cache_writes = bill.cache_write + bill.cache_write_1h
    searches = {"server_tool_use": {"web_search_requests": bill.searches}} if bill.searches else {}
    return {
        **searches,
        "input_tokens": bill.input - bill.cached - cache_writes,
        "cache_creation_input_tokens": cache_writes,
        "cache_read_input_tokens": bill.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": bill.cache_write,
            "ephemeral_1h_input_tokens": bill.cache_write_1h,
        },
        "output_tokens": bill.output,
        "output_tokens_details": {"thinking_tokens": bill.reasoning},
        "service_tier": reply.directive.tier or "standard",
    }
