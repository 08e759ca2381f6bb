"""Book refunds: those that were asked for, and those that a vendor made by itself."""

from datetime import datetime, timedelta
from decimal import Decimal

from security.actor import Actor
from treasury.ledger_days import ledger_day
from treasury.models import Refund, RefundSource, RefundStatus, Transfer, TransferKind
from treasury.services.pending import begin_pending, post_pending
from treasury.services.refund_steps import REFUNDER, Paid, move, record
from treasury.services.transfer import Entry, transfer

# What is unknown stays set aside until it is known: no clock gives it back.
_NEVER = timedelta(days=36_500)


def set_refund_aside(paid: Paid, refund: Refund, *, now: datetime) -> Transfer | None:
    """Set aside what leaves the rail; None for a purchase, whose money comes to it.

    Joins the caller's transaction. Refusals: AccountOverdrawn, PeriodClosed.
    """
    if refund.purchase_id is not None:
        return None
    entry = _entry(paid, refund, now=now)
    (pending,) = begin_pending(
        [entry],
        expires_at=now + _NEVER,
        journal=paid.transfer.journal,
        actor=REFUNDER,
        now=now,
    )
    return pending


def book_refund(paid: Paid, refund: Refund, *, actor: Actor, now: datetime) -> None:
    """The money of a locked refund went back. Joins the caller's transaction.

    Refusals: AccountOverdrawn, PeriodClosed.
    """
    if refund.pending is not None:
        booked = post_pending(
            refund.pending,
            effective_on=ledger_day(now),
            reference=refund.vendor_id,
            actor=actor,
            now=now,
        )
    else:
        entry = _entry(paid, refund, now=now)
        (booked,) = transfer([entry], journal=paid.transfer.journal, actor=actor, now=now)
    move(
        refund,
        RefundStatus.SETTLED,
        note=refund.note,
        actor=actor,
        now=now,
        transfer=booked,
        settled_at=now,
    )


def take_refund_back(refund: Refund, *, note: str, now: datetime) -> None:
    """A refund that was settled has failed later: its money is back where it came from."""
    booked = refund.transfer
    if booked is None:
        raise ValueError(f"{refund} was never booked.")
    entry = Entry(
        debit=booked.credit.name,
        credit=booked.debit.name,
        amount=booked.amount,
        kind=TransferKind.REVERSAL,
        effective_on=ledger_day(now),
        reference=refund.vendor_id,
        corrects=booked,
        idempotency_key=f"{refund.address} failed",
    )
    (returned,) = transfer([entry], journal=booked.journal, actor=REFUNDER, now=now)
    move(refund, RefundStatus.DECLINED, note=note, actor=REFUNDER, now=now, returned=returned)


def see_refunds(paid: Paid, told: Decimal | None, *, now: datetime) -> None:
    """Book what the vendor has given back by itself, which is what it tells beyond the refunds
    that Butler knows.

    While the rail has one of Butler's own under way, nothing is decided: the vendor may count it
    already. Joins the caller's transaction. Refusals: AccountOverdrawn, PeriodClosed.
    """
    if told is None or paid.reversed_at or paid.refunds().sent().exists():
        return
    known = paid.transfer.amount - paid.booked_left()
    more = min(told - known, paid.left())
    if more <= 0:
        return
    booked_as = Refund(
        **paid.terms,
        rail=paid.rail,
        amount=more,
        currency=paid.transfer.currency,
        source=RefundSource.VENDOR,
        status=RefundStatus.SETTLED,
        reason="The vendor gave it back by itself.",
        asked_by=str(REFUNDER),
        asked_at=now,
        settled_at=now,
    )
    entry = _entry(paid, booked_as, now=now)
    (booked_as.transfer,) = transfer(
        [entry], journal=paid.transfer.journal, actor=REFUNDER, now=now
    )
    booked_as.save(force_insert=True)
    record(booked_as, before="", reason=booked_as.reason, actor=REFUNDER, now=now)


def _entry(paid: Paid, refund: Refund, *, now: datetime) -> Entry:
    """The way back of what was paid."""
    return Entry(
        debit=paid.debit.name,
        credit=paid.credit.name,
        amount=refund.amount,
        kind=TransferKind.REVERSAL,
        effective_on=ledger_day(now),
        reference=refund.vendor_id or paid.name,
        corrects=paid.transfer,
        idempotency_key=f"refund {refund.key}",
    )
