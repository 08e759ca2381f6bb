"""A prompt as a request of OpenAI's or Anthropic's wire format, and the text of its answer."""

from collections.abc import Callable
from typing import Any, NamedTuple

SYSTEM = (
    "You carry out one part of a larger task. Your answer is the result of this part and all that "
    "is used of it: nobody can answer a question of yours. Answer with the result itself."
)
# Anthropic's format demands a maximum; every model in use can answer this much. The gateway cuts it
# to what is left of the budget.
_OUTPUT_TOKENS_MAX = 8_192


class ModelAnswer(NamedTuple):
    """What a model answered, why it ended there, and the numbers it was counted with."""

    text: str
    finish_reason: str
    usage: dict[str, int]


class Wire(NamedTuple):
    """One wire format: where it asks, how, and how its answer is read (ValueError if it is none).

    Answers are not streamed: a stream that is cut off before its first word is charged the whole
    hold, an answer that nobody waits for any more what it used.

    The same prompt must always be the same request: its repetition is compared byte by byte.
    """

    path: str
    asked: Callable[..., dict[str, Any]]
    said: Callable[[Any], ModelAnswer]


def _chat(prompt: str, *, model: str) -> dict[str, Any]:
    # Its models disagree about the name of the maximum; left out, the gateway sets the right one.
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
        raise ValueError("no chat completion") from error
    return ModelAnswer(text, str(choice.get("finish_reason")), _numbers(answer.get("usage")))


def _read_message_answer(answer: Any) -> ModelAnswer:
    try:
        text = _text_of(answer["content"])
    except (KeyError, TypeError) as error:
        raise ValueError("no message") from error
    return ModelAnswer(text, str(answer.get("stop_reason")), _numbers(answer.get("usage")))


def _text_of(content: Any) -> str:
    """The text of a content that is one text, or a list of parts, or nothing."""
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
