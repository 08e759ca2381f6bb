"""What an allocation chooses from."""

from datetime import datetime
from decimal import Decimal

from common.statements import fetch
from keys.books import sql
from keys.books.selection import Candidate


def candidates(*, payers_usd: Decimal | None, now: datetime) -> list[Candidate]:
    """Every API key with what is free on it at `now`; one query.

    `payers_usd`: what the payers' limits in USD have free, None when unlimited.
    """
    return fetch(sql.CANDIDATES, payers_usd=payers_usd, now=now)


def lacking_windows(
    *, scopes: list[str], tokens: int, cost: Decimal, now: datetime
) -> list[dict[str, object]]:
    """Open windows of `scopes` without room for `tokens` (or `cost` USD), for people and programs.

    Numbers are tokens (int) or USD (decimal strings); `resets_at` is ISO 8601.
    """
    found = fetch(sql.LACKING, scopes=scopes, tokens=tokens, cost=cost, now=now)
    return [
        {
            "window_id": window.window_id,
            "limit": f"{window.scope} {window.unit} per {window.period}",
            "scope": window.scope,
            "unit": window.unit,
            "period": window.period,
            "amount": shown(window.amount, window.unit),
            "used": shown(window.used, window.unit),
            "committed": shown(window.committed, window.unit),
            "needed": shown(tokens if window.unit == "tokens" else cost, window.unit),
            "resets_at": None if window.period == "total" else window.ends_at.isoformat(),
        }
        for window in found
    ]


def shown(number: Decimal | int, unit: str) -> int | str:
    """An amount as JSON has it: tokens as a whole number, USD as a decimal string."""
    return int(number) if unit == "tokens" else format(Decimal(number), "f")
