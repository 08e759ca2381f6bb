"""Token counts and costs as providers send them: only plausible ones are used."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects.json_body import DECODE_ERRORS

# No call has more tokens, or costs more.
_TOKENS_MAX = 10**9
_COST_MAX = Decimal(10**6)
_SEARCHES_MAX = 1_000_000
_ID_LENGTH_MAX = 200
_WORD_LENGTH_MAX = 20


# Numbers with a decimal point are read as Decimal: a cost never passes through a float.
class Answer(msgspec.Struct):
    """What metering reads of a whole answer."""

    id: Any = None
    usage: Any = None
    x_groq: Any = None


_decode_answer = msgspec.json.Decoder(Answer, float_hook=Decimal).decode
_decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode


def decode_answer(body: bytes) -> Answer:
    """The id and usage of a whole answer; all None if it cannot be decoded."""
    try:
        return _decode_answer(body)
    except DECODE_ERRORS:
        return Answer()


def decode_fields(body: bytes) -> dict[str, Any]:
    """All fields of a whole answer or of one event; none if it cannot be decoded."""
    try:
        return _decode_object(body)
    except DECODE_ERRORS:
        return {}


def as_object(value: Any) -> dict[str, Any]:
    """The value if it is an object, otherwise an empty one."""
    return value if isinstance(value, dict) else {}


def part(values: Any, *names: str) -> Any:
    """The value at a path of names; None if there is none."""
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def count(value: Any) -> int | None:
    """The value if it is a plausible count of tokens, otherwise None. 12.0 is 12."""
    if type(value) is int:
        return value if 0 <= value <= _TOKENS_MAX else None
    if isinstance(value, Decimal) and value.is_finite() and value == int(value.min(_TOKENS_MAX)):
        return count(int(value))
    return None


def merge_counts(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """Two usages of the same answer as one: of every count the larger one.

    Counts are of the whole answer so far. Some providers send a kind only at the start, some only
    at the end, with a zero or nothing in the other place.
    """
    merged = dict(earlier)
    for name, value in later.items():
        before = merged.get(name)
        if isinstance(before, dict):
            if isinstance(value, dict):
                merged[name] = {**before, **_larger_counts(before, value)}
        elif count(before) is None:
            merged[name] = before if value is None else value
        else:
            merged[name] = _larger(before, value)
    return merged


def _larger_counts(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {name: _larger(before.get(name), value) for name, value in after.items()}


def _larger(before: Any, after: Any) -> Any:
    if count(before) is None:
        return after
    return before if count(after) is None else max(before, after)


def largest(*values: Any) -> int:
    """The largest plausible count among fields that mean the same number; 0 if there is none."""
    most = 0
    # A loop: most values are None, and a generator takes far longer to skip them.
    for value in values:
        if value is not None and (number := count(value)) is not None and number > most:
            most = number
    return most


def searches(values: dict[str, Any], *paths: list[str]) -> int:
    """The largest plausible number of web searches at one of the paths; 0 if there is none."""
    said = largest(*(part(values, *path) for path in paths if path[0] in values))
    return said if said <= _SEARCHES_MAX else 0


def word(value: Any) -> str:
    """A word that is stored with a charge, cut to its length; "" if it is none."""
    return value.replace("\0", "")[:_WORD_LENGTH_MAX] if isinstance(value, str) else ""


def part_within(tokens: int, *, whole: int) -> int:
    """A part of `whole`; 0 if it is larger than the whole, which is then charged at the full
    rate."""
    return tokens if tokens <= whole else 0


def cost(value: Any, *, unit: Decimal = Decimal(1)) -> Decimal | None:
    """A cost in USD, from a value in units of `unit` USD; None if it is not plausible."""
    if type(value) is int:
        value = Decimal(value) * unit
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value <= _COST_MAX:
        return None
    return value


def id_of(value: Any) -> str:
    """The provider's id of a call, cut to the length that is stored."""
    # PostgreSQL cannot keep a NUL.
    return value.replace("\0", "")[:_ID_LENGTH_MAX] if isinstance(value, str) else ""
