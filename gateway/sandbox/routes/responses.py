"""`POST /v1/responses`."""

from collections.abc import Iterator
from typing import Any

from gateway.sandbox import request_fields
from gateway.sandbox.reply import Bill, Reply
from gateway.sandbox.request_fields import SandboxRequest
from gateway.sandbox.routes import Event

WIRE_FORMAT = "openai"
PREFIX = "resp_"
PRODUCES = True
BILLS = True

# OpenAI refuses a smaller maximum.
_OUTPUT_TOKENS_LEAST = 16
# Of a request without a maximum.
_SEARCHES_MAX = 100


def read(body: dict[str, Any]) -> SandboxRequest:
    """Parse a request body. Errors: InvalidRequest."""
    messages = _messages(body)
    tools = body.get("tools") or []
    return SandboxRequest(
        model=request_fields.string(body, "model"),
        text=request_fields.last_user_text(messages),
        input_tokens=request_fields.tokens(
            body.get("instructions"), messages, tools, messages=len(messages)
        ),
        fields=body,
        stream=body.get("stream") is True,
        output_tokens_max=request_fields.number(
            body, "max_output_tokens", least=_OUTPUT_TOKENS_LEAST
        ),
        tools={tool["name"]: tool.get("parameters") for tool in tools if "name" in tool},
        after_tool=str(messages[-1].get("type")).endswith("_output"),
        searches_max=_searches_max(body, tools),
    )


def whole(reply: Reply) -> dict[str, Any]:
    """The body of an answer that is not a stream."""
    status = "completed" if reply.complete else "incomplete"
    response = _response(
        reply, status=status, output=[*_searches(reply), _item(reply, status, _text(reply))]
    )
    if not reply.complete:
        response["incomplete_details"] = {"reason": "max_output_tokens"}
    return response | reply.usage_field(_usage(reply.bill))


def events(reply: Reply) -> Iterator[Event]:
    """The events of a stream."""
    end = "response.completed" if reply.complete else "response.incomplete"
    steps = [
        ("response.created", {"response": _response(reply)}, 0),
        ("response.in_progress", {"response": _response(reply)}, 0),
        *_search_steps(reply),
        *(_call_steps(reply) if reply.tool else _text_steps(reply)),
        (end, {"response": whole(reply)}, len(reply.answers[0])),
    ]
    for number, (name, data, produced) in enumerate(steps):
        data = {"type": name, "sequence_number": number, **data}
        yield Event(name, data, produced, name == end)


def failure(reply: Reply, after: int) -> Event:
    """The event of a provider that gives up, after so many events."""
    error = {"code": "server_error", "message": "The sandbox was asked to fail."}
    response = _response(reply, status="failed") | {"error": error}
    data = {"type": "response.failed", "sequence_number": after, "response": response}
    return Event("response.failed", data, 0)


Step = tuple[str, dict[str, Any], int]


def _searches(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "id": f"ws_{number}_{reply.id.removeprefix(PREFIX)}",
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": "sandbox"},
        }
        for number in range(reply.bill.searches)
    ]


def _search_steps(reply: Reply) -> Iterator[Step]:
    for number, item in enumerate(_searches(reply)):
        opened = {**item, "status": "in_progress"}
        yield "response.output_item.added", {"output_index": number, "item": opened}, 0
        where = {"output_index": number, "item_id": item["id"]}
        yield "response.web_search_call.completed", where, 0
        yield "response.output_item.done", {"output_index": number, "item": item}, 0


def _text_steps(reply: Reply) -> Iterator[Step]:
    text, count = _text(reply), len(reply.answers[0])
    index = reply.bill.searches
    where = {"item_id": _item_id(reply), "output_index": index, "content_index": 0}
    opened = _item(reply, "in_progress", "") | {"content": []}
    yield "response.output_item.added", {"output_index": index, "item": opened}, 0
    yield "response.content_part.added", {**where, "part": _part("")}, 0
    for delta, out in reply.chunks():
        yield "response.output_text.delta", {**where, "delta": delta, "logprobs": []}, out
    yield "response.output_text.done", {**where, "text": text, "logprobs": []}, count
    yield "response.content_part.done", {**where, "part": _part(text)}, count
    done = _item(reply, "completed" if reply.complete else "incomplete", text)
    yield "response.output_item.done", {"output_index": index, "item": done}, count


def _call_steps(reply: Reply) -> Iterator[Step]:
    text, count = _text(reply), len(reply.answers[0])
    index = reply.bill.searches
    where = {"item_id": _item_id(reply), "output_index": index}
    opened = _item(reply, "in_progress", "")
    yield "response.output_item.added", {"output_index": index, "item": opened}, 0
    for delta, out in reply.chunks():
        yield "response.function_call_arguments.delta", {**where, "delta": delta}, out
    done = {**where, "name": reply.tool, "arguments": text}
    yield "response.function_call_arguments.done", done, count
    item = _item(reply, "completed" if reply.complete else "incomplete", text)
    yield "response.output_item.done", {"output_index": index, "item": item}, count


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(body.get("input"), str):
        return [{"role": "user", "content": body["input"]}]
    return request_fields.items(body, "input")


def _searches_max(body: dict[str, Any], tools: list[dict[str, Any]]) -> int:
    if not request_fields.search_tools(tools):
        return 0
    return request_fields.number(body, "max_tool_calls") or _SEARCHES_MAX


def _text(reply: Reply) -> str:
    return "".join(reply.answers[0])


def _item_id(reply: Reply) -> str:
    return ("fc_" if reply.tool else "msg_") + reply.id.removeprefix(PREFIX)


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(reply: Reply, status: str, text: str) -> dict[str, Any]:
    item = {"id": _item_id(reply), "status": status}
    if not reply.tool:
        return item | {"type": "message", "role": "assistant", "content": [_part(text)]}
    call_id = "call_" + reply.id.removeprefix(PREFIX)
    return item | {
        "type": "function_call",
        "call_id": call_id,
        "name": reply.tool,
        "arguments": text,
    }


def _response(
    reply: Reply, *, status: str = "in_progress", output: list[Any] | None = None
) -> dict[str, Any]:
    return {
        "id": reply.id,
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": reply.request.output_tokens_max,
        "model": reply.request.model,
        "output": output or [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": reply.directive.tier or "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
        "metadata": {},
    }


def _usage(bill: Bill) -> dict[str, Any]:
    return {
        "input_tokens": bill.input,
        "input_tokens_details": {
            "cached_tokens": bill.cached,
            "cache_write_tokens": bill.cache_write + bill.cache_write_1h,
        },
        "output_tokens": bill.output,
        "output_tokens_details": {"reasoning_tokens": bill.reasoning},
        "total_tokens": bill.input + bill.output,
    }
