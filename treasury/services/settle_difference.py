"""Settle differences: explain, accept or adjust them, each with a reason."""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from keys import services as keys
from keys.books.queries.charges import figures
from keys.models import Charge
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated
from treasury.audit_actions import Action
from treasury.models import (
    Account,
    AccountKind,
    ClosedPeriod,
    Difference,
    DifferenceStatus,
    ProviderName,
    Transfer,
    TransferKind,
)
from treasury.models.amounts import PLACES
from treasury.reconciliation.differences import DifferenceKind
from treasury.refusals import DifferenceSettled, WrongDifference
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.reconcile import tell
from treasury.services.transfer import Entry, transfer

_STATUS = DifferenceStatus
_UNEXPLAINED = "unexplained:usd"


@transaction.atomic(durable=True)
def explain_difference(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    """Say why a difference is as it is. Refusals: DifferenceSettled, WrongDifference."""
    found = _open(difference_id, reason)
    return _settle(found, _STATUS.EXPLAINED, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def learn_names(difference_id: int, *, reason: str, actor: Actor, now: datetime) -> Difference:
    """Explain a difference of names: later comparisons know that both names mean the same.

    Refusals: DifferenceSettled, WrongDifference.
    """
    found = _open(difference_id, reason)
    if found.kind != DifferenceKind.OTHER_NAME:
        raise WrongDifference("Only a difference of names has other names.")
    kinds = ProviderName.Kind
    for kind, theirs, ours in (
        (kinds.KEY, found.their_key, found.api_key),
        (kinds.MODEL, found.their_model, found.model),
    ):
        if theirs and theirs != ours:
            _add_name(found, kind, theirs, ours, reason=reason, actor=actor, now=now)
    return _settle(found, _STATUS.EXPLAINED, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def accept_difference(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    """Leave a difference as it is. Refusals: DifferenceSettled, WrongDifference."""
    found = _open(difference_id, reason)
    return _settle(found, _STATUS.ACCEPTED, reason=reason, actor=actor, now=now)


def adjust_difference(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference | Approval:
    """Correct what the provider bills otherwise.

    Where one call is known, its charge counts for what the provider bills, at once. Otherwise, a
    second person approves a transfer between the provider's credit and *unexplained*. Refusals:
    DifferenceSettled, WrongDifference, and those of `keys.adjust_charge`.
    """
    found = Difference.objects.get(pk=difference_id)
    _check(found, reason)
    if found.charge_id is not None:
        return _adjust_charge(found, reason=reason, actor=actor, now=now)
    return _ask(found, reason=reason, actor=actor, now=now)


def _adjust_charge(found: Difference, *, reason: str, actor: Actor, now: datetime) -> Difference:
    """In two transactions, since the books own theirs; the key makes the first one repeatable."""
    charge = Charge.objects.get(pk=found.charge_id or 0)
    cost = round(found.theirs, PLACES)
    if found.kind == DifferenceKind.PRICE:
        # The sums of a group, of which this call is the only one that differs.
        cost = figures(charge)["cost"] + round(found.amount, PLACES)
    if cost < 0:
        raise WrongDifference("The charge would cost less than nothing. Explain the difference.")
    counts = {**figures(charge), "cost": cost}
    keys.adjust_charge(
        charge_id=charge.pk,
        usage=_usage(counts),
        cost=cost,
        reason=reason,
        actor=actor,
        idempotency_key=f"difference {found.pk}",
        now=now,
    )
    with transaction.atomic(durable=True):
        found = _open(found.pk, reason)
        return _settle(found, _STATUS.ADJUSTED, reason=reason, actor=actor, now=now)


def _usage(counts: dict[str, Any]) -> keys.Usage:
    """What the charge counts for besides its cost, which stays."""
    names = {each.name for each in fields(keys.Usage)} & counts.keys()
    return keys.Usage(**{name: counts[name] for name in names}, total=counts["tokens"])


@transaction.atomic(durable=True)
def _ask(found: Difference, *, reason: str, actor: Actor, now: datetime) -> Approval:
    credit = _credit(found)
    direction = "from" if found.amount > 0 else "to"
    return security.ask_approval(
        kind=ADJUSTMENT,
        subject=f"difference:{found.pk}",
        change={"difference": found.pk},
        effect=f"{abs(found.amount):f} USD move {direction} {credit} as unexplained: {found.kind} "
        f"on {found.day}.",
        reason=reason,
        actor=actor,
        now=now,
    )[0]


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    try:
        found = _open(approval.change["difference"], approval.reason)
        found.transfer = _post(found, actor=actor, now=now)
    except (DifferenceSettled, WrongDifference) as refusal:
        raise ApprovalOutdated(refusal.detail) from refusal
    _settle(found, _STATUS.ADJUSTED, reason=approval.reason, actor=actor, now=now)


ADJUSTMENT = approvals.register(
    ApprovalKind(
        slug="reconciliation_adjustment",
        meaning="Somebody asked to correct the credit of a provider by what its bill differs from "
        "the charges. Approving moves the amount between the credit and what is unexplained.",
        permission="treasury.decide_purchase",
        apply=_apply,
    )
)


def _post(found: Difference, *, actor: Actor, now: datetime) -> Transfer:
    credit = _credit(found)
    terms = AccountTerms(name=_UNEXPLAINED, kind=AccountKind.UNEXPLAINED, currency="USD")
    open_account(terms, actor=actor, now=now)
    closed = ClosedPeriod.objects.values_list("through", flat=True).first()
    is_more = found.amount > 0
    entry = Entry(
        debit=_UNEXPLAINED if is_more else credit.name,
        credit=credit.name if is_more else _UNEXPLAINED,
        amount=round(abs(found.amount), PLACES),
        kind=TransferKind.ADJUSTMENT,
        effective_on=max(found.day, closed + timedelta(days=1)) if closed else found.day,
        reference=f"difference:{found.pk}",
        idempotency_key=f"difference {found.pk}",
    )
    return transfer([entry], actor=actor, now=now)[0]


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


def _open(difference_id: int, reason: str) -> Difference:
    found = Difference.objects.select_for_update(no_key=True).get(pk=difference_id)
    _check(found, reason)
    return found


def _check(found: Difference, reason: str) -> None:
    if found.status != _STATUS.OPEN:
        raise DifferenceSettled(difference_id=found.pk, difference_status=found.status)
    if not reason.strip():
        raise WrongDifference("Say why.")


def _settle(
    found: Difference, status: str, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    found.status, found.reason = status, reason.strip()[:300]
    found.settled_by, found.settled_at = str(actor), now
    found.save(update_fields=["status", "reason", "settled_by", "settled_at", "transfer"])
    audit.record(
        actor=actor,
        action=Action.DIFFERENCE_SETTLE,
        subject=f"difference:{found.pk}",
        before={"status": _STATUS.OPEN},
        after={"status": status, "kind": found.kind, "amount": f"{found.amount:f}"},
        reason=found.reason,
        at=now,
    )
    tell(found.provider_id, actor=actor, now=now)
    return found


def _add_name(  # noqa: PLR0913  (each by name)
    found: Difference,
    kind: str,
    theirs: str,
    ours: str,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    terms = {"provider": found.provider_id, "kind": kind, "theirs": theirs, "ours": ours}
    reason = reason.strip()[:300]
    added = {"ours": ours, "reason": reason, "added_by": str(actor), "added_at": now}
    name, _ = ProviderName.objects.get_or_create(
        provider_id=found.provider_id, kind=kind, theirs=theirs, defaults=added
    )
    if name.ours != ours:
        raise WrongDifference(f"{theirs} is a name of {name.ours} already.")
    audit.record(
        actor=actor,
        action=Action.PROVIDER_NAME_ADD,
        subject=f"provider:{found.provider_id}",
        after=terms,
        reason=reason,
        at=now,
    )
