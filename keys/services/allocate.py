"""Lend token budgets."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from django.conf import settings
from django.db import IntegrityError
from psycopg.types.json import Jsonb

from keys import books, pricing, selection, statements
from keys.models import Allocation, ApiKey, Price, Provider
from keys.queries.candidates import Offer, lacking_windows, offer
from keys.refusals import (
    AgentDisabled,
    Busy,
    IdempotencyMismatch,
    LimitReached,
    NoKeyCapacity,
    UnknownAgent,
    UnknownCostCentre,
    UnknownModel,
    UnknownProvider,
    WrongValue,
)

_ATTEMPTS = 100


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for. `tokens` > 0; `ttl_seconds` until it expires unless extended."""

    tokens: int
    provider: str | None = None
    model: str | None = None
    cost_centre: str | None = None
    ttl_seconds: int = field(default_factory=lambda: settings.ALLOCATION_TTL_SECONDS)
    auto_rotate: bool = True

    def check(self) -> None:
        """Refusals: WrongValue."""
        if not 0 < self.tokens <= 10**12:
            raise WrongValue("tokens must be from 1 to 1,000,000,000,000.", field="tokens")
        if not 0 < self.ttl_seconds <= settings.ALLOCATION_TTL_SECONDS_MAX:
            raise WrongValue(
                f"ttl_seconds must be from 1 to {settings.ALLOCATION_TTL_SECONDS_MAX}.",
                field="ttl_seconds",
            )

    def as_json(self) -> dict[str, object]:
        """The request, to compare a repeated one with."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def allocate(
    *, agent: str, wish: Wish, idempotency_key: str | None = None, now: datetime
) -> Allocation:
    """Lend `agent` (its slug) a token budget on the best API key.

    It is committed in all windows of the key, the agent and the cost centre with its ancestors, or
    in none. The same idempotency key is the same allocation. Refusals: NoKeyCapacity (with the
    windows that lack, alternatives and the next reset), LimitReached, IdempotencyMismatch,
    UnknownAgent, AgentDisabled, UnknownProvider, UnknownModel, UnknownCostCentre, WrongValue, Busy.
    """
    wish.check()
    for _ in range(_ATTEMPTS):
        try:
            allocation = _try_to_allocate(
                agent=agent, wish=wish, idempotency_key=idempotency_key, now=now
            )
        except IntegrityError as error:
            # The same request at the same time: the next look finds the allocation it made.
            if "allocation_once_per_idempotency_key" not in str(error):
                raise
            continue
        if allocation:
            return allocation
    raise Busy("Others took the room each time it was found. Ask again.")


@books.in_books
def _try_to_allocate(*, agent, wish, idempotency_key, now) -> Allocation | None:
    """One look and one conditional commitment; None when somebody else took the room between."""
    earlier, payers, cost_centre = _look(agent, wish, idempotency_key)
    if earlier:
        return _same(Allocation.objects.get(pk=earlier), wish)
    choices = offer(payers=payers, now=now)
    decision = _decide(choices, wish=wish, payers=payers, now=now)
    row = _row(decision.chosen, choices.price_ids, wish, now) | {
        "agent": agent,
        "cost_centre": cost_centre,
        "payers": payers,
        "idempotency_key": idempotency_key,
        "provider_expanded": decision.provider_expanded,
    }
    return _commit(row, decision=decision, now=now)


def _look(agent, wish, idempotency_key):
    found = books.rows(
        statements.LOOK,
        books_lock=statements.BOOKS_LOCK,
        agent=agent,
        idempotency_key=idempotency_key,
        cost_centre=wish.cost_centre,
    )
    if not found:
        raise UnknownAgent(f"There is no agent {agent}.", agent=agent)
    _, earlier, disabled_at, own, asked = found[0]
    if disabled_at:
        raise AgentDisabled(f"The agent {agent} was switched off.", agent=agent)
    if wish.cost_centre and (asked is None or own[-1] not in asked):
        raise UnknownCostCentre(
            f"{wish.cost_centre} is no cost centre of this agent: it may use {own[-1]} and those "
            "below it.",
            cost_centre=wish.cost_centre,
        )
    path = asked or own
    return earlier, [f"agent:{agent}", *(f"centre:{slug}" for slug in path)], path[-1]


def _same(allocation: Allocation, wish: Wish) -> Allocation:
    if allocation.asked != wish.as_json():
        raise IdempotencyMismatch(
            "This idempotency key was used for another request.",
            session_id=allocation.session_id,
        )
    return allocation


def _decide(choices: Offer, *, wish: Wish, payers: list[str], now) -> selection.Decision:
    if choices.payers_free is not None and choices.payers_free < wish.tokens:
        raise _limit_reached(wish, payers, cost=Decimal(0), now=now)
    decision = _choose(_payable(choices, wish.tokens), wish)
    if decision.chosen:
        return decision
    _check_known(wish)
    if (unlimited := _choose(choices.candidates, wish)).chosen:
        price = price_of(choices.price_ids[unlimited.chosen.slug])
        raise _limit_reached(wish, payers, cost=pricing.bound(price.rates, wish.tokens), now=now)
    raise _no_key_capacity(choices, decision, wish, now)


def _payable(choices: Offer, tokens: int) -> list[selection.Candidate]:
    """The candidates, each with no more capacity than the payers' USD windows can pay for."""
    if all(payable >= tokens for payable in choices.payers_usd_tokens.values()):
        return choices.candidates
    payable = choices.payers_usd_tokens
    return [
        replace(candidate, capacity=payable[candidate.slug])
        if payable.get(candidate.slug, tokens) < tokens
        else candidate
        for candidate in choices.candidates
    ]


