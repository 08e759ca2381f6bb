"""Ask for refunds of collections and purchases, and carry them on."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from security import approvals
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from treasury.models import (
    COLLECTION_APPROVAL_ABOVE,
    ENDED,
    Purchase,
    Refund,
    RefundSource,
    RefundStatus,
)
from treasury.rails.base import Answer
from treasury.refusals import RefundExceeds, WrongRefund
from treasury.services.advance_order import advance_order, apply_order_answer, confirm_order
from treasury.services.decide_payment import approve, ask_second_person, cancel, deny
from treasury.services.order_kind import record_step
from treasury.services.refund_kind import REFUNDS
from treasury.services.refunded_payment import Paid, lock_paid


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
    record_step(REFUNDS, refund, reason=refund.reason, actor=actor, now=now)
    above = _approval_above(paid)
    if _alone(paid) > above:
        _ask(refund, actor=actor, now=now)
    else:
        REFUNDS.move(refund, RefundStatus.APPROVED, actor=actor, now=now, ask_at=now)
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
    ask_second_person(
        refund,
        REFUND,
        terms={"refund": refund.pk, "amount": format(refund.amount, "f")},
        effect=f"{refund.amount:f} {refund.currency} of {refund.of} go back by {refund.rail}.",
        actor=actor,
        now=now,
        ask_at=now,
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    approve(REFUNDS, approval.change["refund"], approval, actor=actor, now=now, ask_at=now)


def advance_refund(refund_id: int, *, now: datetime) -> Refund:
    """Do the next thing for a refund. As `advance_order`."""
    return advance_order(REFUNDS, refund_id, now=now)


def apply_refund_answer(refund_id: int, answer: Answer, *, now: datetime) -> Refund:
    """Carry a refund on by an answer of its rail. As `apply_order_answer`."""
    return apply_order_answer(REFUNDS, refund_id, answer, now=now)


def confirm_refund(refund_id: int, *, reference: str, actor: Actor, now: datetime) -> Refund:
    """A person knows that the money went back: it is booked. `reference`: how the rail or the bank
    names it. Refusals: WrongRefund, RefundNotFound, RefundEnded, AccountOverdrawn, PeriodClosed."""
    return confirm_order(REFUNDS, refund_id, reference=reference, actor=actor, now=now)


def deny_refund(refund_id: int, *, reason: str, actor: Actor, now: datetime) -> Refund:
    """A person knows that no money went back and none will: it can be asked for again. Refusals:
    WrongRefund, RefundNotFound, RefundEnded."""
    return deny(REFUNDS, refund_id, reason=reason, actor=actor, now=now)


def cancel_refund(refund_id: int, *, reason: str, actor: Actor, now: datetime) -> Refund:
    """Cancel a refund before anything was sent. Refusals: as `deny_refund`."""
    return cancel(REFUNDS, refund_id, reason=reason, actor=actor, now=now)


REFUND = approvals.register(
    ApprovalKind(
        slug="refund",
        meaning="Somebody asked for money of a collection or purchase to go back, above the amount "
        "that one person decides. Approving lets Butler ask the rail for it.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
