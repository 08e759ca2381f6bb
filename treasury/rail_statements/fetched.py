"""Statements that Butler fetches: a vendor's answers as they came, in one object.

    {"since": "2026-11-02", "until": "2026-11-03", "currency": "USD",
     "balance": <what is on the account>, "pages": [<what moved since then>, …]}

The balance is that of now or, if the vendor tells it, that of the end of the last day. The pages
have all that moved from the first day through its moment, so they tell what was on the account
before that day.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from common.file_text import UnreadableError
from treasury.rail_statements.movements import Movement, Part

JSON = dict[str, Any]


class Told(NamedTuple):
    """What a vendor tells: `balance` and each of `pages` is an answer."""

    since: date
    until: date
    currency: str
    balance: JSON
    pages: Sequence[JSON]


class Moved(NamedTuple):
    """What one movement of a vendor comes down to: lines of its day, whose sum is `net`."""

    day: date
    net: Decimal
    movements: Sequence[Movement]


def pack(
    since: date, until: date, currency: str, *, balance: bytes, pages: Iterable[bytes]
) -> bytes:
    """The answers as one object, each as it came."""
    about = json.dumps({"since": f"{since}", "until": f"{until}", "currency": currency})
    return b'%s, "balance": %s, "pages": [%s]}' % (
        about.removesuffix("}").encode(),
        balance,
        b", ".join(pages),
    )


def unpack(
    content: bytes,
    *,
    balance: Callable[[Told], Decimal],
    moved: Callable[[Told], list[Moved]],
) -> list[Part]:
    """The statement of its days; what moved later only leads back to its balances. `moved` gives
    the movements, the oldest first. Errors: UnreadableError."""
    try:
        told = json.loads(content, parse_float=Decimal)
        since, until = (date.fromisoformat(told[name]) for name in ("since", "until"))
        about = Told(since, until, told["currency"], told["balance"], told["pages"])
        now, rows = balance(about), moved(about)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UnreadableError(f"What the vendor tells is not understood: {error!r}.") from None
    opening = now - sum((row.net for row in rows if row.day >= since), Decimal(0))
    movements = [each for row in rows if since <= row.day <= until for each in row.movements]
    return [
        Part(
            where="The statement",
            account="",
            currency=about.currency,
            opened_on=None,
            closed_on=until,
            opening=opening,
            closing=opening + sum((each.amount for each in movements), Decimal(0)),
            movements=movements,
            since=since,
        )
    ]
