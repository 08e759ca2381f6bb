"""Record fees of rails: transfers of their own, to the account of the rail's fees."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from django.db import transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import (
    Account,
    AccountKind,
    Difference,
    DifferenceStatus,
    Purchase,
    RailMatch,
    RailStatementLine,
    Transfer,
    TransferKind,
)
from treasury.rail_statements import FETCHED
from treasury.rail_statements.matching import Unmatched
from treasury.rail_statements.movements import MovementKind
from treasury.refusals import AccountOverdrawn, PeriodClosed, WrongDifference, WrongTransfer
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.purchase_steps import lock_purchase
from treasury.services.record_funding import funding_account
from treasury.services.settle_difference import open_difference, settle
from treasury.services.transfer import Entry, transfer


def book_told_fee(
    rail: Account,
    fee: Decimal | None,
    *,
    journal: UUID | None,
    reference: str,
    key: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Book the fee that a rail tells with a payment, once. Joins the caller's transaction.

    A fee that the account cannot pay does not keep the payment from being booked: the statement of
    the rail has it as a difference then.
    """
    if not fee or Transfer.objects.filter(idempotency_key=key).exists():
        return
    with suppress(AccountOverdrawn, WrongTransfer), transaction.atomic():
        _book(
            rail,
            fee,
            journal=journal,
            reference=reference,
            key=key,
            effective_on=ledger_day(now),
            actor=actor,
            now=now,
        )


def book_fetched_fees(
    account: Account, found: Sequence[Unmatched], *, actor: Actor, now: datetime
) -> list[Unmatched]:
    """Book the fees that the vendor itself tells in statements that Butler has fetched, and match
    their lines with them; returns what is left. Joins the caller's transaction.

    A fee belongs to the payment that it was taken of. What the ledger refuses, and what a person
    has settled, stays a difference.
    """
    lines = _fetched_fees(account, found)
    booked = {each.pk for each in lines.values() if _book_line(account, each, actor=actor, now=now)}
    return [each for each in found if each.line_id not in booked]


def _fetched_fees(account: Account, found: Sequence[Unmatched]) -> Mapping[int, RailStatementLine]:
    asked = [each.line_id for each in found if each.line_id and not each.transfer_id]
    fees = RailStatementLine.objects.filter(
        kind=MovementKind.FEE, amount__lt=0, statement__format__in=FETCHED
    )
    undecided = (DifferenceStatus.OPEN, DifferenceStatus.GONE)
    decided = Difference.objects.filter(account=account).exclude(status__in=undecided)
    lines: Mapping[int, RailStatementLine] = fees.exclude(
        pk__in=decided.filter(line__isnull=False).values("line_id")
    ).in_bulk(asked)
    return lines


def _book_line(account: Account, line: RailStatementLine, *, actor: Actor, now: datetime) -> bool:
    """Whether the ledger takes it."""
    same = RailMatch.objects.filter(
        line__statement_id=line.statement_id, line__their_reference=line.their_reference
    )
    paid = same.select_related("transfer").first() if line.their_reference else None
    try:
        with transaction.atomic():
            fee = _book(
                account,
                -line.amount,
                journal=paid.transfer.journal if paid else None,
                reference=line.their_reference or line.reference,
                key=f"fee of line {line.pk}",
                effective_on=line.day,
                actor=actor,
                now=now,
            )
    except (AccountOverdrawn, PeriodClosed, WrongTransfer):
        return False
    RailMatch.objects.create(line=line, transfer=fee, rule="fee", matched_at=now)
    return True


@transaction.atomic(durable=True)
def record_fee(
    purchase_id: int, amount: Decimal, *, reference: str, key: UUID, actor: Actor, now: datetime
) -> Transfer:
    """Record a fee that the rail took for a purchase that was paid; it moves no money.

    The same `key` is the same fee. Refusals: PurchaseNotFound, WrongTransfer, AccountOverdrawn,
    PeriodClosed, TransferDiffers.
    """
    purchase = lock_purchase(purchase_id)
    if purchase.pending is None or purchase.settled_at is None:
        raise WrongTransfer("The rail has not paid this purchase, so it took no fee for it.")
    if not reference.strip():
        raise WrongTransfer("Say how the rail names the fee.")
    fee = _book(
        purchase.payee.rail_account,
        amount,
        journal=purchase.pending.journal,
        reference=reference.strip()[:200],
        key=f"fee {key}",
        effective_on=ledger_day(now),
        actor=actor,
        now=now,
    )
    audit.record(
        actor=actor,
        action=Action.FEE_RECORD,
        subject=purchase.address,
        after={"transfer": fee.pk, "amount": amount, "reference": fee.reference},
        at=now,
    )
    return fee


@transaction.atomic(durable=True)
def book_difference_as_fee(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    """Record what a line of a statement took as a fee of the rail, and match the line with it.

    Where the line names a purchase of the rail, the fee belongs to that. Refusals:
    DifferenceSettled, WrongDifference, AccountOverdrawn, PeriodClosed.
    """
    found = open_difference(difference_id, reason)
    account, line = found.account, found.line
    if account is None or line is None or found.own_transfer or found.theirs >= 0:
        raise WrongDifference("Only a line that took money from a rail can be a fee.")
    purchases = Purchase.objects.filter(payee__rail_account=account, pending__isnull=False)
    named = purchases.filter(vendor_id=line.reference).first() if line.reference else None
    fee = _book(
        account,
        -line.amount,
        journal=named.pending.journal if named and named.pending else None,
        reference=line.their_reference or line.reference,
        key=f"fee of line {line.pk}",
        effective_on=line.day,
        actor=actor,
        now=now,
    )
    RailMatch.objects.create(line=line, transfer=fee, rule="fee", matched_at=now)
    reason = f"{reason.strip()} (booked as a fee: transfer {fee.pk})"
    return settle(found, DifferenceStatus.EXPLAINED, reason=reason, actor=actor, now=now)


def _book(  # noqa: PLR0913 - a transfer
    rail: Account,
    amount: Decimal,
    *,
    journal: UUID | None,
    reference: str,
    key: str,
    effective_on: date,
    actor: Actor,
    now: datetime,
) -> Transfer:
    prefix = "play-" if funding_account(rail).startswith("play-") else ""
    terms = AccountTerms(
        name=f"{prefix}fees:{rail.name.removeprefix('rail:')}",
        kind=AccountKind.FEES,
        currency=rail.currency,
    )
    account, _ = open_account(terms, actor=actor, now=now)
    entry = Entry(
        debit=account.name,
        credit=rail.name,
        amount=amount,
        kind=TransferKind.FEE,
        effective_on=effective_on,
        reference=reference,
        idempotency_key=key,
    )
    return transfer([entry], journal=journal or uuid4(), actor=actor, now=now)[0]
