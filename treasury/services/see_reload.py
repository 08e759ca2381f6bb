"""Book the reloads of credit that a provider makes by itself: they are seen, never started."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.db import transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.balances.base import ListedReload
from treasury.bounds import spent
from treasury.ledger_days import ledger_day
from treasury.models import (
    AccountKind,
    BalanceSnapshot,
    ClosedPeriod,
    Purchase,
    PurchaseMethod,
    PurchasePolicy,
    PurchaseStatus,
    ReloadEvidence,
    ReloadSource,
    Transfer,
    TransferKind,
)
from treasury.models.amounts import ZERO
from treasury.queries.balances_of_credit import latest_readings
from treasury.refusals import WrongPurchase
from treasury.reloads import SAME_WITHIN, Approved, Reading, beyond, is_same, middle, reload_between
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.add_receipt import ReceiptFile, keep_receipt
from treasury.services.apply_answer import credit as book_credit
from treasury.services.pending import UNTIL_KNOWN, begin_pending, post_pending
from treasury.services.purchase_alerts import tell_of_reload
from treasury.services.purchase_steps import lock_policy, write_step
from treasury.services.record_funding import funding_account
from treasury.services.transfer import Entry, lock_accounts, transfer

_ACTOR = Actor.job("balances")


@dataclass(frozen=True, kw_only=True)
class ReloadInvoice:
    """What a provider's invoice says of a reload, and its file."""

    amount: Decimal
    occurred_on: date
    invoice: str
    file: ReceiptFile | None = None


@dataclass(frozen=True, kw_only=True)
class _Sighting:
    """A reload as somebody has seen it."""

    source: str
    amount: Decimal
    at: datetime
    snapshot: BalanceSnapshot | None = None
    invoice: str = ""


@transaction.atomic(durable=True)
def record_reload(
    policy_id: int, told: ReloadInvoice, *, actor: Actor, now: datetime
) -> tuple[Purchase, bool]:
    """A person enters what a provider has reloaded by itself; returns the purchase and whether it
    is new.

    The same invoice is one purchase, and so is a reload that was seen in the balance before.
    Refusals: WrongPurchase, ReceiptUnreadable.
    """
    policy = lock_policy(policy_id)
    _check(policy, told, now=now)
    sighting = _Sighting(
        source=ReloadSource.PERSON,
        amount=told.amount,
        at=min(datetime.combine(told.occurred_on, time(12), tzinfo=ZoneInfo(policy.zone)), now),
        invoice=told.invoice.strip()[:200],
    )
    purchase, is_new = _book(policy, sighting, actor=actor, now=now)
    if told.file is not None:
        keep_receipt(purchase, told.file, actor=actor, now=now)
    return purchase, is_new


@transaction.atomic(durable=True)
def see_reload(policy_id: int, *, now: datetime) -> Purchase | None:
    """Book a reload if the latest reading of the balance shows one; the same reading shows it once.

    Only a credit whose policy names a payee of method *vendor* is looked at.
    """
    policy = PurchasePolicy.objects.filter(pk=policy_id).select_related("payee").first()
    if policy is None or policy.payee.method != PurchaseMethod.VENDOR:
        return None
    policy = lock_policy(policy_id)
    readings = latest_readings(policy.credit_account, 2)
    if len(readings) < 2 or ReloadEvidence.objects.filter(snapshot=readings[0]).exists():
        return None
    last, before = readings
    entered = _entered_between(policy, before.as_of, last.as_of)
    # What a person has entered in between is in the ledger already.
    known = entered.amount if entered else ZERO
    amount = reload_between(_reading(before), _reading(last, less=known))
    if not amount:
        return None
    sighting = _Sighting(
        source=ReloadSource.BALANCE,
        amount=amount,
        at=middle(before.as_of, last.as_of),
        snapshot=last,
    )
    return _book(policy, sighting, actor=_ACTOR, now=now)[0]


