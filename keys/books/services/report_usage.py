"""Record usage that agents report themselves, after the fact."""

import secrets
from datetime import datetime

from common.statements import fetch_together, instance
from keys.books import sql, transactions
from keys.books.services import after_settlement
from keys.books.services.settle import Usage
from keys.books.sql.spend import Spent
from keys.models import Charge
from keys.refusals import AllocationNotFound, IdempotencyMismatch
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
    Usage above what is left is recorded in full, flagged `overrun` and closes the allocation; usage
    of a closed allocation is recorded too. Refusals: AllocationNotFound, IdempotencyMismatch,
    WrongValue.
    """
    usage.check()
    charge, created, spent = _record(
        allocation_id=allocation_id,
        usage=usage,
        model=model,
        idempotency_key=idempotency_key or f"report-{secrets.token_hex(12)}",
        now=now,
    )
    after_settlement.rotate_crossed(spent, now=now)
    return charge, created


@transactions.in_books
def _record(
    *, allocation_id: int, usage: Usage, model: str, idempotency_key: str, now: datetime
) -> tuple[Charge, bool, list[Spent]]:
    rows = transactions.fetch_under_lock(
        sql.REPORTED,
        {
            "allocation": allocation_id,
            "idempotency_key": idempotency_key,
            "tokens": usage.tokens,
        },
        allocations=[allocation_id],
        scopes=[],
        now=now,
    )
    if not rows:
        raise AllocationNotFound(allocation_id=allocation_id)
    (reported,) = rows
    if reported.earlier:
        return _check_same_usage(Charge.objects.get(pk=reported.earlier), usage), False, []
    which = {"allocation": allocation_id, "idempotency_key": idempotency_key}
    values = {
        **which,
        **usage.as_columns(),
        "price": reported.price_id,
        "model": model,
        "cost": usage.cost(price_of(reported.price_id), at=now),
        "overrun": reported.overrun,
        "at": now,
    }
    spent, (charge,) = fetch_together((sql.RECORD, values), (sql.CHARGE, which))
    return instance(Charge, charge), True, after_settlement.follow(spent, at=now)


def _check_same_usage(charge: Charge, usage: Usage) -> Charge:
    if {name: getattr(charge, name) for name in usage.as_columns()} != usage.as_columns():
        raise IdempotencyMismatch(charge_id=charge.pk)
    return charge
