"""Recognise an answer with status 200 that is none: an error, or a web page."""

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.dialects.json_body import DECODE_ERRORS
from gateway.dialects.output_count import has_output
from gateway.dialects.reported_usage import as_object

# Each is an error if it has a value, as some providers send it as null, false or 0.
_ERROR_FIELDS = ("error", "errors", "detail", "error_msg", "error_code", "error_message")
_FAILED = frozenset({"failed", "cancelled", "error"})
# Together they are an error: GLM, DashScope, Azure.
_CODES, _MESSAGES = ("code", "statusCode", "status_code"), ("message", "msg", "status_msg")

_CODES_OF_SUCCESS = frozenset({"None", "0", "200", "ok", "success"})


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """What came instead of an answer. `error`: as the provider wrote it; None if it is not JSON."""

    error: Any


def no_answer(body: bytes, *, content_field: str) -> NoAnswer | None:
    """What a whole body is if it is not an answer, whose content would be in `content_field`.

    None if it has content, if it is empty without an error, or was cut off in the middle.
    """
    if not body.lstrip().startswith((b"{", b"[")):
        return NoAnswer(None)
    try:
        value = msgspec.json.decode(body)
    except DECODE_ERRORS:
        return None
    if isinstance(value, list) and len(value) == 1:
        # Gemini sends its errors in a list.
        value = value[0]
    if not isinstance(value, dict):
        return NoAnswer(None)
    content = value.get(content_field)
    if has_output(content):
        return None
    error = error_in(value)
    if error is None and content is None:
        error = value
    return None if error is None else NoAnswer(error)


def error_in(values: dict[str, Any]) -> Any:
    """The error in an answer, or in one event of a stream, as the provider wrote it; else None.

    It is `error` with its many spellings, a status that says so, or a code with a message.
    """
    for name in _ERROR_FIELDS:
        if values.get(name):
            return values[name]
    if "error" in (values.get("type"), values.get("object")):
        return values
    if values.get("status") in _FAILED or _is_code(values):
        return values
    # MiniMax.
    if _is_code(base := as_object(values.get("base_resp"))):
        return base
    return _choice_error(values.get("choices"))


def is_error_event(event: bytes) -> bool:
    """Whether an event of a stream has the name `error`."""
    return event.startswith((b"event: error", b"event:error"))


def _is_code(values: dict[str, Any]) -> bool:
    code = next((values[name] for name in _CODES if values.get(name)), None)
    return str(code) not in _CODES_OF_SUCCESS and any(values.get(name) for name in _MESSAGES)


def _choice_error(choices: Any) -> Any:
    """OpenRouter's."""
    for choice in choices if isinstance(choices, list) else ():
        if as_object(choice).get("error"):
            return choice["error"]
        if as_object(choice).get("finish_reason") == "error":
            return choice
    return None
