"""Record transfers: one statement for all that belong together."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import connection

from security.actor import Actor
from treasury.models import Account, ClosedPeriod, ExchangeRate, NormalSide, Phase, Transfer
from treasury.models.amounts import ZERO
from treasury.models.transfer_triggers import LEDGER_LOCK
from treasury.refusals import (
    AccountNotFound,
    AccountOverdrawn,
    PeriodClosed,
    TransferDiffers,
    WrongTransfer,
)

# What a repeated transfer must have in common with the first.
_COMPARED = ("debit_id", "credit_id", "amount", "kind", "phase", "pending_of_id", "corrects_id")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A transfer to record: `amount` moves from the account `credit` to the account `debit`.

    Accounts are named. `effective_on`: the day it belongs to. `reference`: how the other side names
    it. `corrects`: the transfer that it corrects. `rate`: that of an exchange. The
    same `idempotency_key` is the same transfer.
    """

    debit: str
    credit: str
    amount: Decimal
    kind: str
    effective_on: date
    idempotency_key: str
    reference: str = ""
    corrects: Transfer | None = None
    rate: ExchangeRate | None = None


def transfer(
    entries: Collection[Entry], *, journal: UUID | None = None, actor: Actor, now: datetime
) -> list[Transfer]:
    """Post transfers that belong together, all of them or none; in the order of `entries`.

    Joins the caller's transaction. Repeated entries return what was recorded first. Refusals:
    AccountNotFound, WrongTransfer, AccountOverdrawn, PeriodClosed, TransferDiffers.
    """
    accounts = lock_accounts({name for each in entries for name in (each.debit, each.credit)})
    journal = journal or uuid4()
    rows = [
        row(each, accounts=accounts, journal=journal, phase=Phase.SINGLE, actor=actor, now=now)
        for each in entries
    ]
    return record(rows, accounts=accounts)


def lock_accounts(names: Iterable[str]) -> dict[str, Account]:
    """The accounts by name, locked until the transaction ends. Refusals: AccountNotFound.

    Before them, the ledger is locked against the closing of a period. The order of locks is: the
    ledger, accounts by id.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LEDGER_LOCK])
    wanted = set(names)
    rows = Account.objects.filter(name__in=wanted).order_by("pk").select_for_update(no_key=True)
    accounts = {account.name: account for account in rows}
    for missing in sorted(wanted - accounts.keys()):
        raise AccountNotFound(account=missing)
    return accounts


def row(
    entry: Entry,
    *,
    accounts: dict[str, Account],
    journal: UUID,
    phase: str,
    expires_at: datetime | None = None,
    actor: Actor,
    now: datetime,
) -> Transfer:
    """The transfer of an entry, not yet written. Refusals: WrongTransfer."""
    debit, credit = accounts[entry.debit], accounts[entry.credit]
    _check(entry, debit, credit)
    return Transfer(
        journal=journal,
        debit=debit,
        credit=credit,
        currency=debit.currency,
        amount=entry.amount,
        kind=entry.kind,
        phase=phase,
        expires_at=expires_at,
        corrects=entry.corrects,
        rate=entry.rate,
        effective_on=entry.effective_on,
        reference=entry.reference,
        idempotency_key=entry.idempotency_key,
        recorded_by=str(actor),
        created_at=now,
    )


def _check(entry: Entry, debit: Account, credit: Account) -> None:
    if debit == credit:
        raise WrongTransfer(f"A transfer needs two accounts, and both are {debit}.")
    if debit.currency != credit.currency:
        raise WrongTransfer(
            f"{debit} is in {debit.currency} and {credit} in {credit.currency}. Exchange the "
            "currencies with two transfers."
        )
    if not entry.amount.is_finite() or entry.amount <= 0:
        raise WrongTransfer("The amount must be more than 0.")
    scale = min(debit.scale, credit.scale)
    if entry.amount != round(entry.amount, scale):
        raise WrongTransfer(
            f"{entry.amount:f} has more decimal places than {debit} and {credit} take ({scale})."
        )


def record(rows: Sequence[Transfer], *, accounts: dict[str, Account]) -> list[Transfer]:
    """Write the transfers whose idempotency keys are new, in one statement, under the locks of
    their accounts; returns all, those that were there as they were recorded first."""
    earlier = Transfer.objects.in_bulk(
        [each.idempotency_key for each in rows], field_name="idempotency_key"
    )
    new: dict[str, Transfer] = {}
    for each in rows:
        first = earlier.get(each.idempotency_key) or new.get(each.idempotency_key)
        if first is None:
            new[each.idempotency_key] = each
        elif any(getattr(first, name) != getattr(each, name) for name in _COMPARED):
            raise TransferDiffers(transfer_id=first.pk or 0, idempotency_key=each.idempotency_key)
    if new:
        _check_open(new.values())
        _check_overdraft(new.values(), accounts)
        Transfer.objects.bulk_create(new.values())
    return [earlier.get(each.idempotency_key) or new[each.idempotency_key] for each in rows]


def _check_open(rows: Iterable[Transfer]) -> None:
    closed = ClosedPeriod.objects.values_list("through", flat=True).first()
    if closed and any(each.effective_on <= closed for each in rows):
        raise PeriodClosed(through=closed)


def _check_overdraft(rows: Iterable[Transfer], accounts: dict[str, Account]) -> None:
    """Refuse what would overdraw an account after all the rows. Those that end a pending transfer
    take no more than it has set aside."""
    takes: dict[str, Decimal] = defaultdict(Decimal)
    brings: dict[str, Decimal] = defaultdict(Decimal)
    for each in rows:
        if each.pending_of is not None:
            continue
        for account, side in ((each.debit, NormalSide.DEBIT), (each.credit, NormalSide.CREDIT)):
            if account.normal_side != side:
                takes[account.name] += each.amount
            elif each.phase == Phase.SINGLE:
                brings[account.name] += each.amount
    for name, needed in takes.items():
        account = accounts[name]
        available = account.available + brings.get(name, ZERO)
        if needed > available and not account.may_overdraw:
            raise AccountOverdrawn(
                account=name, currency=account.currency, available=available, needed=needed
            )
