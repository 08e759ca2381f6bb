"""Ask for a change, and decide what others asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from security import approvals, audit, persons
from security.actor import Actor
from security.approval_models import Approval
from security.approvals import ApprovalKind
from security.audit_actions import Action
from security.deciders import AmountRule, Standing, may_decide_this, policy_of, standings
from security.delegations import locked_delegations_to
from security.reasons import check_reason
from security.refusals import (
    AnotherPersonNeeded,
    ApprovalDecided,
    ApprovalNotFound,
    NotADecider,
    NotTheAsker,
    RequestMismatch,
    SecondPersonNeeded,
)

_Status = Approval.Status
_EXPIRY = Actor.job("approvals")


def ask_approval(  # noqa: PLR0913  (an approval has this many sides, each by name)
    *,
    kind: ApprovalKind,
    subject: str,
    change: dict[str, Any],
    effect: str,
    reason: str,
    idempotency_key: str | None = None,
    until: datetime | None = None,
    rule: AmountRule = AmountRule(),  # noqa: B008 - a value that never changes
    actor: Actor,
    now: datetime,
) -> tuple[Approval, bool]:
    """Ask for a change that somebody else decides; returns the approval and whether it is new.

    `change` is what the kind's `apply` takes: JSON with what the change is based on, and never a
    secret. `effect` says in figures what it does. `until`: when it makes sense no longer. `rule`
    says who approves it, and stays as it was when the change was asked for. The same idempotency
    key is the same approval.
    Joins the caller's transaction. Refusals: RequestMismatch.
    """
    who: dict[str, Any] = {"asked_by_kind": actor.kind, "asked_by_name": actor.name}
    asked: dict[str, Any] = {
        "kind": kind.slug,
        "subject": subject,
        "change": change,
        "reason": reason[:300],
    }
    values = {
        **who,
        **asked,
        "effect": effect,
        "asked_persons": _askers(kind, rule, actor, now),
        "rule": rule.words,
        "second_yes": rule.is_two,
        "role": rule.role,
        "asked_at": now,
        "expires_at": min(now + _wait(kind), until or datetime.max.replace(tzinfo=UTC)),
    }
    if idempotency_key is None:
        approval, created = Approval.objects.create(**values), True
    else:
        approval, created = Approval.objects.get_or_create(
            **who, idempotency_key=idempotency_key, defaults=values
        )
    if created:
        _record(approval, Action.APPROVAL_ASK, reason=approval.reason, actor=actor, now=now)
    elif any(getattr(approval, name) != value for name, value in asked.items()):
        raise RequestMismatch(approval_id=approval.pk)
    return approval, created


def _wait(kind: ApprovalKind) -> timedelta:
    return kind.wait or timedelta(hours=settings.APPROVAL_EXPIRES_HOURS)


def _askers(kind: ApprovalKind, rule: AmountRule, actor: Actor, now: datetime) -> list[str]:
    """The identities of all who asked or could have asked."""
    is_in_force = rule.is_in_force or policy_of(kind).in_force_since
    holders = kind.holders(actor, now) if is_in_force else []
    return sorted({*persons.identities(actor), *holders})


@transaction.atomic(durable=True)
def approve(approval_id: int, *, reason: str = "", actor: Actor, now: datetime) -> Approval:
    """Make the change, if what it was based on still holds; where two persons are needed, the
    first approval is kept, and the second one makes the change.

    Who decides as a deputy decides for both persons. Refusals: ApprovalNotFound, ApprovalDecided,
    NotADecider, SecondPersonNeeded, AnotherPersonNeeded, ApprovalOutdated, and those of the change.
    """
    approval, standing = _lock_for_decision(approval_id, actor=actor, now=now)
    if approval.second_yes and approval.first_yes_at is None:
        _keep_first_yes(approval, standing, reason, actor=actor, now=now)
        return approval
    # The row first: what the change writes can refer to an approved approval.
    action = Action.APPROVAL_APPROVE
    _decide(approval, _Status.APPROVED, action, reason, standing, actor=actor, now=now)
    approvals.kind_of(approval.kind).apply(approval, actor=actor, now=now)
    return approval


@transaction.atomic(durable=True)
def reject(approval_id: int, *, reason: str, actor: Actor, now: datetime) -> Approval:
    """Decide that the change is not made.

    Refusals: ReasonMissing, ApprovalNotFound, ApprovalDecided, NotADecider, SecondPersonNeeded,
    AnotherPersonNeeded.
    """
    check_reason(reason)
    approval, standing = _lock_for_decision(approval_id, actor=actor, now=now)
    action = Action.APPROVAL_REJECT
    _decide(approval, _Status.REJECTED, action, reason, standing, actor=actor, now=now)
    return approval


@transaction.atomic(durable=True)
def withdraw(approval_id: int, *, reason: str = "", actor: Actor, now: datetime) -> Approval:
    """Take back what one asked for. Refusals: ApprovalNotFound, ApprovalDecided, NotTheAsker."""
    approval = _lock_asked(approval_id, now=now)
    if (approval.asked_by_name, approval.asked_by_kind) != (actor.name, actor.kind):
        raise NotTheAsker(approval_id=approval_id)
    _decide(approval, _Status.WITHDRAWN, Action.APPROVAL_WITHDRAW, reason, actor=actor, now=now)
    return approval


@transaction.atomic(durable=True)
def expire_approvals(*, now: datetime) -> int:
    """Close approvals that nobody decided in time; returns how many. Again, it changes nothing."""
    overdue = Approval.objects.waiting().filter(expires_at__lte=now).locked()
    for approval in overdue:
        why = "nobody decided in time"
        _decide(approval, _Status.EXPIRED, Action.APPROVAL_EXPIRE, why, actor=_EXPIRY, now=now)
    return len(overdue)


def _lock_asked(approval_id: int, *, now: datetime) -> Approval:
    approval = Approval.objects.locked().filter(pk=approval_id).first()
    if approval is None:
        raise ApprovalNotFound(approval_id=approval_id)
    if approval.status != _Status.ASKED:
        raise ApprovalDecided(approval_id=approval_id, approval_status=approval.status)
    if approval.expires_at <= now:
        raise ApprovalDecided(approval_id=approval_id, approval_status=_Status.EXPIRED)
    return approval


def _lock_for_decision(
    approval_id: int, *, actor: Actor, now: datetime
) -> tuple[Approval, Standing]:
    """The approval, and by what the person decides it: alone if they may, else as a deputy."""
    approval = _lock_asked(approval_id, now=now)
    user = persons.user_of(actor)
    if user is None:
        raise NotADecider(approval_id=approval_id, kind=approval.kind)
    possible = standings(user, approval, locked_delegations_to(user, now=now))
    if not possible:
        if not may_decide_this(user, approvals.kind_of(approval.kind), approval):
            raise NotADecider(approval_id=approval_id, kind=approval.kind)
        # Of a cost centre that the person is not bound to.
        raise ApprovalNotFound(approval_id=approval_id)
    others = [each for each in possible if not {*each.persons} & {*approval.asked_persons}]
    if not others:
        raise SecondPersonNeeded(approval_id=approval_id)
    for standing in others:
        if not {*standing.persons} & {*approval.first_yes_persons}:
            return approval, standing
    raise AnotherPersonNeeded(approval_id=approval_id, first=approval.first_yes_by)


def _keep_first_yes(
    approval: Approval, standing: Standing, reason: str, *, actor: Actor, now: datetime
) -> None:
    approval.first_yes_by_name, approval.first_yes_at = actor.name, now
    approval.first_yes_for_name, approval.first_yes_reason = standing.for_whom, reason[:300]
    approval.first_yes_persons = standing.persons
    approval.first_delegation = standing.delegation
    approval.save(
        update_fields=[
            *("first_yes_by_name", "first_yes_for_name", "first_yes_persons"),
            *("first_yes_at", "first_yes_reason", "first_delegation"),
        ]
    )
    _record(approval, Action.APPROVAL_FIRST_YES, standing, reason=reason, actor=actor, now=now)


def _decide(
    approval: Approval,
    status: str,
    action: Action,
    reason: str,
    standing: Standing | None = None,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    standing = standing or Standing(persons.identities(actor))
    approval.status, approval.decided_reason = status, reason[:300]
    approval.decided_by_name, approval.decided_by_kind = actor.name, actor.kind
    approval.decided_persons, approval.decided_at = standing.persons, now
    approval.delegation, approval.decided_for_name = standing.delegation, standing.for_whom
    approval.save(
        update_fields=[
            *("status", "decided_reason", "decided_by_name", "decided_by_kind"),
            *("decided_persons", "decided_at", "delegation", "decided_for_name"),
        ]
    )
    _record(approval, action, standing, reason=reason, actor=actor, now=now)


def _record(
    approval: Approval,
    action: Action,
    standing: Standing | None = None,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    absent = standing.delegation.absent if standing and standing.delegation else None
    audit.record(
        actor=actor,
        action=action,
        subject=approval.address,
        related=[approval.subject, *([f"user:{absent.pk}"] if absent else [])],
        after={
            "kind": approval.kind,
            "status": approval.status,
            "asked_by": approval.asked_by,
            "change": approval.change,
        }
        | ({"decided_for": absent.username} if absent else {}),
        reason=reason,
        at=now,
    )
