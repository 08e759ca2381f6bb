"""Adjust what a provider bills otherwise: a charge of the books, or a sum in the ledger."""

from contextlib import suppress
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django_q.tasks import async_task

from common.refusal import Refusal
from keys import services as keys
from keys.books.queries.charges import figures
from keys.models import Charge
from security import approvals
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.models import (
    Account,
    AccountKind,
    ClosedPeriod,
    Difference,
    DifferenceStatus,
    RailMatch,
    Transfer,
    TransferKind,
)
from treasury.models.amounts import PLACES
from treasury.models.reconciliations import ALONE_MAX
from treasury.rail_statements.matching import RailDifferenceKind
from treasury.reconciliation.differences import DifferenceKind
from treasury.refusals import DifferenceSettled, WrongDifference
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.settle_difference import check_open, open_difference, settle
from treasury.services.transfer import Entry, transfer

_STATUS = DifferenceStatus


def adjust_difference(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference | Approval:
    """Correct what the provider bills otherwise.

    Where one call is known and the amount is small, its charge counts for what the provider bills,
    at once. Otherwise, a second person approves: a charge is corrected then, and a sum by a
    transfer between the provider's credit, or the account of a rail, and *unexplained*. Refusals:
    DifferenceSettled, WrongDifference, and those of `keys.adjust_charge`.
    """
    found = Difference.objects.select_related("account").get(pk=difference_id)
    check_open(found, reason)
    if found.charge_id is not None and abs(found.amount) <= ALONE_MAX:
        return _adjust_charge(found, reason=reason, actor=actor, now=now)
    return _ask(found, reason=reason, actor=actor, now=now)


def adjust_approved(*, actor: Actor, now: datetime) -> int:
    """Correct the charges that second persons have approved; how many. It may run twice: the key of
    the adjustment makes it one."""
    rows = Difference.objects.filter(status=_STATUS.OPEN, charge_id__isnull=False)
    adjusted = 0
    for found in rows.exclude(approved_persons=[]):
        # One that cannot be corrected must not hold up the others; it stays open.
        with suppress(Refusal):
            _adjust_charge(found, reason=found.reason, actor=actor, now=now)
            adjusted += 1
    return adjusted


def _adjust_charge(found: Difference, *, reason: str, actor: Actor, now: datetime) -> Difference:
    """In two transactions, since the books own theirs; the key makes the first one repeatable."""
    charge = Charge.objects.get(pk=found.charge_id or 0)
    key = f"difference {found.pk}"
    if not charge.adjustments.filter(idempotency_key=key).exists():
        cost = _billed_cost(found, charge)
        keys.adjust_charge(
            charge_id=charge.pk,
            usage=usage_with(charge, cost=cost),
            cost=cost,
            reason=reason,
            actor=actor,
            idempotency_key=key,
            now=now,
        )
    with transaction.atomic(durable=True):
        found = open_difference(found.pk, reason)
        return settle(found, _STATUS.ADJUSTED, reason=reason, actor=actor, now=now)


def _billed_cost(found: Difference, charge: Charge) -> Decimal:
    """What the charge counts for then. Refusals: WrongDifference."""
    cost = round(found.theirs, PLACES)
    if found.kind == DifferenceKind.PRICE:
        # The sums of a group, of which this call is the only one that differs.
        cost = figures(charge)["cost"] + round(found.amount, PLACES)
    if cost < 0:
        raise WrongDifference("The charge would cost less than nothing. Explain the difference.")
    return cost


def usage_with(charge: Charge, *, cost: Decimal) -> keys.Usage:
    """What the charge counts for besides its cost, which stays."""
    counts = {**figures(charge), "cost": cost}
    names = {each.name for each in fields(keys.Usage)} & counts.keys()
    return keys.Usage(**{name: counts[name] for name in names}, total=counts["tokens"])


@transaction.atomic(durable=True)
def _ask(found: Difference, *, reason: str, actor: Actor, now: datetime) -> Approval:
    return security.ask_approval(
        kind=ADJUSTMENT,
        subject=f"difference:{found.pk}",
        change={"difference": found.pk},
        effect=_effect(found),
        reason=reason,
        actor=actor,
        now=now,
    )[0]


def _effect(found: Difference) -> str:
    """What approving does. Refusals: WrongDifference."""
    if found.charge_id is not None:
        charge = Charge.objects.get(pk=found.charge_id)
        cost, before = _billed_cost(found, charge), figures(charge)["cost"]
        return f"Charge {charge.pk} counts for {cost:f} USD, no longer for {before:f} USD."
    debit, credit = _accounts(found)
    return (
        f"{abs(found.amount):f} {found.currency} move from {credit} to {debit}: {found.kind} on "
        f"{found.day}."
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    try:
        found = open_difference(approval.change["difference"], approval.reason)
        found.asked_persons = approval.asked_persons
        found.approved_persons = approval.decided_persons
        if found.charge_id is not None:
            _adjust_soon(found, approval)
            return
        found.transfer = _post(found, actor=actor, now=now)
    except (DifferenceSettled, WrongDifference) as refusal:
        raise ApprovalOutdated(refusal.detail) from refusal
    settle(found, _STATUS.ADJUSTED, reason=approval.reason, actor=actor, now=now)


def _adjust_soon(found: Difference, approval: Approval) -> None:
    """The books own the transaction that corrects a charge, so it follows this one."""
    found.reason = approval.reason[:300]
    found.save(update_fields=["reason", "asked_persons", "approved_persons"])
    async_task("treasury.jobs.adjust_approved")


ADJUSTMENT = approvals.register(
    ApprovalKind(
        slug="reconciliation_adjustment",
        meaning="Somebody asked to correct what the bill of a provider and the charges differ by. "
        "Approving corrects the charge of one call, or moves the amount between the credit and "
        "what is unexplained.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)


def _post(found: Difference, *, actor: Actor, now: datetime) -> Transfer:
    debit, credit = _accounts(found)
    open_account(_unexplained(found), actor=actor, now=now)
    # A balance is wrong before the day that begins with it.
    day = found.day - timedelta(days=found.kind == RailDifferenceKind.BALANCE)
    closed = ClosedPeriod.objects.values_list("through", flat=True).first()
    entry = Entry(
        debit=debit,
        credit=credit,
        amount=round(abs(found.amount), PLACES),
        kind=TransferKind.ADJUSTMENT,
        effective_on=max(day, closed + timedelta(days=1)) if closed else day,
        reference=f"difference:{found.pk}",
        idempotency_key=f"difference {found.pk}",
    )
    (posted,) = transfer([entry], actor=actor, now=now)
    _match_line(found, posted, now=now)
    return posted


def _match_line(found: Difference, posted: Transfer, *, now: datetime) -> None:
    """A line of a statement is what was recorded of it, and the correction."""
    if found.line is None:
        return
    for each in filter(None, (found.own_transfer, posted)):
        RailMatch.objects.create(line=found.line, transfer=each, rule="adjusted", matched_at=now)


def _accounts(found: Difference) -> tuple[str, str]:
    """The account that is debited and the one that is credited. Refusals: WrongDifference."""
    other = _unexplained(found).name
    if found.account is not None:
        if not found.amount or found.kind == RailDifferenceKind.MISSING_LINE:
            raise WrongDifference(
                "What is missing on the statement is corrected where it was recorded. Explain it."
            )
        own = found.account.name
        return (own, other) if found.amount > 0 else (other, own)
    own = _credit(found).name
    return (other, own) if found.amount > 0 else (own, other)


def _unexplained(found: Difference) -> AccountTerms:
    name = f"unexplained:{found.currency.lower()}"
    return AccountTerms(name=name, kind=AccountKind.UNEXPLAINED, currency=found.currency)


def _credit(found: Difference) -> Account:
    if not found.amount or found.currency != "USD":
        raise WrongDifference("Only an amount in USD can be adjusted. Explain the difference.")
    account = Account.objects.filter(
        name=f"credit:{found.provider_id}", kind=AccountKind.CREDIT, currency="USD"
    ).first()
    if account is None:
        raise WrongDifference(
            f"The ledger has no credit of {found.provider_id}. Propose a payee of it first."
        )
    return account
