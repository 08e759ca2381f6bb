"""Pages of accounts, transfers and purchases, and credit, for programs that read them."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Q

from treasury.models import Account, Purchase, Transfer
from treasury.queries.balances_of_credit import whole_credits
from treasury.queries.consumption import credits, provider_of
from treasury.queries.credit import runway


@dataclass(frozen=True, kw_only=True)
class TransferFilter:
    """Which transfers: of an account by its name, effective from `since` to `until`."""

    account: str = ""
    since: date | None = None
    until: date | None = None


def account_page(*, kind: str = "", after: int | None = None, most: int) -> list[Account]:
    """Accounts in the order in which they were opened."""
    rows = Account.objects.filter(pk__gt=after or 0).order_by("pk")
    return list((rows.filter(kind=kind) if kind else rows)[:most])


def transfer_page(
    filters: TransferFilter, *, after: int | None = None, most: int
) -> list[Transfer]:
    """Transfers with both accounts, newest first."""
    rows = Transfer.objects.select_related("debit", "credit").order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    if filters.account:
        # An account that does not exist has no transfers.
        account = Account.objects.filter(name=filters.account).first()
        account_id = account.pk if account else 0
        rows = rows.filter(Q(debit_id=account_id) | Q(credit_id=account_id))
    if filters.since:
        rows = rows.filter(effective_on__gte=filters.since)
    if filters.until:
        rows = rows.filter(effective_on__lte=filters.until)
    return list(rows[:most])


def purchase_page(
    *, status: str = "", provider: str = "", after: int | None = None, most: int
) -> list[Purchase]:
    """Purchases with their payees, newest first."""
    rows = Purchase.objects.select_related("payee").order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    if status:
        rows = rows.filter(status=status)
    if provider:
        rows = rows.filter(payee__provider_id=provider)
    return list(rows[:most])


@dataclass(frozen=True, kw_only=True)
class CreditLeft:
    """What is left of a provider's credit, and for how many days, as `Runway` has them."""

    account: str
    provider: str
    currency: str
    balance: Decimal
    per_day: Decimal
    days: Decimal | None
    days_least: Decimal | None
    days_most: Decimal | None


def credit_list(*, now: datetime) -> list[CreditLeft]:
    """The credit of each provider, with what expires."""
    accounts = credits()
    whole = whole_credits(accounts)
    return [_left(each, whole[each.pk], now) for each in accounts]


def _left(account: Account, balance: Decimal, now: datetime) -> CreditLeft:
    lasts = runway(account, whole=balance, now=now)
    return CreditLeft(
        account=account.name,
        provider=provider_of(account),
        currency=account.currency,
        balance=balance,
        per_day=round(lasts.per_day, 9),
        days=lasts.days,
        days_least=lasts.least,
        days_most=lasts.most,
    )
