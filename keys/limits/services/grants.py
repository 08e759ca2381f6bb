"""Grants: what a limit allows in addition for a while."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from keys.audit_actions import Action
from keys.limits.services import windows
from keys.models import Grant, Limit
from security import audit
from security.actor import Actor
from security.models import Approval


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
            "amount": format(amount.normalize(), "f"),
            "starts_at": now,
            "ends_at": until,
        },
        reason=f"asked for by {approval.asked_by}: {approval.reason}",
        at=now,
    )
    return granted


@transaction.atomic(durable=True)
def end_grant(granted: Grant, *, reason: str, actor: Actor, now: datetime) -> None:
    """End a grant before its time. A second call changes nothing."""
    # Nobody who still sees it can commit.
    windows.take_books_alone()
    running = Grant.objects.filter(pk=granted.pk, starts_at__lte=now, ends_at__gt=now)
    if running.update(ends_at=now):
        audit.record(
            actor=actor,
            action=Action.GRANT_END,
            subject=granted.limit.scope,
            related=[granted.approval.address],
            before={"ends_at": granted.ends_at},
            after={"ends_at": now},
            reason=reason,
            at=now,
        )