@transaction.atomic(durable=True)
def see_listed_reloads(
    policy_id: int, listed: Sequence[ListedReload], *, now: datetime
) -> list[Purchase]:
    """Book what the provider lists as reloaded by itself since the credit was opened; returns those
    that are new. Each is booked once, also if a person has entered its invoice before.

    Only a credit whose policy names a payee of method *vendor* is looked at.
    """
    policy = PurchasePolicy.objects.filter(pk=policy_id).select_related("payee").first()
    if policy is None or policy.payee.method != PurchaseMethod.VENDOR:
        return []
    policy = lock_policy(policy_id)
    new = [each for each in listed if each.at >= policy.credit_account.created_at]
    booked = [
        _book(
            policy,
            _Sighting(
                source=ReloadSource.LISTED,
                amount=each.amount,
                at=min(each.at, now),
                invoice=each.name,
            ),
            actor=_ACTOR,
            now=now,
        )
        for each in sorted(new, key=lambda each: each.at)
    ]
    return [purchase for purchase, is_new in booked if is_new]


def _entered_between(policy: PurchasePolicy, since: datetime, until: datetime) -> Purchase | None:
    return (
        policy.purchases.filter(settled_at__gt=since, settled_at__lte=until)
        .exclude(evidence__source=ReloadSource.BALANCE)
        .filter(evidence__source=ReloadSource.PERSON)
        .order_by("pk")
        .first()
    )


def _check(policy: PurchasePolicy, told: ReloadInvoice, *, now: datetime) -> None:
    if policy.payee.method != PurchaseMethod.VENDOR:
        raise WrongPurchase("The provider does not reload this credit by itself.")
    if not told.invoice.strip():
        raise WrongPurchase("Give the number of the provider's invoice or receipt.")
    scale = policy.payee.rail_account.scale
    if not told.amount.is_finite() or told.amount <= 0 or told.amount != round(told.amount, scale):
        raise WrongPurchase(f"The amount must be more than 0, with at most {scale} decimal places.")
    if told.occurred_on > (now + timedelta(days=1)).date():
        raise WrongPurchase("A reload of the future cannot have been seen.")


def _reading(snapshot: BalanceSnapshot, *, less: Decimal = ZERO) -> Reading:
    return Reading(
        amount=snapshot.amount,
        granted=snapshot.granted,
        ledger=snapshot.ledger - less,
        in_transit=snapshot.in_transit,
    )


def _book(
    policy: PurchasePolicy, sighting: _Sighting, *, actor: Actor, now: datetime
) -> tuple[Purchase, bool]:
    """The purchase of a sighting and whether it is new. The policy is locked."""
    if sighting.invoice and (earlier := _by_invoice(policy, sighting)):
        return earlier, False
    purchase = _seen_before(policy, sighting)
    is_new = purchase is None
    if purchase is None:
        purchase = _purchase(policy, sighting, actor=actor, now=now)
    _keep_evidence(purchase, sighting, actor=actor, now=now)
    if is_new:
        _compare(policy, purchase, sighting, now=now)
    return purchase, is_new


def _by_invoice(policy: PurchasePolicy, sighting: _Sighting) -> Purchase | None:
    """The purchase of the same invoice. Refusals: WrongPurchase if it was of another amount."""
    earlier = ReloadEvidence.objects.filter(
        purchase__policy=policy, invoice=sighting.invoice
    ).first()
    if earlier is None:
        return None
    if earlier.amount != sighting.amount:
        raise WrongPurchase(
            f"Invoice {sighting.invoice} is that of purchase {earlier.purchase_id}, and was "
            f"entered with {earlier.amount:f}."
        )
    return earlier.purchase


def _seen_before(policy: PurchasePolicy, sighting: _Sighting) -> Purchase | None:
    """The purchase that is the same reload, seen by another source; of several, the closest."""
    others = (
        policy.purchases.filter(
            payee__method=PurchaseMethod.VENDOR,
            reserved_at__gte=sighting.at - SAME_WITHIN,
            reserved_at__lte=sighting.at + SAME_WITHIN,
        )
        .exclude(evidence__source=sighting.source)
        .select_related("payee")
    )
    same = [
        each
        for each in others
        if each.reserved_at
        and is_same(sighting.amount, each.amount, apart=sighting.at - each.reserved_at)
    ]
    return min(same, key=lambda each: (abs(each.amount - sighting.amount), each.pk), default=None)


