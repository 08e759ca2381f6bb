"""Post what charges have used of the credit of providers."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from security.actor import Actor
from treasury.models import (
    Account,
    AccountKind,
    ClosedPeriod,
    Consumption,
    ConsumptionRun,
    TransferKind,
)
from treasury.models.transfer_triggers import LEDGER_LOCK
from treasury.queries.consumption import Filter, Posted, consumed, posted
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.expiring_credit import draw_expiring
from treasury.services.transfer import Entry, transfer

# Who posts holds it alone: what is posted is compared with what was consumed.
_LOCK = LEDGER_LOCK + 1
_ACTOR = Actor.job("consumption")
_NOTHING = Posted(Decimal(0), 0)


@transaction.atomic(durable=True)
def post_consumption(credit: Account, *, now: datetime) -> int:
    """Post what the charges of each UTC day, API key and cost centre cost beyond what is posted.

    Returns how many transfers that were; the same call again posts nothing. What belongs to a
    closed period is posted on the first day after it. Credit that expires pays for it first.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    known = posted(credit)
    due = {
        key: (cost - known.get(key, _NOTHING).amount, known.get(key, _NOTHING).revisions + 1)
        for key, cost in consumed(credit).items()
        if cost != known.get(key, _NOTHING).amount
    }
    if due:
        _post(credit, due, now=now)
    ConsumptionRun.objects.update_or_create(credit_account=credit, defaults={"posted_at": now})
    return len(due)


def _post(credit: Account, due: dict[Filter, tuple[Decimal, int]], *, now: datetime) -> None:
    for centre in sorted({key.cost_centre for key in due}):
        terms = AccountTerms(
            name=f"expense:{centre}", kind=AccountKind.EXPENSE, currency=credit.currency
        )
        open_account(terms, actor=_ACTOR, now=now)
    closed = ClosedPeriod.objects.values_list("through", flat=True).first()
    entries = [_entry(credit, key, *each, closed=closed) for key, each in due.items()]
    transfers = transfer(entries, actor=_ACTOR, now=now)
    Consumption.objects.bulk_create(
        Consumption(
            credit_account=credit,
            day=key.day,
            api_key_id=key.api_key,
            cost_centre_id=key.cost_centre,
            revision=revision,
            amount=amount,
            transfer=row,
        )
        for (key, (amount, revision)), row in zip(due.items(), transfers, strict=True)
    )
    draw_expiring(credit, transfers, actor=_ACTOR, now=now)


def _entry(
    credit: Account, key: Filter, amount: Decimal, revision: int, *, closed: date | None
) -> Entry:
    expense = f"expense:{key.cost_centre}"
    debit, credited = (expense, credit.name) if amount > 0 else (credit.name, expense)
    filtered = f"{key.day} {key.api_key} {key.cost_centre}"
    return Entry(
        debit=debit,
        credit=credited,
        amount=abs(amount),
        kind=TransferKind.CONSUMPTION,
        effective_on=max(key.day, closed + timedelta(days=1)) if closed else key.day,
        reference=filtered,
        idempotency_key=f"consumption {filtered} {revision}",
    )
