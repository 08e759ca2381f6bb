"""Propose purchases of credit."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from common.formatting import dollars
from security import approvals
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from treasury.bounds import check_bounds, spent
from treasury.ledger_days import ledger_day
from treasury.models import Purchase, PurchaseMethod, PurchasePolicy, PurchaseStatus
from treasury.refusals import PolicyPaused, PurchaseOpen, WrongPurchase
from treasury.services.decide_payment import approve, ask_second_person
from treasury.services.purchase_exchange import price
from treasury.services.purchase_steps import PURCHASES, lock_policy, move, write_step

_Status = PurchaseStatus


@transaction.atomic(durable=True)
def propose_purchase(
    policy_id: int, amount: Decimal, *, reason: str, actor: Actor, now: datetime
) -> Purchase:
    """Propose to buy credit by a policy; an amount that needs no second person is approved at once.

    One purchase of a policy is open at a time, so what is proposed twice is bought once. Refusals:
    WrongPurchase, PolicyPaused, PurchaseOpen, PurchaseBoundReached,
    WrongExchange (no rate is known by which the rail could pay it).
    """
    return propose(lock_policy(policy_id), amount, reason=reason, actor=actor, now=now)


def propose(  # noqa: PLR0913  (each by name)
    policy: PurchasePolicy,
    amount: Decimal,
    *,
    reason: str,
    is_automatic: bool = False,
    actor: Actor,
    now: datetime,
) -> Purchase:
    """As `propose_purchase`, with the policy locked, in the caller's transaction."""
    _check(policy, amount, reason, now=now)
    if open_one := policy.purchases.open().first():
        raise PurchaseOpen(purchase_id=open_one.pk)
    check_bounds(policy, amount, spent(policy, now=now))
    purchase = Purchase.objects.create(
        policy=policy,
        payee=policy.payee,
        amount=amount,
        currency=policy.payee.credit_account.currency,
        is_automatic=is_automatic,
        reason=reason[:300],
        proposed_by=str(actor),
        proposed_at=now,
    )
    write_step(purchase, note=reason, actor=actor, now=now)
    if amount > policy.approval_above:
        _ask(purchase, actor=actor, now=now)
    else:
        note = f"No second person is needed up to {dollars(policy.approval_above)}."
        move(purchase, _Status.APPROVED, note=note, actor=actor, now=now)
    return purchase


def _check(policy: PurchasePolicy, amount: Decimal, reason: str, *, now: datetime) -> None:
    if policy.paused_at:
        raise PolicyPaused(reason=policy.paused_reason)
    if policy.payee.method == PurchaseMethod.VENDOR:
        raise WrongPurchase(
            f"{policy.payee.provider_id} reloads this credit by itself. Record what it has bought "
            "instead."
        )
    if policy.payee.retired_at:
        raise WrongPurchase(f"{policy.payee} is not on the list of payees any more.")
    if not reason.strip():
        raise WrongPurchase("Say why credit is bought.")
    if policy.payee.is_exchanged:
        price(policy.payee, amount, day=ledger_day(now))
    scale = policy.payee.scale
    if not amount.is_finite() or amount <= 0 or amount != round(amount, scale):
        raise WrongPurchase(f"The amount must be more than 0, with at most {scale} decimal places.")


def _ask(purchase: Purchase, *, actor: Actor, now: datetime) -> None:
    payee = purchase.payee
    ask_second_person(
        purchase,
        PURCHASE,
        terms={"purchase": purchase.pk, "amount": format(purchase.amount, "f")},
        effect=(
            f"{payee.destination} is paid {purchase.amount:f} {purchase.currency} by {payee.rail} "
            f"for credit of {payee.provider_id}{_by_rate(purchase)}."
        ),
        actor=actor,
        now=now,
    )


def _by_rate(purchase: Purchase) -> str:
    """In which other currency the rail pays it, and by which rate it was about how much."""
    if not purchase.payee.is_exchanged:
        return ""
    asked = price(purchase.payee, purchase.amount, day=ledger_day(purchase.proposed_at))
    return (
        f", in {asked.currency}: about {asked.amount:f} by the rate of {asked.found.day}; that of "
        "the day on which it is set aside counts"
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    approve(PURCHASES, approval.change["purchase"], approval, actor=actor, now=now)


PURCHASE = approvals.register(
    ApprovalKind(
        slug="purchase",
        meaning="A purchase of credit costs more than its policy allows without a second person. "
        "Approving lets Butler pay it.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)
