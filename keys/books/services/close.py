"""End allocations, or give them more time."""

from datetime import datetime, timedelta

from keys.audit_actions import Action
from keys.books import transactions
from keys.books.services.allocation_request import check_ttl
from keys.books.services.settle import Settlement, settle_many
from keys.models import Allocation, Charge, RateLease
from keys.refusals import AllocationClosed, AllocationNotFound
from security import audit
from security.actor import Actor

_BATCH = 500
_SWEEP = Actor.job("sweep")


def complete(*, allocation_id: int, actor: Actor, now: datetime) -> Allocation:
    """Close an allocation whose agent is done: tokens that no call holds go back to the windows.

    A second call changes nothing.

    Refusals: AllocationClosed when it ended in another way, AllocationNotFound.
    """
    return _close(allocation_id, "completed", "", actor=actor, now=now)


def fail(*, allocation_id: int, reason: str, actor: Actor, now: datetime) -> Allocation:
    """Close an allocation whose agent gave up: as `complete`, with a reason."""
    return _close(allocation_id, "failed", reason, actor=actor, now=now)


@transactions.in_books
def _close(
    allocation_id: int, status: str, reason: str, *, actor: Actor, now: datetime
) -> Allocation:
    at = transactions.lock(allocations=[allocation_id], now=now).at
    transactions.close([allocation_id], status=status, reason=reason, actor=actor, at=at)
    allocation = Allocation.objects.filter(pk=allocation_id).first()
    if allocation is None:
        raise AllocationNotFound(allocation_id=allocation_id)
    if allocation.status != status:
        raise _closed_refusal(allocation)
    return allocation


@transactions.in_books
def extend(*, allocation_id: int, ttl_seconds: int, actor: Actor, now: datetime) -> Allocation:
    """Extend an allocation to `now + ttl_seconds`, unless it lives longer already (a heartbeat).

    Refusals: AllocationClosed (also when it has expired), AllocationNotFound, WrongValue.
    """
    check_ttl(ttl_seconds)
    transactions.lock(allocations=[allocation_id], now=now)
    allocation = Allocation.objects.filter(pk=allocation_id).first()
    if allocation is None:
        raise AllocationNotFound(allocation_id=allocation_id)
    if allocation.status != Allocation.Status.ACTIVE or allocation.expires_at <= now:
        raise _closed_refusal(allocation)
    before, until = allocation.expires_at, now + timedelta(seconds=ttl_seconds)
    if until > before:
        allocation.expires_at = until
        allocation.save(update_fields=["expires_at"])
        audit.record(
            actor=actor,
            action=Action.ALLOCATION_EXTEND,
            subject=f"session:{allocation.session_id}",
            related=[f"agent:{allocation.agent_id}", f"key:{allocation.api_key_id}"],
            before={"expires_at": before},
            after={"expires_at": until},
            at=now,
        )
    return allocation


def expire_allocations(*, now: datetime) -> int:
    """Close active allocations that have expired; returns how many. A sweep that may run twice."""
    expired = 0
    while overdue := list(
        Allocation.objects.filter(status="active", expires_at__lte=now)
        .order_by("pk")
        .values_list("pk", flat=True)[:_BATCH]
    ):
        expired += _expire(overdue, now=now)
    return expired


@transactions.in_books
def _expire(overdue: list[int], *, now: datetime) -> int:
    at = transactions.lock(allocations=overdue, now=now).at
    # An allocation may have been extended before it was locked.
    still = Allocation.objects.filter(pk__in=overdue, expires_at__lte=now)
    return transactions.close(
        still.values_list("pk", flat=True),
        status=Allocation.Status.EXPIRED,
        reason="not extended before it expired",
        actor=_SWEEP,
        at=at,
    )


def expire_charges(*, now: datetime) -> int:
    """End holds that were not settled in time; returns how many.

    The gateway releases what it did not send, so its holds are charged in full, as estimates with
    an alert; all others are given back. A late settlement counts.
    """
    expired = 0
    while overdue := list(
        Charge.objects.filter(status="held", expires_at__lte=now).order_by("pk")[:_BATCH]
    ):
        expired += settle_many(
            [Settlement(charge, Charge.Status.EXPIRED) for charge in overdue], now=now
        )
    return expired


def forget_leases(*, now: datetime) -> int:
    """Remove places in rates per minute that have expired; returns how many."""
    return RateLease.objects.filter(expires_at__lte=now).delete()[0]


def _closed_refusal(allocation: Allocation) -> AllocationClosed:
    status = allocation.status if allocation.status != "active" else "expired"
    return AllocationClosed(status=status, **allocation.budget)
