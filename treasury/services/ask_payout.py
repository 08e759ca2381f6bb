"""Ask for payouts, and say what is known of them: persons, and the approval of a second one."""

from datetime import datetime, timedelta
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
from treasury.models import (
    PAYOUT_APPROVAL_ABOVE,
    PAYOUT_ENDED,
    Account,
    Payout,
    PayoutStatus,
    RailAccount,
)
from treasury.models.amounts import ZERO
from treasury.rail_list import payout_rail
from treasury.rails.base import PayoutRail
from treasury.refusals import PayoutEnded, PayoutNotFound, WrongPayout
from treasury.services.payout_steps import PAYER, book, change, lock_payout, lock_payouts, move
from treasury.services.payout_steps import record as record_step
from treasury.services.pending import void_pending

_Status = PayoutStatus
_NOT_SENT = (_Status.PROPOSED, _Status.APPROVED)
_ALONE_WITHIN = timedelta(hours=24)


@transaction.atomic(durable=True)
def ask_payout(
    slug: str, amount: Decimal, *, reason: str, key: UUID | None = None, actor: Actor, now: datetime
) -> Payout:
    """Ask for money of a rail to go to the bank account that is in its settings.

    What needs no second person is approved at once. The same `key` is the same payout. Refusals:
    RailNotFound, RailOff, WrongRail, WrongPayout.
    """
    rail = payout_rail(slug)
    lock_payouts(slug)
    key = key or uuid4()
    if earlier := Payout.objects.filter(key=key).first():
        return earlier
    _check(slug, rail, amount, reason)
    payout = Payout.objects.create(
        rail_account=RailAccount.objects.get(pk=slug),
        key=key,
        amount=amount,
        currency=rail.currency,
        destination=rail.payout_destination,
        reason=reason.strip()[:300],
        asked_by=str(actor),
        asked_at=now,
    )
    record_step(payout, before="", reason=payout.reason, actor=actor, now=now)
    if _alone(payout) + amount > PAYOUT_APPROVAL_ABOVE:
        _ask(payout, actor=actor, now=now)
    else:
        move(payout, _Status.APPROVED, actor=actor, now=now, ask_at=now)
    return payout


def _check(slug: str, rail: PayoutRail, amount: Decimal, reason: str) -> None:
    if not reason.strip():
        raise WrongPayout("Say why the money goes there.")
    if not amount.is_finite() or amount <= 0 or amount != round(amount, rail.scale):
        places = rail.scale
        raise WrongPayout(f"The amount must be more than 0, with at most {places} decimal places.")
    account = Account.objects.filter(name=f"rail:{slug}").first()
    available = account.available if account else ZERO
    if amount > available:
        raise WrongPayout(f"{available:.2f} {rail.currency} of the rail can be paid out at most.")


def _alone(payout: Payout) -> Decimal:
    """What goes out of the rail without a second person: in parts, it is no less than at once."""
    others = Payout.objects.filter(
        rail_account_id=payout.rail_account_id,
        approved_persons=[],
        asked_at__gt=payout.asked_at - _ALONE_WITHIN,
    ).exclude(status__in=(_Status.PROPOSED, *PAYOUT_ENDED))
    return sum(others.exclude(pk=payout.pk).values_list("amount", flat=True), ZERO)


def _ask(payout: Payout, *, actor: Actor, now: datetime) -> None:
    approval, _ = security.ask_approval(
        kind=PAYOUT,
        subject=payout.address,
        change={
            "payout": payout.pk,
            "amount": format(payout.amount, "f"),
            "destination": payout.destination,
        },
        effect=f"{payout.amount:.2f} {payout.currency} of rail {payout.rail_account_id} go to the "
        f"bank account {payout.destination}.",
        reason=payout.reason,
        actor=actor,
        now=now,
    )
    change(payout, approval=approval, asked_persons=approval.asked_persons, ask_at=now)


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    try:
        payout = lock_payout(approval.change["payout"], _Status.PROPOSED)
    except (PayoutEnded, PayoutNotFound) as refusal:
        raise ApprovalOutdated(str(refusal)) from refusal
    move(
        payout,
        _Status.APPROVED,
        note=approval.decided_reason,
        actor=actor,
        now=now,
        approved_persons=approval.decided_persons,
        ask_at=now,
    )


def end_undecided_payout(payout_id: int, *, ask_at: datetime, now: datetime) -> None:
    """End a proposed payout whose approval was rejected, withdrawn or has expired; else look again
    at `ask_at`."""
    with transaction.atomic(durable=True):
        payout = lock_payout(payout_id, _Status.PROPOSED)
        approval = payout.approval
        ends = {
            Approval.Status.REJECTED: _Status.REFUSED,
            Approval.Status.WITHDRAWN: _Status.CANCELLED,
            Approval.Status.EXPIRED: _Status.EXPIRED,
        }
        if approval is None or approval.status not in ends:
            change(payout, ask_at=ask_at)
            return
        note = f"The approval was {approval.status}. {approval.decided_reason}".strip()
        move(payout, ends[Approval.Status(approval.status)], note=note, actor=PAYER, now=now)


@transaction.atomic(durable=True)
def confirm_payout(payout_id: int, *, reference: str, actor: Actor, now: datetime) -> Payout:
    """A person knows that the rail has paid it out: it is booked.

    `reference`: how the vendor names it. Refusals: WrongPayout, PayoutNotFound, PayoutEnded,
    PeriodClosed.
    """
    if not reference.strip():
        raise WrongPayout("Say how the vendor names it.")
    payout = lock_payout(payout_id, _Status.NEEDS_PERSON)
    named = reference.strip()[:200]
    change(payout, vendor_id=named, note=f"A person has seen it: {named}.")
    book(payout, actor=actor, now=now)
    return payout


@transaction.atomic(durable=True)
def deny_payout(payout_id: int, *, reason: str, actor: Actor, now: datetime) -> Payout:
    """A person knows that no money left the rail and none will.

    Refusals: WrongPayout, PayoutNotFound, PayoutEnded.
    """
    return _end(payout_id, _Status.DECLINED, reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def cancel_payout(payout_id: int, *, reason: str, actor: Actor, now: datetime) -> Payout:
    """Cancel a payout before anything was sent. Refusals: as `deny_payout`."""
    return _end(payout_id, _Status.CANCELLED, reason, actor=actor, now=now)


def _end(payout_id: int, status: str, reason: str, *, actor: Actor, now: datetime) -> Payout:
    if not reason.strip():
        raise WrongPayout("Say why.")
    allowed = (_Status.NEEDS_PERSON,) if status == _Status.DECLINED else _NOT_SENT
    payout = lock_payout(payout_id, *allowed)
    if payout.pending is not None:
        void_pending(payout.pending, effective_on=ledger_day(now), actor=actor, now=now)
    move(payout, status, note=reason, actor=actor, now=now)
    return payout


PAYOUT = approvals.register(
    ApprovalKind(
        slug="payout",
        meaning="Somebody asked for money of a rail to go to the organisation's own bank account, "
        "above the amount that one person decides. Approving lets Butler ask the rail for it.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
