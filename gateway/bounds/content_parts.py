"""The most tokens of content in OpenAI's formats: a text, or parts of many types."""

from collections.abc import Callable
from typing import Any

from gateway.bounds.audio import audio_tokens_max
from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_values import as_list, field_max, fields_max, json_max
from gateway.bounds.tokenizers import text_tokens_max
from gateway.refusals import CannotBeBounded
from keys.supply.model_facts import ModelFacts

# What a template may write between two parts.
_PART = 4

# Markers around an image or audio.
_MEDIUM = 16


def content_max(content: Any, *, model: ModelFacts) -> int:
    """The most tokens of a message's content. Refusals: CannotBeBounded."""
    if isinstance(content, str):
        return text_tokens_max(content, model=model)
    return sum(part_max(part, model=model) for part in as_list(content))


def part_max(part: Any, *, model: ModelFacts) -> int:
    """The most tokens of one part; for an unknown type, the bytes of its JSON."""
    if not isinstance(part, dict):
        return json_max(part) + _PART
    bound = _TYPES.get(str(part.get("type")), _unknown_max)
    return bound(part, model) + _PART


def _text_max(part: dict[str, Any], model: ModelFacts) -> int:
    text = part.get("text")
    return field_max(text, model=model) + fields_max(part, model=model, without=("type", "text"))


def _image_max(part: dict[str, Any], model: ModelFacts) -> int:
    image = part.get("image_url")
    if isinstance(image, dict):
        return image_tokens_max(image.get("url"), detail=image.get("detail"), model=model) + _MEDIUM
    # An image stored at the provider (`file_id`) is at most the maximum of the rule.
    return image_tokens_max(image, detail=part.get("detail"), model=model) + _MEDIUM


def _audio_max(part: dict[str, Any], model: ModelFacts) -> int:
    return audio_tokens_max(part.get("input_audio")) + _MEDIUM


def _unknown_max(part: dict[str, Any], model: ModelFacts) -> int:
    return json_max(part)


def _refuse(part: dict[str, Any], model: ModelFacts) -> int:
    kind = part["type"]
    raise CannotBeBounded(
        f"The tokens of a part of type {kind!r} cannot be known before the call. Send its text, or"
        " images of its pages or frames.",
        field="content",
        type=kind,
    )


_TYPES: dict[str, Callable[[dict[str, Any], ModelFacts], int]] = {
    **dict.fromkeys(
        ("text", "input_text", "output_text", "summary_text", "reasoning_text"), _text_max
    ),
    "refusal": _text_max,
    **dict.fromkeys(("image_url", "input_image", "computer_screenshot", "image"), _image_max),
    "input_audio": _audio_max,
    **dict.fromkeys(
        ("file", "input_file", "document", "document_url", "audio", "audio_url"), _refuse
    ),
    **dict.fromkeys(("video", "video_url", "input_video"), _refuse),
}
