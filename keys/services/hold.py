"""Set aside before a call."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError

from keys import books, statements
from keys.models import Allocation, Charge
from keys.refusals import (
    AllocationClosed,
    AllocationTooSmall,
    IdempotencyMismatch,
    UnknownAllocation,
    WrongValue,
)


def hold(
    *,
    allocation_id: int,
    tokens: int,
    idempotency_key: str,
    model: str = "",
    ttl_seconds: int | None = None,
    now: datetime,
) -> Charge:
    """Set aside `tokens`, the most a call can use, until it is settled or the hold expires.

    One statement, which is its own transaction. The same idempotency key is the same charge.
    Refusals: AllocationTooSmall, AllocationClosed, UnknownAllocation, IdempotencyMismatch,
    WrongValue.
    """
    if tokens < 0:
        raise WrongValue("A hold is zero tokens or more.", field="tokens")
    charge = Charge(
        allocation_id=allocation_id,
        model=model,
        idempotency_key=idempotency_key,
        held_tokens=tokens,
        created_at=now,
        expires_at=now + timedelta(seconds=ttl_seconds or settings.HOLD_SECONDS),
    )
    try:
        held = _set_aside(charge)
    except IntegrityError as error:
        if "charge_once_per_idempotency_key" not in str(error):
            raise
        return _same(allocation_id, idempotency_key, tokens)
    if not held:
        return _same_or_refuse(allocation_id, idempotency_key, tokens, now)
    ((charge.pk, charge.api_key_id, charge.price_id, charge.held_cost),) = held
    charge._state.adding = False
    return charge


def _set_aside(charge: Charge) -> list[tuple]:
    return books.rows(
        statements.HOLD,
        allocation=charge.allocation_id,
        tokens=charge.held_tokens,
        model=charge.model,
        idempotency_key=charge.idempotency_key,
        now=charge.created_at,
        expires_at=charge.expires_at,
    )


def _same(allocation_id, idempotency_key, tokens) -> Charge:
    charge = Charge.objects.get(allocation=allocation_id, idempotency_key=idempotency_key)
    if charge.held_tokens != tokens:
        raise IdempotencyMismatch(
            "This idempotency key was used for another call.", charge_id=charge.pk
        )
    return charge


def _same_or_refuse(allocation_id, idempotency_key, tokens, now) -> Charge:
    allocation = Allocation.objects.filter(pk=allocation_id).first()
    if allocation is None:
        raise UnknownAllocation("There is no such allocation.", id=allocation_id)
    if allocation.charges.filter(idempotency_key=idempotency_key).exists():
        return _same(allocation_id, idempotency_key, tokens)
    if allocation.status != Allocation.Status.ACTIVE or allocation.expires_at <= now:
        status = "expired" if allocation.status == "active" else allocation.status
        raise AllocationClosed(
            f"The allocation is {status}.", session_id=allocation.session_id, status=status
        )
    raise AllocationTooSmall(
        f"{allocation.left:,} tokens are left; this call may need {tokens:,}.",
        session_id=allocation.session_id,
        needed=tokens,
        left=allocation.left,
        allocated=allocation.allocated,
        used=allocation.used,
        held=allocation.held,
    )
