"""What an allocation chooses from."""

from datetime import datetime
from decimal import Decimal

from keys import database
from keys.books import sql
from keys.books.selection import Candidate


def candidates(*, payers_usd: Decimal | None, now: datetime) -> list[Candidate]:
    """Every API key with what is free on it at `now`; one query.

    `payers_usd`: what the payers' limits in USD have free, None when unlimited.
    """
    found = database.rows(sql.CANDIDATES, payers_usd=payers_usd, now=now)
    return [Candidate._make(row) for row in found]


def lacking_windows(
    *, scopes: list[str], tokens: int, cost: Decimal, now: datetime
) -> list[dict[str, object]]:
    """Open windows of `scopes` without room for `tokens` (or `cost` USD), for people and programs.

    Numbers are tokens (int) or USD (decimal strings); `resets_at` is ISO 8601.
    """
    found = database.rows(sql.LACKING, scopes=scopes, tokens=tokens, cost=cost, now=now)
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
