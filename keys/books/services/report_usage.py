"""Record usage that agents report themselves, after the fact."""

import secrets
from datetime import datetime

from keys import database
from keys.books import sql, transactions
from keys.books.services import after_settlement
from keys.books.services.settle import Usage
from keys.models import Charge
from keys.refusals import IdempotencyMismatch, UnknownAllocation
from keys.supply.queries.prices import price_of


def report_usage(
    *,
    allocation_id: int,
    usage: Usage,
    model: str = "",
    idempotency_key: str | None = None,
    now: datetime,
) -> tuple[Charge, bool]:
    """Record what a session used, as a settled charge.

    Returns the charge and whether it was created: the same idempotency key is the same charge.
    Truth first: more than is left is recorded in full, flagged `overrun` and closes the allocation;
    usage of a closed allocation is recorded too. Refusals: UnknownAllocation, IdempotencyMismatch,
    WrongValue.
    """
    usage.check()
    charge, created, paid = _record(
        allocation_id=allocation_id,
        usage=usage,
        model=model,
        idempotency_key=idempotency_key or f"report-{secrets.token_hex(12)}",
        now=now,
    )
    after_settlement.rotate_crossed(paid, now=now)
    return charge, created


@transactions.in_books
def _record(*, allocation_id, usage, model, idempotency_key, now):
    at = transactions.lock(allocations=[allocation_id], now=now).at
    found = database.rows(
        sql.REPORTED,
        allocation=allocation_id,
        idempotency_key=idempotency_key,
        tokens=usage.tokens,
    )
    if not found:
        raise UnknownAllocation("There is no such allocation.", id=allocation_id)
    ((api_key, price, overrun, earlier),) = found
    if earlier:
        return _same(Charge.objects.get(pk=earlier), usage), False, []
    charge = Charge(
        allocation_id=allocation_id,
        api_key_id=api_key,
        price_id=price,
        model=model,
        idempotency_key=idempotency_key,
        route="",
        provider_request_id="",
        status=Charge.Status.SETTLED,
        cost=usage.cost(price_of(price)),
        overrun=overrun,
        created_at=at,
        expires_at=at,
        settled_at=at,
        **usage.as_columns(),
    )
    return charge, True, _write(charge, usage)


def _write(charge: Charge, usage: Usage) -> list[after_settlement.Paid]:
    found = database.rows(
        sql.RECORD,
        allocation=charge.allocation_id,
        price=charge.price_id,
        model=charge.model,
        idempotency_key=charge.idempotency_key,
        cost=charge.cost,
        overrun=charge.overrun,
        at=charge.settled_at,
        **usage.as_columns(),
    )
    paid = [after_settlement.Paid(*row) for row in found]
    charge.pk = paid[0].charges[0]
    charge._state.adding = False
    return after_settlement.follow(paid, at=charge.settled_at)


def _same(charge: Charge, usage: Usage) -> Charge:
    if {name: getattr(charge, name) for name in usage.as_columns()} != usage.as_columns():
        raise IdempotencyMismatch(
            "This idempotency key was used for other usage.", charge_id=charge.pk
        )
    return charge
