"""Transfers in two phases: set an amount aside, then post it, give it back, or let it expire."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from security.actor import Actor
from treasury.models import Phase, Transfer
from treasury.refusals import ExceedsPendingTransfer, TransferEnded, WrongTransfer
from treasury.services.transfer import Entry, lock_accounts, record, row

# What is unknown stays set aside until it is known: no clock gives it back.
UNTIL_KNOWN = timedelta(days=36_500)
_EXPIRED_AT_ONCE = 100
_ACTOR = Actor.job("expiry of transfers")


def begin_pending(
    entries: Collection[Entry],
    *,
    expires_at: datetime,
    journal: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> list[Transfer]:
    """Set amounts aside until `expires_at`, all of them or none; in the order of `entries`.

    What is set aside leaves `available` of the account that it would leave, and arrives nowhere.
    Joins the caller's transaction. Refusals: as `transfer`.
    """
    if expires_at <= now:
        raise WrongTransfer("A pending transfer must expire in the future.")
    accounts = lock_accounts({name for each in entries for name in (each.debit, each.credit)})
    journal = journal or uuid4()
    rows = [
        row(
            each,
            accounts=accounts,
            journal=journal,
            phase=Phase.PENDING,
            expires_at=expires_at,
            actor=actor,
            now=now,
        )
        for each in entries
    ]
    return record(rows, accounts=accounts)


def post_pending(
    pending: Transfer,
    *,
    amount: Decimal | None = None,
    effective_on: date,
    reference: str = "",
    actor: Actor,
    now: datetime,
) -> Transfer:
    """Post a pending transfer; the rest of it, if `amount` is less, is free again.

    Joins the caller's transaction. The same call again returns the same transfer. Refusals:
    ExceedsPendingTransfer, TransferEnded, PeriodClosed, WrongTransfer.
    """
    amount = pending.amount if amount is None else amount
    if amount > pending.amount:
        raise ExceedsPendingTransfer(transfer_id=pending.pk, pending=pending.amount, amount=amount)
    return _end(
        pending,
        Phase.POST,
        amount=amount,
        effective_on=effective_on,
        reference=reference,
        actor=actor,
        now=now,
    )


def void_pending(pending: Transfer, *, effective_on: date, actor: Actor, now: datetime) -> Transfer:
    """Give back what a pending transfer has set aside. Joins the caller's transaction; the same
    call again returns the same transfer. Refusals: TransferEnded, PeriodClosed."""
    return _end(
        pending,
        Phase.VOID,
        amount=pending.amount,
        effective_on=effective_on,
        actor=actor,
        now=now,
    )


def expire_pending(*, today: date, now: datetime) -> int:
    """Give back what has expired by `now`, a hundred at most; how many were.

    `today`: the day that the expiry belongs to.
    """
    overdue = Transfer.objects.filter(phase=Phase.PENDING, expires_at__lte=now, ended_by=None)
    return sum(
        _expire(pending, today=today, now=now)
        for pending in overdue.order_by("expires_at")[:_EXPIRED_AT_ONCE]
    )


@transaction.atomic(durable=True)
def _expire(pending: Transfer, *, today: date, now: datetime) -> bool:
    """Whether it was this call that gave it back."""
    try:
        _end(
            pending,
            Phase.EXPIRE,
            amount=pending.amount,
            effective_on=today,
            actor=_ACTOR,
            now=now,
        )
    except TransferEnded:
        # It was posted or voided a moment ago.
        return False
    return True


def _end(
    pending: Transfer,
    phase: str,
    *,
    amount: Decimal,
    effective_on: date,
    reference: str = "",
    actor: Actor,
    now: datetime,
) -> Transfer:
    entry = Entry(
        debit=pending.debit.name,
        credit=pending.credit.name,
        amount=amount,
        kind=pending.kind,
        effective_on=effective_on,
        reference=reference,
        corrects=pending.corrects,
        rate=pending.rate,
        idempotency_key=f"{phase} of {pending.pk}",
    )
    accounts = lock_accounts({entry.debit, entry.credit})
    # Under the locks: who ends it now, has ended it.
    earlier = Transfer.objects.filter(pending_of=pending).first()
    if earlier:
        if (earlier.phase, earlier.amount) != (phase, amount):
            raise TransferEnded(transfer_id=pending.pk, phase=earlier.phase)
        return earlier
    if phase == Phase.POST and pending.expires_at and pending.expires_at <= now:
        raise TransferEnded(transfer_id=pending.pk, phase=Phase.EXPIRE)
    ended = row(
        entry, accounts=accounts, journal=pending.journal, phase=phase, actor=actor, now=now
    )
    ended.pending_of = pending
    return record([ended], accounts=accounts)[0]
