"""A prompt as a request of OpenAI's or Anthropic's wire format, and the text of its answer."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

SYSTEM = (
    "You carry out one part of a larger task. Your answer is the result of this part and all that "
    "is used of it: nobody can answer a question of yours. Answer with the result itself."
)
# Anthropic's format demands a maximum; every model in use can answer this much. The gateway cuts it
# to what is left of the budget.
_OUTPUT_TOKENS_MAX = 8_192


class Said(NamedTuple):
    """What a model answered, why it ended there (empty: it broke off), and the numbers it was
    counted with."""

    text: str
    finish_reason: str
    usage: dict[str, int]


class Wire(NamedTuple):
    """One wire format: where it asks, how, and how the events of its answer are read.

    Answers are streamed, since a stream can be stopped: when its client is gone, the gateway closes
    it, and what was not written is not paid. The same prompt must always be the same request: its
    repetition is compared byte by byte.
    """

    path: str
    asked: Callable[..., dict[str, Any]]
    said: Callable[[Iterable[dict[str, Any]]], Said]


def _chat(prompt: str, *, model: str) -> dict[str, Any]:
    # Its models disagree about the name of the maximum; left out, the gateway sets the right one.
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    return {"model": model, "messages": messages, **streamed}


def _messages(prompt: str, *, model: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    limits = {"max_tokens": _OUTPUT_TOKENS_MAX, "stream": True}
    return {"model": model, **limits, "system": SYSTEM, "messages": messages}


def _said_in_chat(events: Iterable[dict[str, Any]]) -> Said:
    text, finish_reason, usage = [], "", {}
    for event in events:
        for choice in event.get("choices") or ():
            text.append((choice.get("delta") or {}).get("content") or "")
            finish_reason = choice.get("finish_reason") or finish_reason
        usage = _numbers(event.get("usage")) or usage
    return Said("".join(text), finish_reason, usage)


def _said_in_messages(events: Iterable[dict[str, Any]]) -> Said:
    text, finish_reason, usage = [], "", {}
    for event in events:
        delta = event.get("delta") or {}
        text.append(delta.get("text") or "")
        finish_reason = delta.get("stop_reason") or finish_reason
        usage |= _numbers((event.get("message") or event).get("usage"))
    return Said("".join(text), finish_reason, usage)


def events_of(body: bytes) -> list[dict[str, Any]]:
    """What a stream of server-sent events says, event by event. Raises ValueError."""
    data = (line[5:].strip() for line in body.splitlines() if line.startswith(b"data:"))
    events = [msgspec.json.decode(each) for each in data if each and each != b"[DONE]"]
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("an event is no object")
    return events


def _numbers(usage: Any) -> dict[str, int]:
    fields = usage.items() if isinstance(usage, dict) else ()
    return {name: number for name, number in fields if type(number) is int}


WIRES = {
    "openai": Wire("/chat/completions", _chat, _said_in_chat),
    "anthropic": Wire("/messages", _messages, _said_in_messages),
}
