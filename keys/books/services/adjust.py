"""Adjust settled charges: what a call really used became known after its settlement."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError

from common.statements import fetch
from keys.audit_actions import Action
from keys.books import sql, transactions
from keys.books.queries.charges import figures
from keys.books.services import after_settlement
from keys.books.services.usage import Usage
from keys.books.sql.spend import Spent
from keys.models import Adjustment, Charge
from keys.reasons import check_reason
from keys.refusals import (
    AdjustmentRefused,
    ChargeNotFound,
    ChargeNotSettled,
    IdempotencyMismatch,
    WrongValue,
)
from keys.supply.queries.prices import price_of
from security import audit
from security.actor import Actor

_COST_MAX = Decimal(10**9)


def adjust_charge(
    *,
    charge_id: int,
    usage: Usage,
    cost: Decimal | None = None,
    reason: str,
    actor: Actor,
    idempotency_key: str | None = None,
    now: datetime,
) -> tuple[Adjustment, bool]:
    """Correct a settled charge, so that it counts for `usage` and `cost` in USD.

    `cost` None: what the usage costs at the price of the charge. The difference moves in the
    allocation and in the windows in which the charge counts, closed ones too. Returns the
    adjustment and whether it was created: the same idempotency key is the same adjustment. A call
    that is settled late does not change an adjusted charge. Refusals: ChargeNotFound,
    ChargeNotSettled, IdempotencyMismatch, AdjustmentRefused, WrongValue.
    """
    check_reason(reason)
    usage.check()
    charge = Charge.objects.filter(pk=charge_id).select_related("allocation").first()
    if charge is None:
        raise ChargeNotFound(charge_id=str(charge_id))
    cost = _cost(charge, usage) if cost is None else cost
    _check(cost)
    try:
        adjustment, created, spent = _adjust(
            charge,
            {**usage.as_columns(), "cost": cost},
            reason=reason.strip()[:300],
            actor=actor,
            idempotency_key=idempotency_key,
            now=now,
        )
    except IntegrityError as error:
        if "window_commit_fits" in str(error):
            raise AdjustmentRefused(charge_id=charge_id) from None
        raise
    after_settlement.rotate_crossed(spent, now=now)
    return adjustment, created


def _cost(charge: Charge, usage: Usage) -> Decimal:
    at = charge.settled_at or charge.created_at
    usage = replace(usage, search_kind=usage.search_kind or charge.search_kind)
    return usage.cost(price_of(charge.price_id), service_tier=charge.service_tier, at=at)


def _check(cost: Decimal) -> None:
    if not 0 <= cost <= _COST_MAX or cost != round(cost, 9):
        raise WrongValue(
            f"Use a cost from 0 to {_COST_MAX:,} USD with at most 9 decimal places.", field="cost"
        )


@transactions.in_books
def _adjust(
    charge: Charge,
    wanted: dict[str, Any],
    *,
    reason: str,
    actor: Actor,
    idempotency_key: str | None,
    now: datetime,
) -> tuple[Adjustment, bool, list[Spent]]:
    books = transactions.lock(
        allocations=[charge.allocation_id], scopes=[f"key:{charge.api_key_id}"], now=now
    )
    charge.refresh_from_db(from_queryset=Charge.objects.select_related("allocation"))
    if charge.settled_at is None:
        raise ChargeNotSettled(charge_id=charge.pk, charge_status=charge.status)
    if idempotency_key and (earlier := _earlier(charge, idempotency_key, wanted)):
        return earlier, False, []
    before = figures(charge)
    if wanted == before:
        raise WrongValue("The charge already counts for these figures.", field="tokens")
    # From now on, a late settlement cannot change it.
    Charge.objects.filter(pk=charge.pk, hold_expired_at__isnull=False).update(hold_expired_at=None)
    adjustment = Adjustment.objects.create(
        charge=charge,
        allocation=charge.allocation,
        api_key_id=charge.api_key_id,
        model=charge.model,
        settled_at=charge.settled_at,
        **{name: wanted[name] - before[name] for name in wanted},
        reason=reason,
        adjusted_by=actor.name,
        idempotency_key=idempotency_key,
        created_at=books.at,
    )
    _record(adjustment, before, wanted, actor=actor)
    spent = fetch(sql.ADJUST, adjustment=adjustment.pk, at=books.at)
    return adjustment, True, after_settlement.follow(spent, at=books.at)


def _earlier(charge: Charge, idempotency_key: str, wanted: dict[str, Any]) -> Adjustment | None:
    earlier = charge.adjustments.filter(idempotency_key=idempotency_key).first()
    if earlier and figures(charge, until=earlier) != wanted:
        raise IdempotencyMismatch(charge_id=charge.pk)
    return earlier


def _record(
    adjustment: Adjustment, before: dict[str, Any], after: dict[str, Any], *, actor: Actor
) -> None:
    charge = adjustment.charge
    changed = [name for name in before if before[name] != after[name]]
    audit.record(
        actor=actor,
        action=Action.CHARGE_ADJUST,
        subject=f"charge:{charge.pk}",
        related=[
            f"session:{charge.allocation.session_id}",
            f"agent:{charge.allocation.agent_id}",
            f"key:{charge.api_key_id}",
        ],
        before=_plain(before, changed),
        after=_plain(after, changed),
        reason=adjustment.reason,
        at=adjustment.created_at,
    )


def _plain(figures: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: f"{figures[name]:f}" if name == "cost" else figures[name] for name in names}
