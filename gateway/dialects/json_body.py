"""Take the top level of a JSON body apart and join it again, its values untouched."""

from typing import Any

import msgspec
from msgspec import Raw

from gateway.refusals import Unreadable

# More than any model can write; a larger number is a mistake.
_TOKENS_MAX = 10**9

# What reading JSON from outside can raise: bad syntax or UTF-8, numbers no Decimal holds, depth.
BROKEN = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)

_split = msgspec.json.Decoder(dict[str, Raw]).decode
_any = msgspec.json.Decoder().decode


def fields_of(body: bytes, *, guarded: frozenset[str]) -> dict[str, Raw]:
    """Every field with its bytes; of a repeated one the last, as the readers of providers do.

    `guarded` fields must be spelled exactly: some providers read names in any case. Refusals:
    Unreadable.
    """
    try:
        fields = _split(body)
    except BROKEN as error:
        raise Unreadable(f"The body is not a JSON object: {error}.", field="body") from None
    for name in fields:
        if name not in guarded and name.lower() in guarded:
            raise Unreadable(f"Write `{name}` as `{name.lower()}`.", field=name)
    return fields


def value_of(fields: dict[str, Raw], name: str) -> Any:
    """The decoded value of one field; None when it is absent. Refusals: Unreadable."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return _any(raw)
    except BROKEN as error:
        raise Unreadable(f"`{name}` cannot be read: {error}.", field=name) from None


def model_of(fields: dict[str, Raw]) -> str:
    """The model asked for. Refusals: Unreadable."""
    model = value_of(fields, "model")
    if not isinstance(model, str) or not model:
        raise Unreadable("`model` must be the name of a model.", field="model")
    return model


def flag_of(fields: dict[str, Raw], name: str) -> bool:
    """A true or false; absent and null are false. Refusals: Unreadable."""
    flag = value_of(fields, name)
    if flag is not None and not isinstance(flag, bool):
        raise Unreadable(f"`{name}` must be true or false.", field=name)
    return bool(flag)


def whole_number_of(
    fields: dict[str, Raw], name: str, *, least: int = 1, most: int = _TOKENS_MAX
) -> int | None:
    """A whole number from `least` to `most`; None when absent or null. Refusals: Unreadable."""
    number = value_of(fields, name)
    if number is None:
        return None
    if type(number) is not int or not least <= number <= most:
        raise Unreadable(f"`{name}` must be a whole number from {least} to {most}.", field=name)
    return number


def object_of(fields: dict[str, Raw], name: str) -> dict[str, Raw]:
    """An object, its values untouched; empty when absent or null. Refusals: Unreadable."""
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return {}
    try:
        return _split(raw)
    except BROKEN:
        raise Unreadable(f"`{name}` must be an object.", field=name) from None


def clamped(
    fields: dict[str, Raw], *, names: tuple[str, ...], usual: str, output_tokens_max: int
) -> dict[str, Any]:
    """The output maximum for every one of `names` that was used, never above what it asked for;
    `usual` gets it when none was used."""
    asked = {name: whole_number_of(fields, name, least=0) for name in names}
    asked = {name: tokens for name, tokens in asked.items() if tokens is not None}
    if not asked:
        return {usual: output_tokens_max}
    return {name: min(tokens, output_tokens_max) for name, tokens in asked.items()}


def joined(fields: dict[str, Raw], **changed: Any) -> bytes:
    """The body again, with some fields changed or added at the end."""
    return msgspec.json.encode({**fields, **changed})
