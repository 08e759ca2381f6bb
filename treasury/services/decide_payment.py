"""What persons decide about purchases, refunds and payouts, whichever it is: a second one approves
it, and one says that it is not wanted, or was not made."""

from datetime import datetime
from typing import Any, Protocol, TypeVar

from django.db import transaction

from common.refusal import Refusal
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.ledger_days import ledger_day
from treasury.models import Payment, PaymentStatus
from treasury.services.pending import void_pending

PaymentT = TypeVar("PaymentT", bound=Payment)
_UNDECIDED_ENDS = {
    Approval.Status.REJECTED.value: PaymentStatus.REFUSED,
    Approval.Status.WITHDRAWN.value: PaymentStatus.CANCELLED,
    Approval.Status.EXPIRED.value: PaymentStatus.EXPIRED,
}


class PaymentKind(Protocol[PaymentT]):
    """How one kind of payments is locked and moved.

    `job`: who carries them on. `not_sent`: the statuses before anything was sent. The refusals:
    `ended` if it is not in the status that is needed, `missing` if there is none of which it could
    be decided, `wrong` if what is asked cannot be right.
    """

    job: Actor
    not_sent: tuple[str, ...]
    ended: type[Refusal]
    missing: type[Refusal]
    wrong: type[Refusal]

    def lock(self, payment_id: int, *statuses: str) -> PaymentT:
        """The payment, locked, in one of the statuses if any are named. Refusals: `ended`,
        `missing`."""

    def set_free(self, payment: PaymentT, *, actor: Actor, now: datetime) -> None:
        """Give back what a locked payment has set aside, if anything."""
        if payment.pending is not None:
            day = ledger_day(now)
            void_pending(payment.pending, effective_on=day, actor=actor, now=now)

    def move(
        self,
        payment: PaymentT,
        status: str,
        *,
        note: str = "",
        actor: Actor,
        now: datetime,
        **columns: Any,
    ) -> None:
        """Set the status and the columns of a locked payment, with all that follows."""


def change(payment: Payment, **columns: Any) -> None:
    """Set columns of a locked payment."""
    for name, value in columns.items():
        setattr(payment, name, value)
    type(payment)._default_manager.filter(pk=payment.pk).update(**columns)


def ask_second_person(  # noqa: PLR0913  (each by name)
    payment: Payment,
    kind: ApprovalKind,
    *,
    terms: dict[str, str | int],
    effect: str,
    actor: Actor,
    now: datetime,
    **columns: Any,
) -> None:
    """Ask for the approval of a new payment, and set the columns, too. Joins the caller's
    transaction. `terms`: what the approver is shown of it."""
    approval, _ = security.ask_approval(
        kind=kind,
        subject=payment.address,
        change=terms,
        effect=effect,
        reason=payment.reason,
        actor=actor,
        now=now,
    )
    change(payment, approval=approval, asked_persons=approval.asked_persons, **columns)


def approve(
    kind: PaymentKind[PaymentT],
    payment_id: int,
    approval: Approval,
    *,
    actor: Actor,
    now: datetime,
    **columns: Any,
) -> None:
    """A second person has approved it. Joins the transaction that approves. Refusals:
    ApprovalOutdated."""
    try:
        payment = kind.lock(payment_id, PaymentStatus.PROPOSED)
    except (kind.ended, kind.missing) as refusal:
        raise ApprovalOutdated(str(refusal)) from refusal
    kind.move(
        payment,
        PaymentStatus.APPROVED,
        note=approval.decided_reason,
        actor=actor,
        now=now,
        approved_persons=approval.decided_persons,
        **columns,
    )


@transaction.atomic(durable=True)
def end_undecided(
    kind: PaymentKind[PaymentT], payment_id: int, *, ask_at: datetime | None = None, now: datetime
) -> None:
    """End a proposed payment whose approval was rejected, withdrawn or has expired; else look again
    at `ask_at`. Refusals: `ended`, `missing`."""
    payment = kind.lock(payment_id, PaymentStatus.PROPOSED)
    approval = payment.approval
    ends = _UNDECIDED_ENDS.get(approval.status) if approval else None
    if approval and ends:
        note = f"The approval was {approval.status}. {approval.decided_reason}".strip()
        kind.move(payment, ends, note=note, actor=kind.job, now=now)
    elif ask_at:
        change(payment, ask_at=ask_at)


def deny(
    kind: PaymentKind[PaymentT], payment_id: int, *, reason: str, actor: Actor, now: datetime
) -> PaymentT:
    """A person knows that no money moved and none will: it is free again. Refusals: `wrong`,
    `ended`, `missing`."""
    waits = (PaymentStatus.NEEDS_PERSON,)
    return _end(kind, payment_id, PaymentStatus.DECLINED, waits, reason, actor=actor, now=now)


def cancel(
    kind: PaymentKind[PaymentT], payment_id: int, *, reason: str, actor: Actor, now: datetime
) -> PaymentT:
    """Cancel a payment before anything was sent. Refusals: as `deny`."""
    status = PaymentStatus.CANCELLED
    return _end(kind, payment_id, status, kind.not_sent, reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def _end(  # noqa: PLR0913
    kind: PaymentKind[PaymentT],
    payment_id: int,
    status: str,
    allowed: tuple[str, ...],
    reason: str,
    *,
    actor: Actor,
    now: datetime,
) -> PaymentT:
    if not reason.strip():
        raise kind.wrong("Say why.")
    payment = kind.lock(payment_id, *allowed)
    kind.set_free(payment, actor=actor, now=now)
    kind.move(payment, status, note=reason, actor=actor, now=now)
    return payment
