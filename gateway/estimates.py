"""The most likely number of tokens of a text or a request, for calls whose usage nobody reports.

A hold is bounded by `bounds`; what is charged without a report is this, and never more than held.
"""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import msgspec
from msgspec import Raw

from common.refusal import Refusal
from gateway import bounds
from keys.supply.model_facts import ModelFacts

# "A token approximately represents 3.5 English characters": Anthropic's glossary.
_BYTES_PER_TOKEN = 3.5
# OpenAI's cookbook: 3 tokens around a message and 1 for its role, 3 to begin the answer.
_MESSAGE, _ANSWER = 4, 3
# What a model probably wrote before its answer if it does not show its reasoning: 1,024 of 1,186
# tokens in the example of OpenAI's guide to reasoning models.
_UNSEEN_REASONING = 1024
_MESSAGES = ("messages", "input")
# The model gets them as JSON, names and punctuation included, or in a form that is as long.
_JSON_FIELDS = frozenset({"tools", "functions", "response_format", "output_format", "text"})
_JSON_VALUES = frozenset({"input", "arguments", "parameters", "input_schema"})
# Strings that are not text of a message, or are encrypted or encoded.
_NOT_TEXT = frozenset(
    {"id", "type", "role", "status", "call_id", "tool_call_id", "tool_use_id", "cache_control"}
    | {"signature", "encrypted_content", "data", "media_type", "detail", "file_id", "url"}
)
_IMAGES = frozenset({"image", "image_url", "input_image", "computer_screenshot"})


def text_tokens(text: str, *, model: ModelFacts) -> int:
    """Tokens of a text: counted if the tokenizer is public, otherwise by its UTF-8 bytes."""
    counted = bounds.text_tokens_exact(text, model=model)
    if counted is None:
        counted = ceil(len(text.encode(errors="replace")) / _BYTES_PER_TOKEN)
    return counted


def output_tokens(text: str, *, model: ModelFacts) -> int:
    """Tokens that the model wrote if `text` is all that was seen of its answer."""
    return text_tokens(text, model=model) + unseen_tokens(model) if text else 0


def unseen_tokens(model: ModelFacts) -> int:
    """Tokens that the model wrote before its answer, if it does not show its reasoning."""
    return _UNSEEN_REASONING if model.reasons_unseen else 0


def input_tokens(fields: Mapping[str, Raw], *, model: ModelFacts) -> int:
    """Tokens of a request's texts, images and sound. May take a while for long texts."""
    others = [name for name in fields if name not in bounds.SETTINGS]
    texts, media, messages = [], 0, 0
    for name in others:
        if name in _JSON_FIELDS:
            texts.append(bytes(fields[name]).decode(errors="replace"))
            continue
        value = msgspec.json.decode(fields[name])
        if name in _MESSAGES:
            messages += _messages(value)
            media += _token_ids(value)
        texts += _texts(value)
        media += sum(_medium_tokens(part, model=model) for part in _media(value))
    return text_tokens("\n".join(texts), model=model) + media + messages * _MESSAGE + _ANSWER


def _messages(value: Any) -> int:
    return sum(isinstance(each, dict) for each in value) if isinstance(value, list) else 1


def _token_ids(value: Any) -> int:
    """How many tokens a request for embeddings lists by their numbers."""
    if isinstance(value, list):
        return sum(_token_ids(inner) for inner in value)
    return int(isinstance(value, int))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict) and not _is_medium(value):
        for name, inner in value.items():
            if name in _JSON_VALUES and isinstance(inner, dict):
                yield msgspec.json.encode(inner).decode()
            elif name not in _NOT_TEXT:
                yield from _texts(inner)


def _media(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for inner in value:
            yield from _media(inner)
    elif isinstance(value, dict):
        if _is_medium(value):
            yield value
        else:
            for inner in value.values():
                yield from _media(inner)


def _is_medium(part: dict[str, Any]) -> bool:
    kind = part.get("type")
    return kind == "input_audio" or (isinstance(kind, str) and kind in _IMAGES)


def _medium_tokens(part: dict[str, Any], *, model: ModelFacts) -> int:
    if part["type"] == "input_audio":
        try:
            return bounds.audio_tokens_max(part.get("input_audio"))
        except Refusal:
            return 0
    image: Any = part.get("image_url")
    source = part.get("source")
    detail = part.get("detail")
    if isinstance(image, dict):
        image, detail = image.get("url"), image.get("detail")
    elif isinstance(source, dict):
        # Only the size is read of it.
        image = f"data:;base64,{source.get('data')}"
    return bounds.image_tokens_max(image, detail=detail, model=model)
