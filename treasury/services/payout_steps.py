"""The move of a payout from one status to the next, and its entries in the ledger."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from alerts import services as alerts
from security import audit
from security.actor import Actor
from treasury.alert_kinds import PAYOUT_WAITS
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import PAYOUT_ENDED, Account, Payout, PayoutStatus, Transfer, TransferKind
from treasury.refusals import PayoutEnded, PayoutNotFound
from treasury.services.own_transfers import transit_account
from treasury.services.pending import begin_pending, post_pending
from treasury.services.transfer import Entry, transfer

PAYER = Actor.job("payouts")
# What is unknown stays set aside until it is known: no clock gives it back.
_NEVER = timedelta(days=36_500)


def lock_payouts(slug: str) -> None:
    """Keep others from asking for payouts of a rail until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"payout {slug}"])


def lock_payout(payout_id: int, *statuses: str) -> Payout:
    """The payout, locked. Refusals: PayoutNotFound, PayoutEnded."""
    rows = Payout.objects.select_for_update(of=("self",), no_key=True)
    payout = rows.select_related("pending", "transfer", "approval", "rail_account")
    found = payout.filter(pk=payout_id).first()
    if found is None:
        raise PayoutNotFound(payout_id=payout_id)
    if statuses and found.status not in statuses:
        raise PayoutEnded(payout_id=payout_id, status=found.status)
    return found


def move(
    payout: Payout, status: str, *, note: str = "", actor: Actor, now: datetime, **columns: Any
) -> None:
    """Set the status and the columns of a locked payout. Joins the caller's transaction."""
    before = payout.status
    if status in PAYOUT_ENDED:
        columns |= {"ended_at": now, "ask_at": None}
    change(payout, status=status, note=(note or payout.note)[:300], **columns)
    record(payout, before=before, reason=note, actor=actor, now=now)
    _tell(payout, before=before, now=now)


def change(payout: Payout, **columns: Any) -> None:
    """Set columns of a locked payout."""
    for name, value in columns.items():
        setattr(payout, name, value)
    Payout.objects.filter(pk=payout.pk).update(**columns)


def record(payout: Payout, *, before: str, reason: str, actor: Actor, now: datetime) -> None:
    """Write a step of the payout into the audit."""
    audit.record(
        actor=actor,
        action=Action.PAYOUT_MOVE,
        subject=payout.address,
        related=[f"rail:{payout.rail_account_id}"],
        before={"status": before} if before else None,
        after={
            "status": payout.status,
            "amount": payout.amount,
            "currency": payout.currency,
            "destination": payout.destination,
        },
        reason=reason,
        at=now,
    )


def _tell(payout: Payout, *, before: str, now: datetime) -> None:
    key = f"{PAYOUT_WAITS.slug}:{payout.pk}"
    if payout.status == PayoutStatus.NEEDS_PERSON:
        alerts.raise_alert(
            kind=PAYOUT_WAITS,
            dedup_key=key,
            title=f"A payout waits for a person: {payout.amount:.2f} {payout.currency}",
            detail=payout.note,
            facts={"payout_id": payout.pk},
            now=now,
        )
    elif before == PayoutStatus.NEEDS_PERSON:
        alerts.resolve_by_key(key, actor=PAYER, note=f"It is {payout.status} now.", now=now)


def set_aside(payout: Payout, *, now: datetime) -> Transfer:
    """Set aside what leaves the rail. Joins the caller's transaction. Refusals: AccountOverdrawn,
    PeriodClosed."""
    rail = Account.objects.get(name=payout.rail_account.address)
    entry = Entry(
        debit=transit_account(rail, actor=PAYER, now=now).name,
        credit=rail.name,
        amount=payout.amount,
        kind=TransferKind.OWN,
        effective_on=ledger_day(now),
        reference=payout.address,
        idempotency_key=f"payout {payout.key}",
    )
    (pending,) = begin_pending([entry], expires_at=now + _NEVER, actor=PAYER, now=now)
    return pending


def book(payout: Payout, *, actor: Actor, now: datetime) -> None:
    """The rail has paid out a locked payout: the money is in transit. Joins the caller's
    transaction. Refusals: PeriodClosed."""
    if payout.pending is None:
        raise ValueError(f"{payout} has nothing set aside.")
    booked = post_pending(
        payout.pending,
        effective_on=ledger_day(now),
        reference=payout.vendor_id,
        actor=actor,
        now=now,
    )
    move(
        payout,
        PayoutStatus.SETTLED,
        note=payout.note,
        actor=actor,
        now=now,
        transfer=booked,
        settled_at=now,
    )


def take_back(payout: Payout, *, note: str, now: datetime) -> None:
    """A payout that was settled has failed later: its money is on the rail again. Joins the
    caller's transaction. Refusals: AccountOverdrawn, if it has arrived; PeriodClosed."""
    booked = payout.transfer
    if booked is None:
        raise ValueError(f"{payout} was never booked.")
    entry = Entry(
        debit=booked.credit.name,
        credit=booked.debit.name,
        amount=booked.amount,
        kind=TransferKind.REVERSAL,
        effective_on=ledger_day(now),
        reference=payout.vendor_id,
        corrects=booked,
        idempotency_key=f"{payout.address} failed",
    )
    (returned,) = transfer([entry], journal=booked.journal, actor=PAYER, now=now)
    move(payout, PayoutStatus.DECLINED, note=note, actor=PAYER, now=now, returned=returned)
