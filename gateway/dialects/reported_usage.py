"""Token counts as providers write them: what can be believed, and what follows from what."""

from decimal import Decimal
from typing import Any

import msgspec

from gateway.dialects.json_body import BROKEN

# No call has more; whoever says so is not believed.
_BELIEVED_MAX = 10**9
_COST_MAX = Decimal(10**6)
_ID_LENGTH_MAX = 200


# Numbers with a point come as Decimal from their own text: a cost never passes through a float.
class _Answer(msgspec.Struct):
    id: Any = None
    usage: Any = None
    x_groq: Any = None


_decode_answer = msgspec.json.Decoder(_Answer, float_hook=Decimal).decode


def answer_in(body: bytes) -> _Answer:
    """The id and usage of a whole answer; of what is no answer, none."""
    try:
        return _decode_answer(body)
    except BROKEN:
        return _Answer()


def as_object(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def part(values: Any, *names: str) -> Any:
    """What stands under a path of names; None when there is nothing."""
    for name in names:
        values = values.get(name) if isinstance(values, dict) else None
    return values


def count(value: Any) -> int | None:
    """A count of tokens that can be believed, or None."""
    return value if type(value) is int and 0 <= value <= _BELIEVED_MAX else None


def largest(*values: Any) -> int:
    """The largest believable count of several places where one number may stand; 0 without any."""
    return max((found for value in values if (found := count(value)) is not None), default=0)


def fitting(tokens: int, *, whole: int) -> int:
    """A part of `whole`, or 0: what is larger than its whole is not believed, so all of the whole
    is paid at the full rate."""
    return tokens if tokens <= whole else 0


def cost(value: Any, *, unit: Decimal = Decimal(1)) -> Decimal | None:
    """A cost in USD as the provider said it, in units of so many USD, or None."""
    if type(value) is int:
        value = Decimal(value) * unit
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 <= value <= _COST_MAX:
        return None
    return value


def id_of(value: Any) -> str:
    """The provider's id of a call, cut to what is kept of it."""
    # PostgreSQL cannot keep a NUL.
    return value.replace("\0", "")[:_ID_LENGTH_MAX] if isinstance(value, str) else ""
