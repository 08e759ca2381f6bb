"""Record usage that agents report themselves, after the fact."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from common.statements import fetch_together, instance
from keys.books import sql, transactions
from keys.books.services import after_settlement
from keys.books.services.usage import Usage
from keys.books.sql.report_usage import Reported
from keys.books.sql.spend import Spent
from keys.models import AgentToken, Charge
from keys.refusals import (
    AllocationNotFound,
    IdempotencyMismatch,
    ReportTooLarge,
    ReportTooLate,
    UsageIsMetered,
)
from keys.supply.queries.prices import price_of

# No model takes more tokens in one call.
_CALL_TOKENS_MAX = 10**7


def report_usage(
    *,
    allocation_id: int,
    usage: Usage,
    model: str = "",
    idempotency_key: str | None = None,
    scopes: Collection[str] = (),
    now: datetime,
) -> tuple[Charge, bool]:
    """Record what a session used, as a settled charge.

    Returns the charge and whether it was created: the same idempotency key is the same charge.
    Usage above what is left is flagged `overrun` and closes the allocation. Unless `operate` is
    among the `scopes` of the token that reports, the report is bounded: by what is left and a
    margin, and by the time since the end of the session. Refusals: AllocationNotFound,
    IdempotencyMismatch, WrongValue; ReportTooLarge, ReportTooLate, UsageIsMetered.
    """
    usage.check()
    charge, created, spent = _record(
        allocation_id=allocation_id,
        usage=usage,
        model=model,
        idempotency_key=idempotency_key or f"report-{secrets.token_hex(12)}",
        is_bounded=AgentToken.Scope.OPERATE not in scopes,
        now=now,
    )
    after_settlement.rotate_crossed(spent, now=now)
    return charge, created


@transactions.in_books
def _record(
    *,
    allocation_id: int,
    usage: Usage,
    model: str,
    idempotency_key: str,
    is_bounded: bool,
    now: datetime,
) -> tuple[Charge, bool, list[Spent]]:
    rows = transactions.fetch_under_lock(
        sql.REPORTED,
        {
            "allocation": allocation_id,
            "idempotency_key": idempotency_key,
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
    cost = usage.cost(price_of(reported.price_id), at=now)
    if is_bounded:
        _check_bounds(reported, tokens=usage.tokens, cost=cost, now=now)
    which = {"allocation": allocation_id, "idempotency_key": idempotency_key}
    values = {
        **which,
        **usage.as_columns(),
        "price": reported.price_id,
        "model": model,
        "cost": cost,
        "overrun": usage.tokens > reported.left,
        "at": now,
    }
    spent, (charge,) = fetch_together((sql.RECORD, values), (sql.CHARGE, which))
    return instance(Charge, charge), True, after_settlement.follow(spent, at=now)


def _check_bounds(reported: Reported, *, tokens: int, cost: Decimal, now: datetime) -> None:
    """Refuse what an agent may not report about itself: it could fill limits that others need."""
    if reported.is_metered and not settings.REPORTS_BESIDE_GATEWAY:
        raise UsageIsMetered(session_id=reported.session_id)
    ends_after = timedelta(seconds=settings.REPORT_SECONDS_AFTER_END)
    if reported.closed_at and now > reported.closed_at + ends_after:
        raise ReportTooLate(
            session_id=reported.session_id, reports_until=reported.closed_at + ends_after
        )
    # The answer of one call cannot be stopped when the allocation is used up.
    margin = max(reported.allocated // 10, settings.OUTPUT_TOKENS_DEFAULT)
    tokens_max = max(min(reported.left + margin, _CALL_TOKENS_MAX), 0)
    # Not only tokens cost: requests and searches can have prices of their own.
    margin_cost = round(margin * reported.token_cost_max, 9)
    cost_max = max(reported.left_cost + margin_cost, Decimal(0))
    if tokens > tokens_max or cost > cost_max:
        raise ReportTooLarge(
            session_id=reported.session_id,
            tokens=tokens,
            tokens_max=tokens_max,
            cost=cost,
            cost_max=cost_max,
        )


def _check_same_usage(charge: Charge, usage: Usage) -> Charge:
    if {name: getattr(charge, name) for name in usage.as_columns()} != usage.as_columns():
        raise IdempotencyMismatch(charge_id=charge.pk)
    return charge
