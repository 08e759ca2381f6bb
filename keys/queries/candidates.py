"""What an allocation chooses from."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from keys import books, statements
from keys.selection import Candidate


class Offer(NamedTuple):
    """What an allocation may choose from.

    `payers_free`: tokens free in the payers' token windows, None when unlimited.
    """

    candidates: list[Candidate]
    payers_free: int | None


def offer(*, payers: list[str], now: datetime) -> Offer:
    """Every API key with what is free on it at `now`; one query."""
    found = books.rows(statements.CANDIDATES, payers=payers, now=now)
    return Offer([Candidate(*row[:-1]) for row in found], found[0][-1] if found else None)


def lacking_windows(
    *, scopes: list[str], tokens: int, cost: Decimal, now: datetime
) -> list[dict[str, object]]:
    """Open windows of `scopes` without room for `tokens` (or `cost` USD), for people and programs.

    Numbers are tokens (int) or USD (decimal strings); `resets_at` is ISO 8601.
    """
    found = books.rows(statements.LACKING, scopes=scopes, tokens=tokens, cost=cost, now=now)
    return [
        {
            "window_id": pk,
            "limit": f"{scope} {unit} per {period}",
            "scope": scope,
            "unit": unit,
            "period": period,
            "amount": shown(amount, unit),
            "used": shown(used, unit),
            "committed": shown(committed, unit),
            "needed": shown(tokens if unit == "tokens" else cost, unit),
            "resets_at": None if period == "total" else ends_at.isoformat(),
        }
        for pk, scope, unit, period, amount, used, committed, ends_at in found
    ]


def shown(number: Decimal | int, unit: str) -> int | str:
    """An amount as JSON has it: tokens as a whole number, USD as a decimal string."""
    return int(number) if unit == "tokens" else format(Decimal(number), "f")
