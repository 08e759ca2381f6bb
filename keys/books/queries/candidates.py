"""The API keys among which an allocation chooses, and the windows that lack room."""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

from common.statements import fetch
from keys.books import selection, sql
from keys.books.selection import Candidate
from keys.identity.allow_lists import ALL_ALLOWED, AllowLists
from keys.refusals import LackingWindow


def candidates(
    *,
    models: Sequence[str] = (),
    token_cost: Decimal = Decimal(0),
    payers_usd: Decimal | None,
    allowed: AllowLists = ALL_ALLOWED,
    now: datetime,
) -> list[Candidate]:
    """Every API key with the tokens free on it at `now`; one query.

    `models`: the models that it should serve, all of them. `token_cost`: the least that a token
    counts in USD limits, regardless of the key's price. `payers_usd`: the USD free in the payers'
    limits, None when unlimited. `allowed`: what the payers allow.
    """
    return fetch(
        sql.CANDIDATES,
        models=sorted({model.lower() for model in models}),
        token_cost=token_cost,
        payers_usd=payers_usd,
        allowed_models=allowed.models,
        allowed_providers=allowed.providers,
        now=now,
    )


def guest_key(
    model: str, *, wire_format: str, avoid: Collection[str], allowed: AllowLists, now: datetime
) -> str | None:
    """The best API key that serves `model` and is none of `avoid`: for a call of a session that is
    on another key."""
    known = candidates(models=[model], payers_usd=None, allowed=allowed, now=now)
    others = [c for c in known if c.slug not in avoid]
    decision = selection.choose(others, tokens=1, wire_format=wire_format or None, free_min=0)
    return decision.chosen.slug if decision.chosen else None


def served_prices(key: str, models: Sequence[str]) -> dict[str, int]:
    """Those of `models` that the key serves, each with the line of the price book that it has."""
    if not models:
        return {}
    wished = {model.lower(): model for model in models}
    rows = fetch(sql.SERVED_BY_KEY, models=sorted(wished), key=key)
    return {wished[row.model]: row.price_id for row in rows}


def lacking_windows(
    *, scopes: list[str], tokens: int, cost: Decimal, now: datetime
) -> list[LackingWindow]:
    """Open windows of `scopes` without room for `tokens` (or `cost` USD), the first reset first."""
    rows = fetch(sql.LACKING, scopes=scopes, tokens=tokens, cost=cost, now=now)
    return [
        LackingWindow(
            window_id=window.window_id,
            limit=f"{window.scope} {window.unit} per {window.period}",
            scope=window.scope,
            unit=window.unit,
            period=window.period,
            amount=_amount(window.amount, window.unit),
            used=_amount(window.used, window.unit),
            committed=_amount(window.committed, window.unit),
            carried=_amount(window.carried, window.unit),
            needed=_amount(tokens if window.unit == "tokens" else cost, window.unit),
            resets_at=None if window.period == "total" else window.ends_at,
        )
        for window in rows
    ]


def _amount(number: Decimal | int, unit: str) -> int | Decimal:
    """Tokens as a whole number, USD as a decimal."""
    return int(number) if unit == "tokens" else Decimal(number)
