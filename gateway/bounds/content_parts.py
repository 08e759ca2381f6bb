"""The most tokens of content in OpenAI's formats: a text, or parts of many types."""

from collections.abc import Callable
from typing import Any

from gateway.bounds.audio import audio_tokens_max
from gateway.bounds.files import text_of_file
from gateway.bounds.images import image_tokens_max
from gateway.bounds.json_values import as_list, field_max, fields_max, json_max
from gateway.bounds.tokenizers import text_tokens_max
from gateway.refusals import CannotBeBounded, InputNotTaken
from keys.supply.model_facts import ModelFacts

# What a template may write between two parts.
_PART = 4

# Markers around an image or audio.
_MEDIUM = 16

_IMAGE_FIELDS = frozenset({"type", "image_url", "detail", "cache_control"})
_IMAGE_URL_FIELDS = frozenset({"url", "detail"})
# Where an image can be; none of them is a text.
_IMAGES = (*_IMAGE_FIELDS, "image", "source", "file_id")
# What is written around the text of a file.
_FILE = 64


def content_max(content: Any, *, model: ModelFacts) -> int:
    """The most tokens of a message's content. Refusals: CannotBeBounded, InputNotTaken."""
    if isinstance(content, str):
        return text_tokens_max(content, model=model)
    return sum(part_max(part, model=model) for part in as_list(content))


def part_max(part: Any, *, model: ModelFacts) -> int:
    """The most tokens of one part. Refusals: CannotBeBounded, InputNotTaken."""
    if not isinstance(part, dict):
        return json_max(part) + _PART
    kind = _type_of(part)
    bound = _TYPES.get(kind)
    if bound is None:
        raise CannotBeBounded(
            f"The tokens of a part of type {part.get('type')!r} are not known. Send texts, images"
            " and audio, each part with its `type`.",
            field="content",
            type=kind,
        )
    return bound({**part, "type": kind}, model) + _PART


def _type_of(part: dict[str, Any]) -> str:
    """The type, or what some providers take for it: the one field that is named like a type."""
    if part.get("type") is not None:
        return str(part["type"])
    kinds = part.keys() & _TYPES.keys()
    return kinds.pop() if len(kinds) == 1 else ""


def _text_max(part: dict[str, Any], model: ModelFacts) -> int:
    text = part.get("text")
    return field_max(text, model=model) + fields_max(part, model=model, without=("type", "text"))


def check_medium(medium: str, *, model: ModelFacts) -> None:
    """Refusals: InputNotTaken."""
    if not model.takes(medium):
        raise InputNotTaken(medium=medium)


def _image_max(part: dict[str, Any], model: ModelFacts) -> int:
    check_medium("image", model=model)
    image = part.get("image_url")
    inner = image if isinstance(image, dict) else {"url": image}
    details = [each["detail"] for each in (inner, part) if each.get("detail") is not None]
    url = inner.get("url")
    if part.keys() - _IMAGE_FIELDS or inner.keys() - _IMAGE_URL_FIELDS:
        # An image stored at the provider (`file_id`), or another size of this one.
        url = None
    tokens = image_tokens_max(url, detail=details[0] if len(details) == 1 else None, model=model)
    return tokens + fields_max(part, model=model, without=_IMAGES) + _MEDIUM


def _audio_max(part: dict[str, Any], model: ModelFacts) -> int:
    check_medium("audio", model=model)
    rest = fields_max(part, model=model, without=("type", "input_audio", "cache_control"))
    return audio_tokens_max(part.get("input_audio")) + rest + _MEDIUM


def _file_max(part: dict[str, Any], model: ModelFacts) -> int:
    file = part.get("file", part)
    text = text_of_file(file)
    if text is None:
        return _refuse(part, model)
    rest = sum(
        fields_max(each, model=model, without=("type", "file", "file_data", "filename"))
        for each in ([part] if file is part else [part, file])
    )
    name = field_max(file.get("filename"), model=model)
    return text_tokens_max(text, model=model) + name + rest + _FILE


def _bytes_max(part: dict[str, Any], model: ModelFacts) -> int:
    return json_max(part)


def _result_max(part: dict[str, Any], model: ModelFacts) -> int:
    rest = fields_max(part, model=model, without=("content", "cache_control"))
    return content_max(part.get("content"), model=model) + rest


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
    **dict.fromkeys(("file", "input_file"), _file_max),
    **dict.fromkeys(
        ("thinking", "redacted_thinking", "reasoning", "reference", "tool_reference", "tool_use"),
        _bytes_max,
    ),
    "tool_result": _result_max,
    **dict.fromkeys(("document", "document_url", "audio", "audio_url"), _refuse),
    **dict.fromkeys(("video", "video_url", "input_video"), _refuse),
}
