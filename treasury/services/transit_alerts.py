"""Tell people of money that stays too long between the organisation's own accounts."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from alerts import services as alerts
from security.actor import Actor
from treasury.alert_kinds import MONEY_IN_TRANSIT
from treasury.ledger_days import ledger_day
from treasury.models import Account
from treasury.queries.transit import oldest_in_transit, own_transit_accounts

_ACTOR = Actor.job("payouts")


def watch_transit(*, now: datetime) -> int:
    """Raise or resolve the alert of each account of money between own accounts; how many accounts
    there are."""
    accounts = own_transit_accounts()
    for account in accounts:
        with transaction.atomic(durable=True):
            tell_of_transit(account, now=now)
    return len(accounts)


def tell_of_transit(account: Account, *, now: datetime) -> None:
    """Raise the alert if something is in transit for longer than money needs, else resolve it.
    Joins the caller's transaction, late in it."""
    key = f"{MONEY_IN_TRANSIT.slug}:{account.pk}"
    oldest = oldest_in_transit(account)
    days = settings.TRANSIT_DAYS
    if oldest is None or oldest.left_on >= ledger_day(now) - timedelta(days=days):
        note = f"Nothing is in transit for more than {days} days."
        alerts.resolve_by_key(key, actor=_ACTOR, note=note, now=now)
        return
    alerts.raise_alert(
        kind=MONEY_IN_TRANSIT,
        dedup_key=key,
        title=f"Money has not arrived since {oldest.left_on}: {account}",
        detail=f"{oldest.amount:.2f} {account.currency} are in transit. Transfer "
        f"{oldest.transfer_id} left {oldest.source} on {oldest.left_on}, and no statement of "
        "another account has it.",
        facts={"account_id": account.pk},
        now=now,
    )