def _purchase(
    policy: PurchasePolicy, sighting: _Sighting, *, actor: Actor, now: datetime
) -> Purchase:
    """The purchase, with its money from the rail to the credit, all in this transaction."""
    payee, key = policy.payee, uuid4()
    journal = uuid4()
    _cover(policy, sighting, journal, actor=actor, now=now)
    entry = Entry(
        debit=payee.transit_account.name,
        credit=payee.rail_account.name,
        amount=sighting.amount,
        kind=TransferKind.PURCHASE,
        effective_on=_open_day(sighting.at),
        reference=sighting.invoice,
        idempotency_key=f"reload {key}",
    )
    (pending,) = begin_pending(
        [entry], expires_at=now + UNTIL_KNOWN, journal=journal, actor=actor, now=now
    )
    purchase = _insert(policy, sighting, key, pending, actor=actor, now=now)
    post_pending(
        pending,
        effective_on=entry.effective_on,
        reference=purchase.address,
        actor=actor,
        now=now,
    )
    write_step(purchase, note="The provider reloaded it by itself.", actor=actor, now=now)
    book_credit(purchase, actor=actor, now=now)
    return purchase


def _cover(
    policy: PurchasePolicy, sighting: _Sighting, journal: UUID, *, actor: Actor, now: datetime
) -> None:
    """What the account has too little of, the provider has taken from a card: it comes from
    outside, as other funding does."""
    rail = policy.payee.rail_account
    name = funding_account(rail)
    terms = AccountTerms(name=name, kind=AccountKind.FUNDING, currency=rail.currency)
    open_account(terms, actor=actor, now=now)
    names = (rail.name, name, policy.payee.transit_account.name, policy.credit_account.name)
    missing = sighting.amount - lock_accounts(names)[rail.name].available
    if missing <= 0:
        return
    entry = Entry(
        debit=rail.name,
        credit=name,
        amount=missing,
        kind=TransferKind.FUNDING,
        effective_on=_open_day(sighting.at),
        reference=sighting.invoice,
        idempotency_key=f"reload {journal} is paid",
    )
    transfer([entry], journal=journal, actor=actor, now=now)


def _open_day(at: datetime) -> date:
    """The day of the reload, or the first one after the closed period."""
    closed = ClosedPeriod.objects.values_list("through", flat=True).first()
    day = ledger_day(at)
    return max(day, closed + timedelta(days=1)) if closed else day


def _insert(
    policy: PurchasePolicy,
    sighting: _Sighting,
    key: UUID,
    pending: Transfer,
    *,
    actor: Actor,
    now: datetime,
) -> Purchase:
    return Purchase.objects.create(
        policy=policy,
        payee=policy.payee,
        key=key,
        amount=sighting.amount,
        currency=policy.payee.credit_account.currency,
        status=PurchaseStatus.SETTLED,
        is_automatic=False,
        reason="The provider reloads this credit by itself.",
        proposed_by=str(actor),
        proposed_at=now,
        reserved_at=sighting.at,
        pending=pending,
        vendor_id=sighting.invoice,
        settled_at=now,
    )


def _keep_evidence(purchase: Purchase, sighting: _Sighting, *, actor: Actor, now: datetime) -> None:
    evidence = ReloadEvidence.objects.create(
        purchase=purchase,
        source=sighting.source,
        amount=sighting.amount,
        snapshot=sighting.snapshot,
        invoice=sighting.invoice,
        occurred_on=ledger_day(sighting.at),
        seen_by=str(actor),
        seen_at=now,
    )
    note = f"Seen: {evidence.get_source_display()}, {evidence.amount:f} {purchase.currency}."
    write_step(purchase, note=note, actor=actor, now=now)
    audit.record(
        actor=actor,
        action=Action.RELOAD_SEE,
        subject=purchase.address,
        after={
            "source": evidence.source,
            "amount": evidence.amount,
            "invoice": evidence.invoice,
            "snapshot": evidence.snapshot_id,
        },
        at=now,
    )


def _compare(
    policy: PurchasePolicy, purchase: Purchase, sighting: _Sighting, *, now: datetime
) -> None:
    """Tell people if the reload is more than was approved. It counts for the bounds anyway."""
    counted = spent(policy, now=sighting.at)
    approved = Approved(
        per_purchase_max=policy.per_purchase_max,
        daily_max=policy.daily_max,
        monthly_max=policy.monthly_max,
        approval_above=policy.approval_above,
        is_paused=policy.paused_at is not None,
    )
    why = beyond(approved, purchase.amount, of_day=counted.of_day, of_month=counted.of_month)
    if why:
        tell_of_reload(purchase, why=why, now=now)
