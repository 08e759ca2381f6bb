"""The most that could ever be lent at once, when nothing is used or committed."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from common.refusal import Refusal
from keys.books.queries.candidates import candidates
from keys.books.selection import Candidate
from keys.books.services.allocation_request import AllocationRequest
from keys.models import ApiKey, Window
from keys.refusals import LackingWindow, LimitReached, NoKeyCapacity
from keys.supply.queries.prices import price_of

_SWITCHED_OFF = ApiKey.Status.INACTIVE
_TOTAL = "total"


class NeverLendable(NamedTuple):
    """Why a request can never be granted: `limit` has the amount in words, `most` the tokens that
    can be lent at once."""

    limit: str
    most: int


def never_lendable(
    request: AllocationRequest, refusal: Refusal | None, *, now: datetime
) -> NeverLendable | None:
    """Why a request that was refused could not be granted either if nothing were used in limits
    that reset; else None. What was used of a limit in total is gone for good.

    Only for refusals for lack of room; two queries at most.
    """
    if isinstance(refusal, LimitReached):
        return _no_limit_ever(request, refusal.windows, now=now)
    if isinstance(refusal, NoKeyCapacity):
        return _no_key_ever(request, now=now)
    return None


def _no_limit_ever(
    request: AllocationRequest, windows: Iterable[LackingWindow], *, now: datetime
) -> NeverLendable | None:
    found = [each for window in windows if (each := _beyond(request, window, now=now))]
    return min(found, key=lambda each: each.most, default=None)


def _beyond(
    request: AllocationRequest, window: LackingWindow, *, now: datetime
) -> NeverLendable | None:
    """The window, if it has no room for the request after a reset either."""
    gone = window.used if window.period == _TOTAL else 0
    room = max(Decimal(window.amount) - gone, Decimal(0))
    most = int(room)
    if window.unit == "usd":
        # A cheaper key may have no room only now.
        costs = [price_of(key.price_id).token_cost_max for key in _able(request, now=now)]
        if not (cost := min(costs, default=Decimal(0))):
            return None
        most = int(room / cost)
    if most >= request.tokens:
        return None
    limit = f"{window.limit} is {_words(window.amount)}"
    return NeverLendable(f"{limit}, of which {_words(gone)} are used" if gone else limit, most)


def _words(amount: int | Decimal) -> str:
    return f"{amount:,}" if isinstance(amount, int) else f"{amount.normalize():,f}"


def _no_key_ever(request: AllocationRequest, *, now: datetime) -> NeverLendable | None:
    limits = _limits_of_keys()
    most = -1
    for candidate in _able(request, now=now):
        able = _most_of(limits.get(candidate.slug, {}), candidate.price_id)
        if able is None or able >= request.tokens:
            return None
        most = max(most, able)
    if most < 0:
        # No key could serve at all, which the budget cannot change.
        return None
    return NeverLendable(f"the largest API key can lend {most:,} tokens", most)


def _able(request: AllocationRequest, *, now: datetime) -> list[Candidate]:
    """The keys that could serve the request: those of its provider, if it has any."""
    formats = ("", request.wire_format)
    able = [
        key
        for key in candidates(models=request.named_models, payers_usd=None, now=now)
        if key.serves and not key.excluded and key.status != _SWITCHED_OFF
        if not request.wire_format or key.wire_format in formats
    ]
    return [key for key in able if key.provider == request.provider] or able


def _limits_of_keys() -> dict[str, dict[str, Decimal]]:
    """What each key could lend if nothing were used, by its name and the unit."""
    of_keys = Window.objects.filter(
        closed_at=None, limit__removed_at=None, limit__api_key__isnull=False
    )
    rows = of_keys.order_by().values_list(
        "limit__api_key", "unit", "limit__period", "limit__amount", "used"
    )
    found: dict[str, dict[str, Decimal]] = {}
    for key, unit, period, amount, used in rows:
        room = max(amount - used, Decimal(0)) if period == _TOTAL else amount
        units = found.setdefault(key, {})
        units[unit] = min(units.get(unit, room), room)
    return found


def _most_of(limits: dict[str, Decimal], price_id: int) -> int | None:
    """The tokens that the limits of a key allow at once; None without any."""
    able = [int(limits["tokens"])] if "tokens" in limits else []
    if "usd" in limits and (cost := price_of(price_id).token_cost_max) > 0:
        able.append(int(limits["usd"] / cost))
    return min(able, default=None)
