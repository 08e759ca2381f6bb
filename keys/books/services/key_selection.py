"""Read the agent and the payers of a request, and choose the API key, or refuse with the reason."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from django.conf import settings

from common import links
from common.public_urls import absolute
from common.statements import fetch
from keys.books import selection, sql
from keys.books.queries.candidates import candidates, lacking_windows
from keys.books.services.allocation_request import AllocationRequest
from keys.identity.allow_lists import AllowLists
from keys.identity.queries.allow_lists import allow_list
from keys.models import Provider
from keys.refusals import (
    AgentDisabled,
    AgentNotFound,
    Alternative,
    CostCentreClosed,
    CostCentreNotFound,
    Frozen,
    LackingWindow,
    LimitReached,
    ModelNotFound,
    NoKeyCapacity,
    NotAllowed,
    ProviderNotFound,
)
from keys.supply import pricing
from keys.supply.queries.model_policies import ModelPolicies, is_served, model_policies
from keys.supply.queries.prices import price_of

# So many keys are named in a refusal.
_NAMED_MAX = 3


class Payers(NamedTuple):
    """The scopes that pay besides the key, what their windows have free (None: unlimited), and
    which models and providers they allow."""

    scopes: list[str]
    tokens_free: int | None
    usd_free: Decimal | None
    allowed: AllowLists


class Asker(NamedTuple):
    """The agent, who pays, and the id of the request's earlier allocation.

    `own_centre` is the agent's cost centre, `path` leads to the one that pays, the last of it.
    """

    agent: str
    own_centre: str
    path: list[str]
    payers: Payers
    earlier: int | None

    @property
    def cost_centre(self) -> str:
        """The cost centre that pays."""
        return self.path[-1]


def look(
    *, agent: str, cost_centre: str | None, idempotency_key: str | None = None, now: datetime
) -> Asker:
    """The agent that asks, and what its payers have free.

    Within a transaction, no other transaction can open windows until its end.

    Refusals: AgentNotFound, AgentDisabled, Frozen, CostCentreNotFound, CostCentreClosed.
    """
    rows = fetch(
        sql.LOOK,
        books_lock=sql.BOOKS_LOCK,
        agent=agent,
        idempotency_key=idempotency_key,
        cost_centre=cost_centre,
        now=now,
    )
    if not rows:
        raise AgentNotFound(agent=agent)
    (row,) = rows
    if row.closed:
        raise CostCentreClosed(cost_centre=row.closed)
    if row.disabled_at:
        raise AgentDisabled(agent=agent)
    if row.frozen:
        raise Frozen(scope=row.frozen)
    if cost_centre and (row.asked is None or row.own[-1] not in row.asked):
        raise CostCentreNotFound(
            cost_centre=cost_centre,
            own=row.own[-1],
        )
    allowed = AllowLists(tuple(allow_list(*each) for each in json.loads(row.allow_lists)))
    payers = Payers(row.payers, row.tokens_free, row.usd_free, allowed)
    return Asker(agent, row.own[-1], row.asked or row.own, payers, row.earlier)


def resolve_aliases(request: AllocationRequest, allowed: AllowLists) -> AllocationRequest:
    """The request with the models that its names mean: an alias counts where no key serves the
    name itself, or the payers do not allow it."""
    if not request.named_models:
        return request
    policies = model_policies()
    meant = [_meant(policies, name, allowed) for name in request.named_models]
    return replace(request, model=None, models=tuple(dict.fromkeys(meant)))


def _meant(policies: ModelPolicies, name: str, allowed: AllowLists) -> str:
    meaning = policies.meaning(name)
    if meaning is None or (allowed.allow_model(name) and is_served(name)):
        return name
    return meaning


def decide(
    *,
    request: AllocationRequest,
    payers: Payers,
    now: datetime,
    known: Callable[..., list[selection.Candidate]] = candidates,
) -> selection.Decision:
    """The decision, with a key chosen. Refusals: LimitReached, NoKeyCapacity, NotAllowed,
    ProviderNotFound, ModelNotFound."""
    check_payers(request, payers, now=now)
    every = partial(known, payers_usd=payers.usd_free, allowed=payers.allowed, now=now)

    def free(**about: Any) -> list[selection.Candidate]:
        return [key for key in every(**about) if key.provider not in request.without_providers]

    models = request.named_models
    decide_among = partial(_decide_among, request=request, payers=payers, now=now)
    serving = free(models=models)
    if len(models) < 2 or any(candidate.serves for candidate in serving):
        return decide_among(serving)
    # No key serves all: one for each model. The session is on that of the first, and what is set
    # aside is enough for the dearest.
    prices = [price_of(decide_among(free(models=(model,))).best.price_id) for model in models]
    dearest = max(prices, key=attrgetter("token_cost_max"))
    decision = decide_among(free(models=models[:1], token_cost=dearest.token_cost_max))
    best = decision.best._replace(price_id=dearest.pk)
    return replace(decision, chosen=best, ranking=[best, *decision.ranking[1:]])


def check_payers(request: AllocationRequest, payers: Payers, *, now: datetime) -> None:
    """Refuse a request for more tokens than the payers have free. Refusals: LimitReached."""
    if payers.tokens_free is not None and payers.tokens_free < request.tokens:
        raise _limit_reached(request, payers, cost=Decimal(0), now=now)


def _decide_among(
    known: list[selection.Candidate], *, request: AllocationRequest, payers: Payers, now: datetime
) -> selection.Decision:
    """As `decide`, with the candidates given and the payers already checked."""
    decision = _choose(_payable(known, request.tokens), request)
    if decision.chosen:
        return decision
    check_known(provider=request.provider, models=request.named_models)
    anything = [candidate._replace(excluded="") for candidate in known]
    if payers.allowed and _choose(_payable(anything, request.tokens), request).chosen:
        raise NotAllowed(allow_lists=list(payers.allowed.lists))
    if (unlimited := _choose(known, request)).chosen:
        price = price_of(unlimited.best.price_id)
        raise _limit_reached(
            request, payers, cost=pricing.bound(price.rates, request.tokens), now=now
        )
    raise _no_key_capacity(known, decision, request, now)


def _payable(known: list[selection.Candidate], tokens: int) -> list[selection.Candidate]:
    """The candidates, each with no more capacity than the payers' USD windows can pay for."""
    return [
        candidate
        if candidate.payable is None or candidate.payable >= tokens
        else candidate._replace(capacity=candidate.payable)
        for candidate in known
    ]


