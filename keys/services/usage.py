"""Record usage that agents report themselves, after the fact."""

import secrets
from datetime import datetime

from keys import books, statements
from keys.models import Allocation, Charge
from keys.queries.prices import price_of
from keys.refusals import IdempotencyMismatch, UnknownAllocation
from keys.services import consequences
from keys.services.settle import Usage


def report_usage(
    *,
    allocation_id: int,
    usage: Usage,
    model: str = "",
    idempotency_key: str | None = None,
    now: datetime,
) -> Charge:
    """Record what a session used, as a settled charge.

    Truth first: more than is left is recorded in full, flagged `overrun` and closes the allocation;
    usage of a closed allocation is recorded too. The same idempotency key is the same charge.
    Refusals: UnknownAllocation, IdempotencyMismatch, WrongValue.
    """
    usage.check()
    charge, paid = _record(
        allocation_id=allocation_id,
        usage=usage,
        model=model,
        idempotency_key=idempotency_key or f"report-{secrets.token_hex(12)}",
        now=now,
    )
    consequences.rotate_crossed(paid, now=now)
    return charge


@books.in_books
def _record(*, allocation_id, usage, model, idempotency_key, now):
    at = books.lock(allocations=[allocation_id], now=now).at
    allocation = Allocation.objects.filter(pk=allocation_id).first()
    if allocation is None:
        raise UnknownAllocation("There is no such allocation.", id=allocation_id)
    earlier = allocation.charges.filter(idempotency_key=idempotency_key).first()
    if earlier:
        return _same(earlier, usage), []
    price = price_of(allocation.price_id)
    found = books.rows(
        statements.RECORD,
        allocation=allocation_id,
        price=price.pk,
        model=model,
        idempotency_key=idempotency_key,
        cost=usage.cost(price),
        at=at,
        **usage.as_columns(),
    )
    paid = consequences.follow([consequences.Paid(*row) for row in found], at=at)
    return Charge.objects.get(pk=paid[0].charges[0]), paid


def _same(charge: Charge, usage: Usage) -> Charge:
    if {name: getattr(charge, name) for name in usage.as_columns()} != usage.as_columns():
        raise IdempotencyMismatch(
            "This idempotency key was used for other usage.", charge_id=charge.pk
        )
    return charge
