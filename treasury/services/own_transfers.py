"""Record money that moves between the organisation's own accounts, by the lines of statements."""

from datetime import datetime

from django.db import transaction

from security.actor import Actor
from treasury.models import (
    Account,
    AccountKind,
    Difference,
    DifferenceStatus,
    RailMatch,
    TransferKind,
)
from treasury.refusals import WrongDifference
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.match_rail_statements import lock_statements
from treasury.services.record_funding import funding_account
from treasury.services.settle_difference import open_difference, settle
from treasury.services.transfer import Entry, transfer
from treasury.services.transit_alerts import tell_of_transit


@transaction.atomic(durable=True)
def book_difference_as_own_transfer(
    difference_id: int, *, reason: str, actor: Actor, now: datetime
) -> Difference:
    """Record what a line of a statement says as a payout to another account of one's own, or as its
    arrival, and match the line with it. It moves no money.

    What has left one account is in transit until a line of the other account is recorded: no more
    can arrive, or come back, than has left. Refusals: DifferenceSettled, WrongDifference,
    AccountOverdrawn, PeriodClosed.
    """
    lock_statements()
    found = open_difference(difference_id, reason)
    account, line = found.account, found.line
    if account is None or line is None or found.own_transfer or not line.amount:
        raise WrongDifference("Only a line that the ledger does not have can be an own transfer.")
    transit = transit_account(account, actor=actor, now=now)
    debit, credit = (account, transit) if line.amount > 0 else (transit, account)
    entry = Entry(
        debit=debit.name,
        credit=credit.name,
        amount=abs(line.amount),
        kind=TransferKind.OWN,
        effective_on=line.day,
        reference=line.reference or line.their_reference,
        idempotency_key=f"own transfer of line {line.pk}",
    )
    (booked,) = transfer([entry], actor=actor, now=now)
    RailMatch.objects.create(line=line, transfer=booked, rule="own", matched_at=now)
    tell_of_transit(transit, now=now)
    reason = f"{reason.strip()} (booked as an own transfer: transfer {booked.pk})"
    return settle(found, DifferenceStatus.EXPLAINED, reason=reason, actor=actor, now=now)


def transit_account(account: Account, *, actor: Actor, now: datetime) -> Account:
    """Where money is between two accounts of one's own; play money never reaches a real one. Joins
    the caller's transaction."""
    prefix = "play-" if funding_account(account).startswith("play-") else ""
    terms = AccountTerms(
        name=f"{prefix}transit:own:{account.currency.lower()}",
        kind=AccountKind.TRANSIT,
        currency=account.currency,
    )
    return open_account(terms, actor=actor, now=now)[0]
