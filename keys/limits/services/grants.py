"""Grants: what a limit allows in addition for a while."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from keys.audit_actions import Action
from keys.limits.services import windows
from keys.models import Grant, Limit
from keys.reasons import check_reason
from security import audit
from security.actor import Actor
from security.models import Approval

_CLOCK = Actor.job("grants")


def grant(
    limit: Limit,
    *,
    amount: Decimal,
    until: datetime,
    approval: Approval,
    actor: Actor,
    now: datetime,
) -> Grant:
    """Let `limit` allow `amount` more from now until `until`, as approved.

    Joins the caller's transaction. Statements that commit at the same time see it or not.
    """
    granted = Grant.objects.create(
        limit=limit, amount=amount, starts_at=now, ends_at=until, approval=approval
    )
    audit.record(
        actor=actor,
        action=Action.GRANT_CREATE,
        subject=limit.scope,
        related=[approval.address],
        after={
            "limit": str(limit),
            "amount": _plain(amount),
            "starts_at": now,
            "ends_at": until,
        },
        reason=f"asked for by {approval.asked_by}: {approval.reason}",
        at=now,
    )
    return granted


@transaction.atomic(durable=True)
def end_grant(granted: Grant, *, reason: str, actor: Actor, now: datetime) -> None:
    """End a grant before its time. A second call changes nothing. Refusals: WrongValue."""
    check_reason(reason)
    # Nobody who still sees it can commit.
    windows.take_books_alone()
    running = Grant.objects.filter(pk=granted.pk, starts_at__lte=now, ends_at__gt=now)
    if running.update(ends_at=now, end_recorded_at=now):
        end = ({"ends_at": granted.ends_at}, {"ends_at": now})
        _record_end(granted, *end, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def record_ended_grants(*, now: datetime) -> int:
    """Record in the audit which grants have ended by themselves; returns how many.

    They count no longer from their end on, also if this runs late or never. Each is recorded once.
    """
    over = Grant.objects.filter(end_recorded_at=None, ends_at__lte=now).order_by("pk")
    over = over.select_related("limit", "approval")
    ended = list(over.select_for_update(of=("self",), no_key=True))
    Grant.objects.filter(pk__in=[each.pk for each in ended]).update(end_recorded_at=now)
    for each in ended:
        end = ({"granted": _plain(each.amount)}, {"granted": "0", "ended_at": each.ends_at})
        _record_end(each, *end, reason="its time is over", actor=_CLOCK, now=now)
    return len(ended)


def _plain(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


def _record_end(
    granted: Grant,
    before: dict[str, Any],
    after: dict[str, Any],
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    audit.record(
        actor=actor,
        action=Action.GRANT_END,
        subject=granted.limit.scope,
        related=[granted.approval.address],
        before=before,
        after=after,
        reason=reason,
        at=now,
    )
