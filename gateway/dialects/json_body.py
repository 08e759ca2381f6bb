"""Split the top level of a JSON body into fields and join it again, its values untouched."""

import unicodedata
from functools import lru_cache
from typing import Any

import msgspec
from django.conf import settings
from msgspec import Raw

from gateway import bounds
from gateway.refusals import InvalidRequest

# More than any model can write; a larger number is a mistake.
_TOKENS_MAX = 10**9

NAME_CHARACTERS_MAX = 64
_FIELDS_MAX = 1_000
# The shortest object in a list, with its comma.
_ENTRY_BYTES = 3
_TOOLS = frozenset({"tools", "functions"})
_TURNS = frozenset({"messages", "input"})

# What decoding can raise: bad syntax or UTF-8, numbers too large for a Decimal, depth.
DECODE_ERRORS = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)

_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_any = msgspec.json.Decoder().decode


def split_fields(body: bytes) -> dict[str, Raw]:
    """Every field with its bytes; of a repeated field the last, as providers read it.

    Refusals: InvalidRequest, also for more JSON than the settings allow.
    """
    _check_values(body)
    try:
        fields = _decode_object(body)
    except DECODE_ERRORS as error:
        raise InvalidRequest(f"The body is not a JSON object: {error}.", field="body") from None
    _check_fields(fields)
    return fields


def _check_values(body: bytes) -> None:
    most = settings.GATEWAY_JSON_VALUES_MAX
    if len(body) > most and bounds.has_more_values(body, most):
        raise InvalidRequest(
            f"The body must not have more than {most:,} JSON values and names of fields.",
            field="body",
        )


def _check_fields(fields: dict[str, Raw]) -> None:
    if len(fields) > _FIELDS_MAX:
        raise InvalidRequest(
            f"The body must not have more than {_FIELDS_MAX:,} fields.", field="body"
        )
    for name in _TOOLS & fields.keys():
        most = settings.GATEWAY_TOOLS_BYTES_MAX
        if memoryview(fields[name]).nbytes > most:
            raise InvalidRequest(f"`{name}` must not exceed {most:,} bytes.", field=name)
    for name in _TURNS & fields.keys():
        check_entries(fields, name, most=settings.GATEWAY_MESSAGES_MAX)


def check_entries(fields: dict[str, Raw], name: str, *, most: int) -> None:
    """Refuse a list with more than `most` objects in it. Refusals: InvalidRequest."""
    if memoryview(fields[name]).nbytes <= most * _ENTRY_BYTES:
        return
    try:
        entries = _decode_list(fields[name])
    except DECODE_ERRORS:
        return
    if len(entries) > most and sum(bytes(each).startswith(b"{") for each in entries) > most:
        raise InvalidRequest(f"`{name}` must not have more than {most:,} entries.", field=name)


def folded_name(name: str) -> str:
    """What is left of a field's name for those who ignore case, accents, marks and separators.

    A long name is as it is: no provider has one.
    """
    return _folded(name) if len(name) <= NAME_CHARACTERS_MAX else name


# Clients send the same few fields with every request.
@lru_cache(maxsize=1024)
def _folded(name: str) -> str:
    # Upper case first: Java takes a dotless i for an i, and Go a long s for an s.
    plain = unicodedata.normalize("NFKD", name.upper())
    return "".join(filter(str.isalnum, plain)).casefold()


def value_of(fields: dict[str, Raw], name: str) -> Any:
    """The decoded value of one field; None when it is absent. Refusals: InvalidRequest."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return _decode_any(raw)
    except DECODE_ERRORS as error:
        raise InvalidRequest(f"`{name}` cannot be read: {error}.", field=name) from None


def model_of(fields: dict[str, Raw]) -> str:
    """The name in `model`; "" if there is none. Refusals: InvalidRequest."""
    model = value_of(fields, "model")
    if not (model is None or isinstance(model, str)):
        raise InvalidRequest("`model` must be the name of a model.", field="model")
    return model or ""


def flag_of(fields: dict[str, Raw], name: str) -> bool:
    """A boolean; absent and null are false. Refusals: InvalidRequest."""
    flag = value_of(fields, name)
    if flag is not None and not isinstance(flag, bool):
        raise InvalidRequest(f"`{name}` must be true or false.", field=name)
    return bool(flag)


def whole_number_of(
    fields: dict[str, Raw], name: str, *, least: int = 1, most: int = _TOKENS_MAX
) -> int | None:
    """A whole number from `least` to `most`; None when absent or null. Refusals: InvalidRequest."""
    number = value_of(fields, name)
    if number is None:
        return None
    if type(number) is not int or not least <= number <= most:
        raise InvalidRequest(f"`{name}` must be a whole number from {least} to {most}.", field=name)
    return number


def object_of(fields: dict[str, Raw], name: str) -> dict[str, Raw]:
    """An object, its values untouched; empty when absent or null. Refusals: InvalidRequest."""
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return {}
    try:
        return _decode_object(raw)
    except DECODE_ERRORS:
        raise InvalidRequest(f"`{name}` must be an object.", field=name) from None


def clamp_output(
    fields: dict[str, Raw], *, names: tuple[str, ...], default: str, output_tokens_max: int
) -> dict[str, Any]:
    """The output maximum for each of `names` that the client sent, never above its value; for
    `default` if the client sent none."""
    values = {name: whole_number_of(fields, name, least=0) for name in names}
    maxima = {
        name: min(tokens, output_tokens_max)
        for name, tokens in values.items()
        if tokens is not None
    }
    return maxima or {default: output_tokens_max}


def join_fields(fields: dict[str, Raw], **changes: Any) -> bytes:
    """The JSON body of `fields`, with `changes` in place or added at the end."""
    return msgspec.json.encode({**fields, **changes})