def _choose(known: list[selection.Candidate], request: AllocationRequest) -> selection.Decision:
    return selection.choose(
        known,
        tokens=request.tokens,
        provider=request.provider,
        wire_format=request.wire_format,
        free_min=settings.CANDIDATE_FREE_TOKENS_MIN,
    )


def _limit_reached(
    request: AllocationRequest, payers: Payers, *, cost: Decimal, now: datetime
) -> LimitReached:
    windows = lacking_windows(scopes=payers.scopes, tokens=request.tokens, cost=cost, now=now)
    return LimitReached(
        needed=request.tokens,
        windows=windows,
        next_reset=next_reset(windows),
        budget_requests=f"{settings.PUBLIC_URL}/api/v1/budget-requests",
        ask_page=absolute(_ask_page(windows)),
    )


def _ask_page(windows: list[LackingWindow]) -> str:
    """The page to ask for more beside the first limit that lacks room."""
    if not windows:
        return links.url("budgets")
    first = windows[0]
    return links.url(
        "ask_budget",
        scope=first.scope,
        unit=first.unit,
        period=first.period,
        needed=format(Decimal(first.needed).normalize(), "f"),
    )


def _no_key_capacity(
    known: list[selection.Candidate],
    decision: selection.Decision,
    request: AllocationRequest,
    now: datetime,
) -> NoKeyCapacity:
    looked_at = [key for key in known if request.provider in (None, key.provider)] or known
    # A key must have more than this minimum free to be a candidate.
    free_min = settings.CANDIDATE_FREE_TOKENS_MIN
    least = max((selection.least_free(free_min, key) for key in looked_at), default=0)
    tokens = max(request.tokens, least + 1)
    windows = lacking_windows(
        scopes=[f"key:{key.slug}" for key in looked_at],
        tokens=tokens,
        cost=_least_cost(looked_at, tokens),
        now=now,
    )
    return NoKeyCapacity(
        needed=request.tokens,
        windows=windows,
        alternatives=[
            Alternative(key.slug, key.provider, key.capacity) for key in decision.alternatives
        ],
        next_reset=next_reset(windows),
        not_active=_not_active(known),
    )


def _not_active(keys: list[selection.Candidate]) -> list[str]:
    """What the first of the keys are that could serve the request, if none of them is active."""
    able = sorted(key for key in keys if key.serves and not key.excluded)
    if any(key.status == selection.ACTIVE for key in able):
        return []
    more = len(able) - _NAMED_MAX
    named = [f"{key.slug} is {key.status}" for key in able[:_NAMED_MAX]]
    return [*named, f"and {more:,} more"] if more > 0 else named


def _least_cost(keys: list[selection.Candidate], tokens: int) -> Decimal:
    """What the tokens may cost on the cheapest of the keys that can be chosen."""
    able = [key for key in keys if key.serves and key.status == selection.ACTIVE]
    if not able:
        return Decimal(0)
    cheapest = min(able, key=attrgetter("cost"))
    return pricing.bound(price_of(cheapest.price_id).rates, tokens)


def next_reset(windows: list[LackingWindow]) -> datetime | None:
    """The first reset of one of these windows; None when none of them resets."""
    return min((window.resets_at for window in windows if window.resets_at), default=None)


def check_known(*, provider: str | None, models: Sequence[str]) -> None:
    """Refuse an unknown provider or model. Refusals: ProviderNotFound, ModelNotFound."""
    if provider and not Provider.objects.filter(slug=provider).exists():
        raise ProviderNotFound(provider=provider)
    for model in models:
        if not is_served(model):
            raise ModelNotFound(model=model)
