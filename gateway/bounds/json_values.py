"""The most tokens of what requests consist of: fields, texts, lists, and JSON of any shape."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from gateway.bounds.json_outline import outline
from gateway.bounds.raw_parts import has_only_plain_parts
from gateway.bounds.slices import contains_any, slices, utf8
from gateway.bounds.tokenizers import raw_utf8_max, text_tokens_max, utf8_max
from gateway.refusals import CannotBeBounded, InvalidRequest
from keys.supply.model_facts import ModelFacts

_decode = msgspec.json.Decoder().decode

# Top-level fields whose texts no model gets.
SETTINGS = frozenset(
    {"model", "user", "metadata", "client_metadata", "safety_identifier", "service_tier", "speed"}
    | {"prompt_cache_key", "prompt_cache_retention", "include", "stream_options", "logit_bias"}
    | {"stop", "stop_sequences", "reasoning", "reasoning_effort", "thinking", "verbosity"}
    | {"truncation", "modalities", "audio", "context_management", "inference_geo", "provider"}
    | {"cache_control", "encoding_format"}
)

# What a template writes between two fields of an object.
_FIELD = 4

# Raw JSON with one of these may contain more than its length: an image by its address. Quotes in a
# text are escaped, and a false match only costs time. `\u` could hide any of them.
_MARKERS = (
    b"\\u",
    b'"image',
    b'"input_image',
    b'"computer_screenshot',
    b'"audio',
    b'"input_audio',
    b'"video',
    b'"input_video',
    b'"document',
    b'"file"',
    b'"input_file',
    b'"container_upload',
    b'"web_fetch_tool_result',
    b'"citations',
)
_CALL_MARKERS = (b'"tool_use"', b'"tool_calls"', b'"function_call"', b'"server_tool_use"')

# Most templates write a call's arguments as tags: <parameter name="city">...</parameter>.
_PARAMETER = 12
# Texts in larger JSON are not copied to look for repeated names.
_LARGE_BYTES_MIN = 64_000
_NAME = re.compile(rb'"\s*:')


def value_of(fields: Mapping[str, Any], name: str) -> Any:
    """A field's value, decoded if it is raw JSON; None if absent. Refusals: InvalidRequest."""
    value = fields.get(name)
    if not isinstance(value, Raw):
        return value
    try:
        decoded_value = _decode(value)
        if isinstance(decoded_value, (list, dict)):
            check_unique_names(value, name)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"`{name}` cannot be read: {error}.", field=name) from None
    return decoded_value


def check_unique_names(raw: bytes | Raw, field: str) -> None:
    """Refuse JSON with an object that repeats a name: providers differ in which value counts.

    Refusals: InvalidRequest.
    """

    def check(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) < len(pairs):
            raise InvalidRequest(f"An object in `{field}` has the same name twice.", field=field)

    # A copy of all of it would keep the interpreter's lock for too long.
    view = memoryview(raw)
    plain = outline(view) if view.nbytes > _LARGE_BYTES_MIN else bytes(view)
    # Numbers are not converted: Python refuses very long ones.
    json.loads(plain, strict=False, object_pairs_hook=check, parse_int=len, parse_float=len)


def others_max(fields: Mapping[str, Any], counted: Iterable[str], *, model: ModelFacts) -> int:
    """The most tokens of all fields that are not `counted` and that the model may get.

    Some providers take `documents`, or a `prompt` beside the messages. Refusals: InvalidRequest.
    """
    names = fields.keys() - SETTINGS - set(counted)
    values = (value_of(fields, name) for name in names)
    return sum(
        field_max(value, model=model) for value in values if isinstance(value, (str, list, dict))
    )


def raw_bytes_max(
    fields: Mapping[str, Any], names: Collection[str], *, model: ModelFacts
) -> int | None:
    """The length of raw JSON as a bound of its tokens; None if it does not bound them, or loosely.

    It holds because an escaped string is never shorter than its UTF-8 text (`\\u` excepted, which
    a tokenizer's normalisation could lengthen), because the JSON around each message or part
    ({"role":"user","content":""}) is longer than what a template writes there, and because
    everything that is not text is excluded. What a template adds per request is not in it.
    """
    raws = [fields[name] for name in names if name in fields]
    if model.tokenizer or not all(isinstance(raw, Raw) for raw in raws):
        return None
    texts = {name: bytes(fields[name]) for name in names if name in fields}
    if any(contains_any(raw, _MARKERS) for raw in texts.values()):
        return None
    if not all(has_only_plain_parts(name, raw) for name, raw in texts.items()):
        return None
    try:
        return sum(map(_raw_max, texts.values()))
    except UnicodeDecodeError:
        return None


def _raw_max(raw: bytes) -> int:
    has_calls = contains_any(raw, _CALL_MARKERS)
    return raw_utf8_max(raw) + (_parameters_max(raw) if has_calls else 0)


def parameters_max(arguments: str) -> int:
    """The most tokens that tags around every named value of some JSON add to its bytes."""
    return _parameters_max(utf8(arguments))


def _parameters_max(raw: bytes) -> int:
    # A name between two slices is found in neither of them.
    return _PARAMETER * (sum(len(_NAME.findall(each)) + 1 for each in slices(raw)) - 1)


def json_max(value: Any) -> int:
    """The UTF-8 bytes of a value's JSON, a bound for any value."""
    return utf8_max(json_of(value))


def json_of(value: Any) -> str:
    """JSON with spaces, as most templates write it. Refusals: CannotBeBounded."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        raise CannotBeBounded("The request is nested too deeply to count its tokens.") from None


def field_max(value: Any, *, model: ModelFacts) -> int:
    """A text by its tokens, None as 0, anything else by the bytes of its JSON."""
    if value is None:
        return 0
    return text_tokens_max(value, model=model) if isinstance(value, str) else json_max(value)


def fields_max(fields: Mapping[str, Any], *, model: ModelFacts, without: Iterable[str] = ()) -> int:
    """The most tokens of an object's fields with their names, except those in `without`."""
    return sum(
        text_tokens_max(name, model=model) + field_max(value, model=model) + _FIELD
        for name, value in fields.items()
        if name not in without and value is not None
    )


def as_list(value: Any) -> list[Any]:
    """A list as it is, None as an empty list, anything else as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
