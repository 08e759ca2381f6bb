"""The most that could ever be lent at once, when nothing is used or committed."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Min

from common.refusal import Refusal
from keys.books.queries.candidates import candidates
from keys.books.services.allocation_request import AllocationRequest
from keys.models import ApiKey, Limit
from keys.refusals import LimitReached, NoKeyCapacity
from keys.supply.queries.prices import price_of


class NeverLendable(NamedTuple):
    """Why a request can never be granted: `limit` has the amount in words, `most` in tokens (None
    for a limit in USD)."""

    limit: str
    most: int | None


def never_lendable(
    request: AllocationRequest, refusal: Refusal | None, *, now: datetime
) -> NeverLendable | None:
    """Why a request that was refused could not be granted either if nothing were used; else None.

    Only for refusals for lack of room; two queries at most.
    """
    if isinstance(refusal, LimitReached):
        for window in refusal.windows:
            if window.needed > window.amount:
                most = int(window.amount) if window.unit == "tokens" else None
                return NeverLendable(f"{window.limit} is {_words(window.amount)}", most)
    if isinstance(refusal, NoKeyCapacity):
        return _no_key_ever(request, now=now)
    return None


def _words(amount: int | Decimal) -> str:
    return f"{amount:,}" if isinstance(amount, int) else f"{amount.normalize():,f}"


def _no_key_ever(request: AllocationRequest, *, now: datetime) -> NeverLendable | None:
    limits = _limits_of_keys()
    most = -1
    for candidate in candidates(models=request.named_models, payers_usd=None, now=now):
        if not candidate.serves or candidate.excluded or candidate.status == _SWITCHED_OFF:
            continue
        able = _most_of(limits.get(candidate.slug, {}), candidate.price_id)
        if able is None or able >= request.tokens:
            return None
        most = max(most, able)
    if most < 0:
        # No key could serve at all, which the budget cannot change.
        return None
    return NeverLendable(f"the largest API key can lend {most:,} tokens", most)


_SWITCHED_OFF = ApiKey.Status.INACTIVE


def _limits_of_keys() -> dict[str, dict[str, Decimal]]:
    rows = Limit.objects.filter(removed_at=None, api_key__isnull=False).order_by()
    found: dict[str, dict[str, Decimal]] = {}
    for key, unit, amount in rows.values_list("api_key", "unit").annotate(Min("amount")):
        found.setdefault(key, {})[unit] = amount
    return found


def _most_of(limits: dict[str, Decimal], price_id: int) -> int | None:
    """The tokens that the limits of a key allow at once; None without any."""
    able = [int(limits["tokens"])] if "tokens" in limits else []
    if "usd" in limits and (cost := price_of(price_id).token_cost_max) > 0:
        able.append(int(limits["usd"] / cost))
    return min(able, default=None)
