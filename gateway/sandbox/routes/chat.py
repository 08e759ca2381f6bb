"""`POST /v1/chat/completions`."""

from collections.abc import Iterator
from typing import Any

from gateway.sandbox import request_fields
from gateway.sandbox.reply import Bill, Reply
from gateway.sandbox.request_fields import SandboxRequest
from gateway.sandbox.routes import Event

WIRE_FORMAT = "openai"
PREFIX = "chatcmpl-"
PRODUCES = True
BILLS = True


def read(body: dict[str, Any]) -> SandboxRequest:
    """Parse a request body. Errors: InvalidRequest."""
    messages = request_fields.items(body, "messages")
    tools = body.get("tools") or []
    maxima = [request_fields.number(body, name) for name in ("max_completion_tokens", "max_tokens")]
    return SandboxRequest(
        model=request_fields.string(body, "model"),
        text=request_fields.last_user_text(messages),
        input_tokens=request_fields.tokens(messages, tools, messages=len(messages)),
        fields=body,
        stream=body.get("stream") is True,
        output_tokens_max=min((n for n in maxima if n is not None), default=None),
        choices=request_fields.number(body, "n") or 1,
        usage_requested=bool((body.get("stream_options") or {}).get("include_usage")),
        tools={
            tool["function"]["name"]: tool["function"].get("parameters")
            for tool in tools
            if "function" in tool
        },
        after_tool=messages[-1].get("role") in ("tool", "function"),
    )


def whole(reply: Reply) -> dict[str, Any]:
    """The body of an answer that is not a stream."""
    choices = [
        {
            "index": number,
            "message": _message(reply, number),
            "logprobs": None,
            "finish_reason": _finish_reason(reply),
        }
        for number in range(len(reply.answers))
    ]
    return {
        **_head(reply, "chat.completion"),
        "choices": choices,
        **reply.usage_field(usage(reply.bill)),
    }


def events(reply: Reply) -> Iterator[Event]:
    """The events of a stream."""
    produced = 0
    for number in range(len(reply.answers)):
        yield Event("", _chunk(reply, number, _opening(reply, number)), produced)
    for number, answer in enumerate(reply.answers):
        for text, out in reply.chunks(number):
            yield Event("", _chunk(reply, number, _delta(reply, text)), produced + out)
        produced += len(answer)
    for number in range(len(reply.answers)):
        yield Event("", _chunk(reply, number, {}, _finish_reason(reply)), produced)
    if reply.request.usage_requested and (bill := reply.usage_field(usage(reply.bill))):
        yield Event("", {**_head(reply, _CHUNK), "choices": [], **bill}, produced, True)
    yield Event("", "[DONE]", produced)


def failure(reply: Reply, after: int) -> Event:
    """The event of a provider that gives up, after so many events."""
    message = "The sandbox was asked to fail."
    error = {"message": message, "type": "server_error", "param": None, "code": "server_error"}
    return Event("", {"error": error}, 0)


_CHUNK = "chat.completion.chunk"


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": reply.id,
        "object": kind,
        "created": reply.created,
        "model": reply.request.model,
        "service_tier": reply.directive.tier or "default",
        "system_fingerprint": "fp_sandbox",
    }


def _chunk(
    reply: Reply, number: int, delta: dict[str, Any], finish_reason: str | None = None
) -> dict[str, Any]:
    choice = {
        "index": number,
        "delta": delta,
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    usage = {"usage": None} if reply.request.usage_requested else {}
    return {**_head(reply, _CHUNK), "choices": [choice], **usage}


def _message(reply: Reply, number: int) -> dict[str, Any]:
    text = "".join(reply.answers[number])
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "annotations": [],
    }
    if reply.tool:
        message |= {"content": None, "tool_calls": [_tool_call(reply, number, text)]}
    return message


def _tool_call(reply: Reply, number: int, arguments: str) -> dict[str, Any]:
    function = {"name": reply.tool, "arguments": arguments}
    return {"id": f"call_{reply.id}_{number}", "type": "function", "function": function}


def _opening(reply: Reply, number: int) -> dict[str, Any]:
    opening: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
    if reply.tool:
        call = {"index": 0, **_tool_call(reply, number, "")}
        opening |= {"content": None, "tool_calls": [call]}
    return opening


def _delta(reply: Reply, text: str) -> dict[str, Any]:
    if reply.tool:
        return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
    return {"content": text}


def _finish_reason(reply: Reply) -> str:
    if not reply.complete:
        return "length"
    return "tool_calls" if reply.tool else "stop"


def usage(bill: Bill) -> dict[str, Any]:
    """The usage of a bill, as chat and completions have it."""
    return {
        "prompt_tokens": bill.input,
        "completion_tokens": bill.output,
        "total_tokens": bill.input + bill.output,
        "prompt_tokens_details": {
            "cached_tokens": bill.cached,
            "cache_write_tokens": bill.cache_write + bill.cache_write_1h,
            "audio_tokens": bill.audio_in,
            "image_tokens": bill.image_in,
        },
        "completion_tokens_details": {
            "reasoning_tokens": bill.reasoning,
            "audio_tokens": bill.audio_out,
            "image_tokens": bill.image_out,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
