"""`POST /v1/completions`."""

from collections.abc import Iterator
from typing import Any

from gateway.sandbox import request_fields
from gateway.sandbox.reply import Reply
from gateway.sandbox.request_fields import InvalidRequest, SandboxRequest
from gateway.sandbox.routes import Event, chat

WIRE_FORMAT = "openai"
PREFIX = "cmpl-"
PRODUCES = True
BILLS = True
failure = chat.failure

_OUTPUT_TOKENS_DEFAULT = 16


def read(body: dict[str, Any]) -> SandboxRequest:
    """Parse a request body. Errors: InvalidRequest."""
    prompts = _prompts(body.get("prompt", ""))
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    token_ids = sum(len(prompt) for prompt in prompts if isinstance(prompt, list))
    suffix = body.get("suffix") or ""
    words = request_fields.tokens(texts, messages=0)
    return SandboxRequest(
        model=request_fields.string(body, "model"),
        text="\n".join([*texts, suffix]),
        input_tokens=words + token_ids + request_fields.tokens(suffix, messages=0) * len(prompts),
        fields=body,
        stream=body.get("stream") is True,
        output_tokens_max=request_fields.number(body, "max_tokens", least=0)
        if body.get("max_tokens") is not None
        else _OUTPUT_TOKENS_DEFAULT,
        choices=len(prompts) * (request_fields.number(body, "n") or 1),
        usage_requested=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def whole(reply: Reply) -> dict[str, Any]:
    """The body of an answer that is not a stream."""
    choices = [
        _choice(reply, number, _echo(reply, number) + "".join(answer), is_last=True)
        for number, answer in enumerate(reply.answers)
    ]
    return {**_head(reply), "choices": choices, **reply.usage_field(chat.usage(reply.bill))}


def events(reply: Reply) -> Iterator[Event]:
    """The events of a stream."""
    produced = 0
    for number, answer in enumerate(reply.answers):
        if echo := _echo(reply, number):
            yield Event("", _chunk(reply, _choice(reply, number, echo)), produced)
        for text, out in reply.chunks(number):
            yield Event("", _chunk(reply, _choice(reply, number, text)), produced + out)
        produced += len(answer)
        yield Event("", _chunk(reply, _choice(reply, number, "", is_last=True)), produced)
    if reply.request.usage_requested and (usage := reply.usage_field(chat.usage(reply.bill))):
        yield Event("", {**_head(reply), "choices": [], **usage}, produced, True)
    yield Event("", "[DONE]", produced)


def _prompts(prompt: Any) -> list[Any]:
    prompts = prompt if isinstance(prompt, list) else [prompt]
    if prompts and all(type(each) is int for each in prompts):
        return [prompts]
    if not prompts or not all(isinstance(each, str | list) for each in prompts):
        raise InvalidRequest("prompt must be a text, texts or token ids.")
    return prompts


def _head(reply: Reply) -> dict[str, Any]:
    return {
        "id": reply.id,
        "object": "text_completion",
        "created": reply.created,
        "model": reply.request.model,
        "system_fingerprint": "fp_sandbox",
    }


def _choice(reply: Reply, number: int, text: str, *, is_last: bool = False) -> dict[str, Any]:
    finish_reason = ("stop" if reply.complete else "length") if is_last else None
    return {"text": text, "index": number, "logprobs": None, "finish_reason": finish_reason}


def _chunk(reply: Reply, choice: dict[str, Any]) -> dict[str, Any]:
    usage = {"usage": None} if reply.request.usage_requested else {}
    return {**_head(reply), "choices": [choice], **usage}


def _echo(reply: Reply, number: int) -> str:
    """The prompt of a choice, if the request wants to have it back before the answer."""
    fields = reply.request.fields
    if not fields.get("echo"):
        return ""
    prompt = _prompts(fields.get("prompt", ""))[number // (fields.get("n") or 1)]
    return prompt if isinstance(prompt, str) else ""
