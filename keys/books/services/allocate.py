"""Allocate: lend a token budget to a session."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from psycopg.types.json import Jsonb

from common.ids import random_id
from common.refusal import Refusal
from common.statements import Step, fetch, instance
from keys.books import selection, sql, transactions
from keys.books.services.allocation_request import AllocationRequest
from keys.books.services.key_selection import Asker, decide, look, resolve_aliases
from keys.limits.services.windows import scopes_to_carry_over
from keys.models import Allocation, ModelMismatch
from keys.refusals import (
    Busy,
    IdempotencyMismatch,
    LimitReached,
    NoKeyCapacity,
    NoRoom,
    NotAllowed,
)
from keys.supply import pricing
from keys.supply.queries.prices import price_of
from security import audit
from security.actor import Actor

_ATTEMPTS = 100


def allocate(
    *,
    agent: str,
    request: AllocationRequest,
    idempotency_key: str | None = None,
    session_id: str | None = None,
    lend_by: Step | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[Allocation, bool]:
    """Lend `agent` (its slug) a token budget on the best API key.

    It is committed in all windows of the key, the agent and the cost centre with its ancestors, or
    in none. Returns the allocation and whether it was created: the same idempotency key is the same
    allocation. `session_id` names its session (1 to 64 of A-Z a-z 0-9 . _ -, never used for another
    request); without it the name is random. `lend_by`: a statement of `allocate_and` that writes
    more beside the allocation, and the parameters of that.

    Refusals: NoKeyCapacity (with the windows that lack, alternatives and the next reset),
    LimitReached, NotAllowed, IdempotencyMismatch, AgentNotFound, AgentDisabled, Frozen,
    ProviderNotFound, ModelNotFound, CostCentreNotFound, CostCentreClosed, WrongValue, Busy.
    """
    request.check()
    for _ in range(_ATTEMPTS):
        try:
            outcome = _try_to_allocate(
                agent=agent,
                request=request,
                idempotency_key=idempotency_key,
                session_id=session_id or random_id("ses-"),
                lend_by=lend_by or (sql.ALLOCATE, {}),
                actor=actor,
                now=now,
            )
        except IntegrityError as error:
            # The same request ran at the same time: the next attempt finds its allocation.
            if idempotency_key is None or not any(name in str(error) for name in _ONCE):
                raise
            continue
        if isinstance(outcome, Refusal):
            raise outcome
        if outcome:
            return outcome
    raise Busy()


# A session id given by the caller identifies the request as its idempotency key does.
_ONCE = ("allocation_once_per_idempotency_key", "keys_allocation_session_id_key")


@transactions.in_books
def _try_to_allocate(
    *,
    agent: str,
    request: AllocationRequest,
    idempotency_key: str | None,
    session_id: str,
    lend_by: Step,
    actor: Actor,
    now: datetime,
) -> tuple[Allocation, bool] | Refusal | None:
    """Read, choose and commit once; None when a concurrent request took the room in between.

    A refusal is returned, not raised: nothing was written, and a ROLLBACK would make psycopg
    discard its prepared statements, so that a refusal would cost more than an allocation.
    """
    asker = _look(agent, request, idempotency_key, now)
    if asker.earlier:
        return _check_same_request(Allocation.objects.get(pk=asker.earlier), request), False
    meant = resolve_aliases(request, asker.payers.allowed)
    try:
        decision = decide(request=meant, payers=asker.payers, now=now)
    except (LimitReached, NoKeyCapacity, NotAllowed) as refusal:
        # The same request may have taken the missing room since it was read.
        earlier = _look(agent, request, idempotency_key, now).earlier if idempotency_key else None
        if earlier:
            return _check_same_request(Allocation.objects.get(pk=earlier), request), False
        _open_windows_first(refusal, now)
        return refusal
    new = _new_allocation(meant, asker, idempotency_key=idempotency_key, decision=decision, now=now)
    new.session_id, new.asked = session_id, request.as_json()
    verdicts = selection.to_json(decision)
    lent = _commit(new, asker, verdicts=verdicts, lend_by=lend_by, actor=actor)
    return (lent, True) if lent else None


def _open_windows_first(refusal: Refusal, now: datetime) -> None:
    """Raise OverWindows where the refusal may lack what the next windows get by carry-over."""
    windows = refusal.windows if isinstance(refusal, NoRoom) else []
    is_over = any(window.resets_at and window.resets_at <= now for window in windows)
    if is_over and (scopes := scopes_to_carry_over(now=now)):
        raise transactions.OverWindows(scopes, now)


def _look(
    agent: str, request: AllocationRequest, idempotency_key: str | None, now: datetime
) -> Asker:
    return look(
        agent=agent, cost_centre=request.cost_centre, idempotency_key=idempotency_key, now=now
    )


def _check_same_request(allocation: Allocation, request: AllocationRequest) -> Allocation:
    if not request.same_as(allocation.asked):
        raise IdempotencyMismatch(
            session_id=allocation.session_id,
        )
    return allocation


def _new_allocation(
    request: AllocationRequest,
    asker: Asker,
    *,
    idempotency_key: str | None,
    decision: selection.Decision,
    now: datetime,
) -> Allocation:
    """The allocation that the request gets, not saved yet."""
    price = price_of(decision.best.price_id)
    return Allocation(
        agent_id=asker.agent,
        cost_centre_id=asker.cost_centre,
        payers=asker.payers.scopes,
        api_key_id=decision.best.slug,
        price_id=price.pk,
        allocated=request.tokens,
        allocated_cost=pricing.bound(price.rates, request.tokens),
        token_cost_max=price.token_cost_max,
        rotation_threshold=threshold(request.tokens),
        auto_rotate=request.auto_rotate,
        wire_format=request.wire_format or "",
        refusal_status=request.refusal_status,
        named_models=list(request.named_models),
        model_mismatch=request.model_mismatch or ModelMismatch.SERVE,
        provider_expanded=decision.provider_expanded,
        label=request.label,
        idempotency_key=idempotency_key,
        created_at=now,
        expires_at=now + timedelta(seconds=request.ttl_seconds),
    )


def threshold(tokens: int) -> int:
    """The number of used tokens at which an allocation of `tokens` should rotate, rounded up."""
    return -(-tokens * settings.ROTATION_THRESHOLD_PERCENT // 100)


def _commit(
    new: Allocation, asker: Asker, *, verdicts: dict[str, Any], lend_by: Step, actor: Actor
) -> Allocation | None:
    statement, more = lend_by
    values = {
        "own_centre": asker.own_centre,
        "path": asker.path,
        **{column: getattr(new, column) for column in _COLUMNS},
        "scopes": new.scopes,
        "asked": Jsonb(new.asked),
        "verdicts": Jsonb(verdicts),
        **audit.sql_actor(actor),
        "after": Jsonb({"key_id": new.api_key_id, "allocated": new.allocated}),
    }
    [row] = fetch(statement, **values, **more)
    verdict, written = sql.split_lent_row(row)
    if not verdict.current:
        raise transactions.OverWindows(new.scopes, verdict.at)
    if not verdict.fits:
        return None
    return instance(Allocation, written)


_COLUMNS = (
    "session_id",
    "agent_id",
    "cost_centre_id",
    "payers",
    "api_key_id",
    "price_id",
    "allocated",
    "allocated_cost",
    "token_cost_max",
    "rotation_threshold",
    "auto_rotate",
    "wire_format",
    "refusal_status",
    "named_models",
    "model_mismatch",
    "provider_expanded",
    "label",
    "idempotency_key",
    "created_at",
    "expires_at",
)
