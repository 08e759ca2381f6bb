"""A prompt as a request of OpenAI's or Anthropic's wire format, and the text of its answer."""

from collections.abc import Callable
from typing import Any, NamedTuple

SYSTEM = (
    "You carry out one part of a larger task. Only your answer is used, as the result of this "
    "part, and you cannot ask questions. Answer with the result itself."
)
# Anthropic's format requires a maximum, and every model in use can answer this much. The gateway
# lowers it to what is left of the budget.
_OUTPUT_TOKENS_MAX = 8_192


class ModelAnswer(NamedTuple):
    """A model's answer: its text, why it ended there, and its token counts by name."""

    text: str
    finish_reason: str
    usage: dict[str, int]


class Wire(NamedTuple):
    """One wire format: its path, its request body, and how to read its answer.

    `read_answer` raises ValueError if the answer has another format. Answers are not streamed: a
    stream that breaks before its first token is charged the whole hold, a cancelled call without
    a stream only what it used. The same prompt must always give the same request, because the
    gateway compares a repeated request byte by byte.
    """

    path: str
    request_body: Callable[..., dict[str, Any]]
    read_answer: Callable[[Any], ModelAnswer]


def _chat(prompt: str, *, model: str) -> dict[str, Any]:
    # Models disagree about the name of the maximum. Without one, the gateway sets the right one.
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}]
    return {"model": model, "messages": messages}


def _messages(prompt: str, *, model: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    limits = {"max_tokens": _OUTPUT_TOKENS_MAX}
    return {"model": model, **limits, "system": SYSTEM, "messages": messages}


def _read_chat_answer(answer: Any) -> ModelAnswer:
    try:
        choice = answer["choices"][0]
        text = _text_of(choice["message"].get("content"))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError("not a chat completion") from error
    return ModelAnswer(text, str(choice.get("finish_reason")), _numbers(answer.get("usage")))


def _read_message_answer(answer: Any) -> ModelAnswer:
    try:
        text = _text_of(answer["content"])
    except (KeyError, TypeError) as error:
        raise ValueError("not a message") from error
    return ModelAnswer(text, str(answer.get("stop_reason")), _numbers(answer.get("usage")))


def _text_of(content: Any) -> str:
    """The text of a message's content: a text, a list of parts, or None."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
    return "".join(str(part.get("text", "")) for part in parts)


def _numbers(usage: Any) -> dict[str, int]:
    fields = usage.items() if isinstance(usage, dict) else ()
    return {name: number for name, number in fields if type(number) is int}


WIRES = {
    "openai": Wire("/chat/completions", _chat, _read_chat_answer),
    "anthropic": Wire("/messages", _messages, _read_message_answer),
}