def _choose(candidates, wish: Wish) -> selection.Decision:
    return selection.choose(
        candidates,
        tokens=wish.tokens,
        provider=wish.provider,
        model=wish.model,
        free_min=settings.CANDIDATE_FREE_TOKENS_MIN,
    )


def _limit_reached(wish: Wish, payers, *, cost, now) -> LimitReached:
    windows = lacking_windows(scopes=payers, tokens=wish.tokens, cost=cost, now=now)
    return LimitReached(
        "A limit of the agent or its cost centre has no room for this.",
        needed=wish.tokens,
        windows=windows,
        next_reset=next_reset(windows),
    )


def _no_key_capacity(choices: Offer, decision, wish: Wish, now) -> NoKeyCapacity:
    preferred = [c for c in choices.candidates if wish.provider in (None, c.provider)]
    windows = lacking_windows(
        scopes=[f"key:{candidate.slug}" for candidate in preferred or choices.candidates],
        # A key with no more than the minimum free is no candidate either.
        tokens=max(wish.tokens, settings.CANDIDATE_FREE_TOKENS_MIN + 1),
        cost=Decimal(0),
        now=now,
    )
    return NoKeyCapacity(
        f"No API key has room for {wish.tokens:,} tokens.",
        needed=wish.tokens,
        windows=windows,
        alternatives=[
            {"key_id": key.slug, "provider": key.provider, "capacity": key.capacity}
            for key in decision.alternatives
        ],
        next_reset=next_reset(windows),
    )


def next_reset(windows: list[dict[str, object]]) -> str | None:
    """The first moment one of these windows begins anew, ISO 8601."""
    return min((w["resets_at"] for w in windows if w["resets_at"]), default=None)


def _check_known(wish: Wish) -> None:
    if wish.provider and not Provider.objects.filter(slug=wish.provider).exists():
        raise UnknownProvider(f"There is no provider {wish.provider}.", provider=wish.provider)
    if wish.model and not ApiKey.objects.filter(model=wish.model).exists():
        raise UnknownModel(f"No API key has the model {wish.model}.", model=wish.model)


def _row(chosen: selection.Candidate, price_ids, wish: Wish, now) -> dict[str, object]:
    price = price_of(price_ids[chosen.slug])
    return {
        "session_id": f"ses-{secrets.token_hex(12)}",
        "api_key": chosen.slug,
        "price": price.pk,
        "tokens": wish.tokens,
        "cost": pricing.bound(price.rates, wish.tokens),
        "token_cost_max": price.token_cost_max,
        "rotation_threshold": threshold(wish.tokens),
        "auto_rotate": wish.auto_rotate,
        "asked": Jsonb(wish.as_json()),
        "now": now,
        "expires_at": now + timedelta(seconds=wish.ttl_seconds),
    }


def threshold(tokens: int) -> int:
    """Tokens used at which an allocation of `tokens` should rotate, rounded up."""
    return -(-tokens * settings.ROTATION_THRESHOLD_PERCENT // 100)


def _commit(row, *, decision, now) -> Allocation | None:
    ((at, current, fits, pk),) = books.rows(
        statements.ALLOCATE,
        **row,
        scopes=[f"key:{row['api_key']}", *row["payers"]],
        verdicts=Jsonb(selection.to_json(decision)),
        who=f"agent:{row['agent']}",
        after=Jsonb({"key_id": row["api_key"], "allocated": row["tokens"]}),
    )
    if not current:
        raise books.OverWindows([f"key:{row['api_key']}", *row["payers"]], at)
    return Allocation.objects.get(pk=pk) if fits else None


@lru_cache(maxsize=10_000)
def price_of(price_id: int) -> Price:
    """A line of the price book; kept in memory, since lines are never changed."""
    return Price.objects.get(pk=price_id)
