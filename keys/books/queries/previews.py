"""The API key that a request would get now. Nothing is written, and nothing stays locked."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import NamedTuple

from common.refusal import Refusal
from keys.books.queries.candidates import candidates
from keys.books.selection import Candidate
from keys.books.services.allocation_request import AllocationRequest
from keys.books.services.key_selection import Payers, decide, look, resolve_aliases
from keys.refusals import LimitReached, ModelNotFound, NoKeyCapacity, NotAllowed, ProviderNotFound
from keys.supply import pricing
from keys.supply.queries.prices import price_of


class Preview(NamedTuple):
    """The API key that a request would get, or the `refusal` that it would get instead."""

    key_id: str = ""
    provider: str = ""
    model: str = ""
    price_id: int | None = None
    refusal: Refusal | None = None

    def cost(self, tokens: int) -> Decimal | None:
        """The most that `tokens` can cost on the key, in USD; None if there is no key."""
        if self.price_id is None:
            return None
        return _cost(self.price_id, tokens)


@lru_cache(maxsize=1_000)
def _cost(price_id: int, tokens: int) -> Decimal:
    # A line of the price book never changes, so the cost can be cached.
    return pricing.bound(price_of(price_id).rates, tokens)


def previews(
    *, agent: str, requests: Iterable[AllocationRequest], now: datetime
) -> dict[AllocationRequest, Preview]:
    """The preview of each request as if it alone were granted now, as `services.allocate` decides.

    Equal requests are decided once. Refusals: those of `allocate` that no request could change
    (AgentNotFound, AgentDisabled, CostCentreNotFound, WrongValue).
    """
    payers: dict[str | None, Payers] = {}
    known = cache(candidates)
    by_request = {}
    for request in dict.fromkeys(requests):
        request.check()
        centre = request.cost_centre
        if centre not in payers:
            payers[centre] = look(agent=agent, cost_centre=centre, now=now).payers
        by_request[request] = _preview(request, payers[centre], known, now=now)
    return by_request


def _preview(
    request: AllocationRequest,
    payers: Payers,
    known: Callable[..., list[Candidate]],
    *,
    now: datetime,
) -> Preview:
    request = resolve_aliases(request, payers.allowed)
    try:
        chosen = decide(request=request, payers=payers, now=now, known=known).best
    except (LimitReached, NoKeyCapacity, NotAllowed, ModelNotFound, ProviderNotFound) as refusal:
        return Preview(refusal=refusal)
    model = next(iter(request.named_models), chosen.model)
    return Preview(chosen.slug, chosen.provider, model, chosen.price_id)
