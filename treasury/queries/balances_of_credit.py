"""What a provider's credit is, by the ledger and by the provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import BooleanField, Case, Q, Sum, When

from treasury.balances.compare import difference, is_beyond
from treasury.models import (
    Account,
    BalanceSnapshot,
    ExpiringCredit,
    Purchase,
    PurchaseStatus,
)
from treasury.models.amounts import ZERO

_CURRENCY = "USD"


def open_expiring(credit: Account) -> list[ExpiringCredit]:
    """The credit that expires and is not used up, what ends first at first."""
    rows = credit.expiring_credits.filter(ended_at=None).select_related("account")
    return [each for each in rows if each.account.balance > 0]


def whole_credit(credit: Account) -> Decimal:
    """What is there by the ledger, with what expires."""
    expiring = sum((each.account.balance for each in open_expiring(credit)), ZERO)
    return credit.balance + expiring


def in_transit(credit: Account) -> Decimal:
    """What was paid for the credit and is not seen as credit yet."""
    found = Purchase.objects.filter(
        policy_id=credit.pk, status=PurchaseStatus.SETTLED, reversed_at=None
    ).aggregate(sum=Sum("amount", default=ZERO))
    amount: Decimal = found["sum"]
    return amount


@dataclass(frozen=True)
class Told:
    """The latest figure of a provider, and whether the reading after it failed.

    `difference`: what the provider has more than the ledger had then, beyond what was in transit.
    """

    snapshot: BalanceSnapshot
    difference: Decimal
    is_beyond: bool
    failed: BalanceSnapshot | None

    def age_seconds(self, now: datetime) -> int:
        """How old the figure is."""
        return int((now - self.snapshot.as_of).total_seconds())


def latest_readings(credit: Account, count: int) -> list[BalanceSnapshot]:
    """The latest figures in USD, the newest first."""
    rows = BalanceSnapshot.objects.filter(credit_account=credit, currency=_CURRENCY, error="")
    return list(rows.defer("content")[:count])


def told_balance(credit: Account) -> Told | None:
    """What the provider said last; None if it never said anything in USD."""
    return told_balances([credit]).get(credit.pk)


def told_balances(accounts: Sequence[Account]) -> dict[int, Told]:
    """What the provider of each credit said last, by the id of the credit, in one query."""
    rows = BalanceSnapshot.objects.filter(
        Q(currency=_CURRENCY) | ~Q(error=""), credit_account__in=accounts
    )
    rows = rows.defer("content").annotate(
        is_read=Case(When(error="", then=True), default=False, output_field=BooleanField())
    )
    latest = rows.order_by("credit_account_id", "is_read", "-pk").distinct(
        "credit_account_id", "is_read"
    )
    read = {each.credit_account_id: each for each in latest if not each.error}
    failed = {each.credit_account_id: each for each in latest if each.error}
    return {pk: _told(each, failed.get(pk)) for pk, each in read.items()}


def _told(last: BalanceSnapshot, failed: BalanceSnapshot | None) -> Told:
    found = difference(last.amount, ledger=last.ledger, in_transit=last.in_transit)
    is_newer = failed is not None and failed.pk > last.pk
    return Told(last, found, is_beyond(found, ledger=last.ledger), failed if is_newer else None)


def whole_credits(accounts: Sequence[Account]) -> dict[int, Decimal]:
    """What is there of each credit, by its id, as `whole_credit`; in one query."""
    whole = {each.pk: each.balance for each in accounts}
    rows = ExpiringCredit.objects.filter(credit_account__in=accounts, ended_at=None)
    for each in rows.select_related("account"):
        whole[each.credit_account_id] += each.account.balance
    return whole
