"""Ask for refunds, and say what is known of them: persons, and the approval of a second one."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from security import approvals
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.ledger_days import ledger_day
from treasury.models import COLLECTION_APPROVAL_ABOVE, Purchase, Refund, RefundSource, RefundStatus
from treasury.models.refund_triggers import ENDED
from treasury.refusals import RefundEnded, RefundExceeds, WrongRefund
from treasury.services.book_refund import book_refund
from treasury.services.pending import void_pending
from treasury.services.refund_steps import (
    REFUNDER,
    Paid,
    change,
    lock_paid,
    lock_refund,
    move,
    record,
)

_Status = RefundStatus
_NOT_SENT = (_Status.PROPOSED, _Status.APPROVED)


@transaction.atomic(durable=True)
def ask_refund(  # noqa: PLR0913  (each by name)
    amount: Decimal,
    *,
    collection_id: int | None = None,
    purchase_id: int | None = None,
    reason: str,
    key: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Refund:
    """Ask for money of one collection or one purchase back.

    What needs no second person is approved at once. The same `key` is the same refund. Refusals:
    WrongRefund, RefundExceeds, PurchaseNotFound.
    """
    paid = lock_paid(collection_id=collection_id, purchase_id=purchase_id)
    key = key or uuid4()
    if earlier := Refund.objects.filter(key=key).first():
        return earlier
    _check(paid, amount, reason)
    refund = Refund.objects.create(
        **paid.terms,
        rail=paid.rail,
        key=key,
        amount=amount,
        currency=paid.transfer.currency,
        reason=reason.strip()[:300],
        asked_by=str(actor),
        asked_at=now,
    )
    record(refund, before="", reason=refund.reason, actor=actor, now=now)
    above = _approval_above(paid)
    if _alone(paid) > above:
        _ask(refund, actor=actor, now=now)
    else:
        move(refund, _Status.APPROVED, actor=actor, now=now, ask_at=now)
    return refund


def _check(paid: Paid, amount: Decimal, reason: str) -> None:
    if not reason.strip():
        raise WrongRefund("Say why the money goes back.")
    scale = min(paid.debit.scale, paid.credit.scale)
    if not amount.is_finite() or amount <= 0 or amount != round(amount, scale):
        raise WrongRefund(f"The amount must be more than 0, with at most {scale} decimal places.")
    if paid.reversed_at:
        raise WrongRefund("All of its money went back already.")
    if amount > paid.left():
        raise RefundExceeds(left=paid.left(), currency=paid.transfer.currency)


def _approval_above(paid: Paid) -> Decimal:
    row = next(iter(paid.terms.values()))
    return row.policy.approval_above if isinstance(row, Purchase) else COLLECTION_APPROVAL_ABOVE


def _alone(paid: Paid) -> Decimal:
    """What goes back of it without a second person: in parts, it is no less than at once."""
    asked = paid.refunds().filter(source=RefundSource.ASKED, approved_persons=[])
    return sum((each.amount for each in asked.exclude(status__in=ENDED)), Decimal(0))


def _ask(refund: Refund, *, actor: Actor, now: datetime) -> None:
    approval, _ = security.ask_approval(
        kind=REFUND,
        subject=refund.address,
        change={"refund": refund.pk, "amount": format(refund.amount, "f")},
        effect=f"{refund.amount:f} {refund.currency} of {refund.of} go back by {refund.rail}.",
        reason=refund.reason,
        actor=actor,
        now=now,
    )
    change(refund, approval=approval, asked_persons=approval.asked_persons, ask_at=now)


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    try:
        _, refund = lock_refund(approval.change["refund"], _Status.PROPOSED)
    except (RefundEnded, WrongRefund) as refusal:
        raise ApprovalOutdated(str(refusal)) from refusal
    move(
        refund,
        _Status.APPROVED,
        note=approval.decided_reason,
        actor=actor,
        now=now,
        approved_persons=approval.decided_persons,
        ask_at=now,
    )


def end_undecided_refund(refund_id: int, *, ask_at: datetime, now: datetime) -> None:
    """End a proposed refund whose approval was rejected, withdrawn or has expired; else look again
    at `ask_at`."""
    with transaction.atomic(durable=True):
        _, refund = lock_refund(refund_id, _Status.PROPOSED)
        approval = refund.approval
        ends = {
            Approval.Status.REJECTED: _Status.REFUSED,
            Approval.Status.WITHDRAWN: _Status.CANCELLED,
            Approval.Status.EXPIRED: _Status.EXPIRED,
        }
        if approval is None or approval.status not in ends:
            change(refund, ask_at=ask_at)
            return
        note = f"The approval was {approval.status}. {approval.decided_reason}".strip()
        move(refund, ends[Approval.Status(approval.status)], note=note, actor=REFUNDER, now=now)


@transaction.atomic(durable=True)
def confirm_refund(refund_id: int, *, reference: str, actor: Actor, now: datetime) -> Refund:
    """A person knows that the money went back: it is booked.

    `reference`: how the rail or the bank names it. Refusals: WrongRefund, RefundNotFound,
    RefundEnded, AccountOverdrawn, PeriodClosed.
    """
    if not reference.strip():
        raise WrongRefund("Say how the rail or the bank names it.")
    paid, refund = lock_refund(refund_id, _Status.NEEDS_PERSON)
    named = reference.strip()[:200]
    change(refund, vendor_id=named, note=f"A person has seen it: {named}.")
    book_refund(paid, refund, actor=actor, now=now)
    return refund


@transaction.atomic(durable=True)
def deny_refund(refund_id: int, *, reason: str, actor: Actor, now: datetime) -> Refund:
    """A person knows that no money went back and none will: it can be asked for again.

    Refusals: WrongRefund, RefundNotFound, RefundEnded.
    """
    return _end(refund_id, _Status.DECLINED, reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def cancel_refund(refund_id: int, *, reason: str, actor: Actor, now: datetime) -> Refund:
    """Cancel a refund before anything was sent. Refusals: as `deny_refund`."""
    return _end(refund_id, _Status.CANCELLED, reason, actor=actor, now=now)


def _end(refund_id: int, status: str, reason: str, *, actor: Actor, now: datetime) -> Refund:
    if not reason.strip():
        raise WrongRefund("Say why.")
    allowed = (_Status.NEEDS_PERSON,) if status == _Status.DECLINED else _NOT_SENT
    _, refund = lock_refund(refund_id, *allowed)
    if refund.pending is not None:
        void_pending(refund.pending, effective_on=ledger_day(now), actor=actor, now=now)
    move(refund, status, note=reason, actor=actor, now=now)
    return refund


REFUND = approvals.register(
    ApprovalKind(
        slug="refund",
        meaning="Somebody asked for money of a collection or purchase to go back, above the amount "
        "that one person decides. Approving lets Butler ask the rail for it.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
