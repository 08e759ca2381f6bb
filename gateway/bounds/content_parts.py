"""Content in OpenAI's formats: a text, or parts of many types."""

from collections.abc import Callable
from typing import Any

from gateway.bounds.audio import audio_tokens_max
from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_values import field_max, fields_max, json_max, listed
from gateway.bounds.tokenizers import text_tokens_max
from gateway.refusals import CannotBeBounded

# What may stand between two parts.
_PART = 4

# Of images and audio: the markers around them.
_MEDIUM = 16


def content_max(content: Any, *, model: str) -> int:
    """The most tokens of a message's content. Refusals: CannotBeBounded."""
    if isinstance(content, str):
        return text_tokens_max(content, model=model)
    return sum(part_max(part, model=model) for part in listed(content))


def part_max(part: Any, *, model: str) -> int:
    """The most tokens of one part; of an unknown type, the bytes of its JSON."""
    if not isinstance(part, dict):
        return json_max(part) + _PART
    bound = _TYPES.get(str(part.get("type")), _unknown)
    return bound(part, model) + _PART


def _text(part: dict[str, Any], model: str) -> int:
    text = part.get("text")
    return field_max(text, model=model) + fields_max(part, model=model, without=("type", "text"))


def _image(part: dict[str, Any], model: str) -> int:
    image = part.get("image_url")
    if isinstance(image, dict):
        return image_tokens_max(image.get("url"), detail=image.get("detail"), model=model) + _MEDIUM
    # A kept image (`file_id`) has an unknown size, but not more than the rule's maximum.
    return image_tokens_max(image, detail=part.get("detail"), model=model) + _MEDIUM


def _audio(part: dict[str, Any], model: str) -> int:
    return audio_tokens_max(part.get("input_audio")) + _MEDIUM


def _unknown(part: dict[str, Any], model: str) -> int:
    return json_max(part)


def _refused(part: dict[str, Any], model: str) -> int:
    kind = part["type"]
    raise CannotBeBounded(
        f"How many tokens {kind!r} is cannot be known before the call; send its text, or images of"
        " its pages or frames.",
        field="content",
        type=kind,
    )


_TYPES: dict[str, Callable[[dict[str, Any], str], int]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "reasoning_text"), _text),
    "refusal": _text,
    **dict.fromkeys(("image_url", "input_image", "computer_screenshot", "image"), _image),
    "input_audio": _audio,
    **dict.fromkeys(
        ("file", "input_file", "document", "document_url", "audio", "audio_url"), _refused
    ),
    **dict.fromkeys(("video", "video_url", "input_video"), _refused),
}
