"""Ask for payouts to the organisation's own bank, and carry them on."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from security import approvals
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from treasury.models import (
    ENDED,
    PAYOUT_APPROVAL_ABOVE,
    Account,
    Payout,
    PayoutStatus,
    RailAccount,
)
from treasury.models.amounts import ZERO
from treasury.rail_list import payout_rail
from treasury.rails.base import Answer, PayoutRail
from treasury.refusals import WrongPayout
from treasury.services.advance_order import advance_order, apply_order_answer, confirm_order
from treasury.services.decide_payment import approve, ask_second_person, cancel, deny
from treasury.services.order_kind import record_step
from treasury.services.payout_kind import PAYOUTS, lock_payouts

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
    record_step(PAYOUTS, payout, reason=payout.reason, actor=actor, now=now)
    if _alone(payout) + amount > PAYOUT_APPROVAL_ABOVE:
        _ask(payout, actor=actor, now=now)
    else:
        PAYOUTS.move(payout, PayoutStatus.APPROVED, actor=actor, now=now, ask_at=now)
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
    ).exclude(status__in=(PayoutStatus.PROPOSED, *ENDED))
    return sum(others.exclude(pk=payout.pk).values_list("amount", flat=True), ZERO)


def _ask(payout: Payout, *, actor: Actor, now: datetime) -> None:
    amount = format(payout.amount, "f")
    ask_second_person(
        payout,
        PAYOUT,
        terms={"payout": payout.pk, "amount": amount, "destination": payout.destination},
        effect=f"{payout.amount:.2f} {payout.currency} of rail {payout.rail_account_id} go to the "
        f"bank account {payout.destination}.",
        actor=actor,
        now=now,
        ask_at=now,
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    approve(PAYOUTS, approval.change["payout"], approval, actor=actor, now=now, ask_at=now)


def advance_payout(payout_id: int, *, now: datetime) -> Payout:
    """Do the next thing for a payout. As `advance_order`."""
    return advance_order(PAYOUTS, payout_id, now=now)


def apply_payout_answer(payout_id: int, answer: Answer, *, now: datetime) -> Payout:
    """Carry a payout on by an answer of its rail. As `apply_order_answer`."""
    return apply_order_answer(PAYOUTS, payout_id, answer, now=now)


def confirm_payout(payout_id: int, *, reference: str, actor: Actor, now: datetime) -> Payout:
    """A person knows that the rail has paid it out: it is booked. `reference`: how the vendor names
    it. Refusals: WrongPayout, PayoutNotFound, PayoutEnded, PeriodClosed."""
    return confirm_order(PAYOUTS, payout_id, reference=reference, actor=actor, now=now)


def deny_payout(payout_id: int, *, reason: str, actor: Actor, now: datetime) -> Payout:
    """A person knows that no money left the rail and none will. Refusals: WrongPayout,
    PayoutNotFound, PayoutEnded."""
    return deny(PAYOUTS, payout_id, reason=reason, actor=actor, now=now)


def cancel_payout(payout_id: int, *, reason: str, actor: Actor, now: datetime) -> Payout:
    """Cancel a payout before anything was sent. Refusals: as `deny_payout`."""
    return cancel(PAYOUTS, payout_id, reason=reason, actor=actor, now=now)


PAYOUT = approvals.register(
    ApprovalKind(
        slug="payout",
        meaning="Somebody asked for money of a rail to go to the organisation's own bank account, "
        "above the amount that one person decides. Approving lets Butler ask the rail for it.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
