"""Record money that has come to a rail from outside."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.ledger_days import ledger_day
from treasury.models import (
    Account,
    AccountKind,
    Payee,
    RailAccount,
    RailMode,
    Transfer,
    TransferKind,
)
from treasury.refusals import WrongTransfer
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.transfer import Entry, transfer


@transaction.atomic(durable=True)
def record_funding(
    account: Account, amount: Decimal, *, reference: str, key: UUID, actor: Actor, now: datetime
) -> Transfer:
    """Record that money is on a rail: it moves no money, it says what is there.

    `reference`: how the bank or the rail names it. The same `key` is the same transfer. Refusals:
    WrongTransfer, TransferDiffers.
    """
    if account.kind != AccountKind.RAIL:
        raise WrongTransfer(f"{account} is no rail: money from outside comes to a rail.")
    if not reference.strip():
        raise WrongTransfer("Say how the bank or the rail names it.")
    name = funding_account(account)
    terms = AccountTerms(name=name, kind=AccountKind.FUNDING, currency=account.currency)
    open_account(terms, actor=actor, now=now)
    entry = Entry(
        debit=account.name,
        credit=name,
        amount=amount,
        kind=TransferKind.FUNDING,
        effective_on=ledger_day(now),
        reference=reference.strip()[:200],
        idempotency_key=f"funding {key}",
    )
    (recorded,) = transfer([entry], actor=actor, now=now)
    audit.record(
        actor=actor,
        action=Action.FUNDING_RECORD,
        subject=f"account:{account.pk}",
        after={"transfer": recorded.pk, "amount": amount, "reference": entry.reference},
        at=now,
    )
    return recorded


def funding_account(rail: Account) -> str:
    """Where the money of this rail comes from; play money has an account of its own."""
    is_play_money = (
        Payee.objects.filter(rail_account=rail, is_play_money=True).exists()
        or RailAccount.objects.filter(
            pk=rail.name.removeprefix("rail:"), mode=RailMode.SANDBOX
        ).exists()
    )
    name = "play-funding" if is_play_money else "funding"
    return f"{name}:{rail.currency.lower()}"
