"""The tables of accounts, of an account's transfers, and of purchases."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import CharField, Q, Sum, Value
from django.db.models.functions import Concat

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from treasury.balances.compare import difference
from treasury.models import (
    Account,
    BalanceSnapshot,
    Payee,
    Phase,
    Purchase,
    RailAccount,
    RailMode,
    Transfer,
)
from treasury.models.amounts import ZERO

_MOST = 10_000
# Columns of money are in it; other currencies are texts, and in no sum.
USD = "USD"
_ACCOUNT_COLUMNS = (
    Column("account", "Account", "link"),
    Column("kind", "Kind"),
    Column("currency", "Currency"),
    Column("balance", "Balance", "money", "USD"),
    Column("available", "Available", "money", "USD"),
    Column("pending", "Set aside", "money", "USD", total=True),
    Column("other", "Balance in its currency", sortable=False),
    Column("money", "Money", "status"),
)
_PURCHASE_COLUMNS = (
    Column("purchase", "Purchase", "link"),
    Column("status", "Status", "status"),
    Column("provider", "Provider"),
    Column("amount", "Amount", "money", "USD", total=True),
    Column("money", "Money", "status"),
    Column("by", "Proposed by"),
    Column("at", "Proposed", "moment"),
    Column("reason", "Why", sortable=False),
)
_TRANSFER_COLUMNS = (
    Column("transfer", "Transfer", sortable=False),
    Column("day", "Day", sortable=False),
    Column("kind", "Kind", sortable=False),
    Column("other", "Other account", "link", sortable=False),
    Column("amount", "Amount", "money", "USD", sortable=False),
    Column("balance", "Balance", "money", "USD", sortable=False),
    Column("reference", "Reference", "link", sortable=False),
    Column("at", "Recorded", "moment", sortable=False),
)
_OTHER_COLUMNS = tuple(
    Column(each.name, each.label, sortable=False) if each.kind == "money" else each
    for each in _TRANSFER_COLUMNS
)
_READINGS = 20
_READING_COLUMNS = (
    Column("at", "Asked", "moment", sortable=False),
    Column("amount", "Provider", "money", sortable=False),
    Column("currency", "Currency", sortable=False),
    Column("ledger", "Ledger", "money", "USD", sortable=False),
    Column("transit", "In transit", "money", "USD", sortable=False),
    Column("difference", "Difference", "money", "USD", sortable=False),
    Column("granted", "Granted", "money", sortable=False),
    Column("by", "Read from", sortable=False),
    Column("error", "Why not", sortable=False),
)


def accounts_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """Every account with its balance; play money is marked."""
    play = play_accounts()
    rows = [_account_row(each, play) for each in visible_to(user, Account.objects.all())]
    return tables.paged(
        Table(
            name="treasury-accounts",
            title="Accounts",
            columns=_ACCOUNT_COLUMNS,
            rows=rows,
            sort="account",
            totals={"pending": sum((tables.value(row, "pending") or ZERO for row in rows), ZERO)},
            empty="No account was opened yet: the first payee opens those of its provider.",
        ),
        query,
    )


def _account_row(each: Account, play: set[int]) -> Row:
    is_usd = each.currency == USD
    return {
        "account": Cell(each.name, links.url("account", each.pk)),
        "kind": each.kind.replace("_", " "),
        "currency": each.currency,
        "balance": each.balance if is_usd else None,
        "available": each.available if is_usd else None,
        "pending": each.balance - each.available if is_usd else None,
        "other": "" if is_usd else _in_currency(each.balance, each),
        "money": "play money" if each.pk in play else "",
    }


def _in_currency(amount: Decimal, account: Account) -> str:
    return f"{amount:,.2f} {account.currency}"


def play_accounts() -> set[int]:
    """The accounts of rails that move no real money, and of the credit bought with it."""
    play = Payee.objects.filter(is_play_money=True)
    names = ("rail_account_id", "transit_account_id", "credit_account_id")
    bought = {account for row in play.values_list(*names) for account in row}
    sandboxes = RailAccount.objects.filter(mode=RailMode.SANDBOX)
    names_of_sandboxes = sandboxes.values_list(
        Concat(Value("rail:"), "slug", output_field=CharField())
    )
    others = (
        Q(name__startswith="play-")
        | Q(expiring__credit_account__in=bought)
        | Q(name__in=names_of_sandboxes)
    )
    return bought | set(Account.objects.filter(others).values_list("pk", flat=True))


def purchases_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """Purchases, the latest first."""
    found = visible_to(user, Purchase.objects.select_related("payee"))
    rows = [
        {
            "purchase": Cell(each.pk, links.url("purchase", each.pk)),
            "status": each.status.replace("_", " "),
            "provider": each.payee.provider_id,
            "amount": each.amount,
            "money": "play money" if each.payee.is_play_money else "",
            "by": each.proposed_by,
            "at": each.proposed_at,
            "reason": each.reason,
        }
        for each in found[:_MOST]
    ]
    return tables.paged(
        Table(
            name="treasury-purchases",
            title="Purchases",
            columns=_PURCHASE_COLUMNS,
            rows=rows,
            sort="-purchase",
            totals={"amount": sum((tables.value(row, "amount") for row in rows), ZERO)},
            prefix="purchases-",
            empty="Nothing was bought yet.",
        ),
        query,
    )


def transfers_table(account: Account, query: Mapping[str, str]) -> Table:
    """What was posted on an account, the latest first, each with the balance after it."""
    posted = (
        Transfer.objects.filter(Q(debit=account) | Q(credit=account))
        .filter(phase__in=[Phase.SINGLE, Phase.POST])
        .select_related("debit", "credit", "rate")
        .order_by("-pk")
    )
    count = posted[: _MOST + 1].count()
    start = tables.offset(query.get("after", ""), min(count, _MOST))
    end = start + tables.PAGE_ROWS
    balance = account.balance - _sum(account, posted[:start])
    rows = []
    for each in posted[start:end]:
        rows.append(_transfer_row(account, each, balance))
        balance -= _signed(account, each)
    return Table(
        name="account-transfers",
        title=f"Transfers of {account}",
        columns=_TRANSFER_COLUMNS if account.currency == USD else _OTHER_COLUMNS,
        rows=rows,
        count=min(count, _MOST),
        is_capped=count > _MOST,
        next_page=str(end) if end < min(count, _MOST) else "",
        empty="Nothing was posted on this account yet.",
    )


def _sum(account: Account, newer: Any) -> Decimal:
    sums = Transfer.objects.filter(pk__in=newer.values("pk")).aggregate(
        debits=Sum("amount", filter=Q(debit=account), default=ZERO),
        credits=Sum("amount", filter=Q(credit=account), default=ZERO),
    )
    change: Decimal = sums["debits"] - sums["credits"]
    return change if account.normal_side == "debit" else -change


def _signed(account: Account, each: Transfer) -> Decimal:
    is_debit = each.debit_id == account.pk
    amount: Decimal = each.amount
    return amount if is_debit == (account.normal_side == "debit") else -amount


def _transfer_row(account: Account, each: Transfer, balance: Decimal) -> Row:
    other = each.credit if each.debit_id == account.pk else each.debit
    amount = _signed(account, each)
    return {
        "transfer": each.pk,
        "day": each.effective_on.isoformat(),
        "kind": each.kind,
        "other": Cell(other.name, links.url("account", other.pk)),
        "amount": amount if account.currency == USD else _in_currency(amount, account),
        "balance": balance if account.currency == USD else _in_currency(balance, account),
        "reference": _reference(each),
        "at": each.created_at,
    }


def _reference(each: Transfer) -> Cell:
    if each.rate is not None:
        url = links.url("exchange_rates", currency=each.rate.quote)
        return Cell(f"{each.reference} at {each.rate}", url)
    return Cell(each.reference, _reference_url(each))


def _reference_url(each: Transfer) -> str:
    """What the reference leads to: a purchase, or the charges that were consumed."""
    if each.kind == "consumption" and (found := _consumed(each.reference)):
        day, api_key, centre = found
        begins = datetime.combine(day, time(), tzinfo=UTC)
        asked = {
            "settled_from": begins.isoformat(),
            "settled_until": (begins + timedelta(days=1)).isoformat(),
        }
        return links.url("charges", api_key=api_key, paying_centre=centre, **asked)
    return links.url_of_subject(each.reference) or ""


def _consumed(reference: str) -> tuple[date, str, str] | None:
    """The day, API key and cost centre that Butler's own consumption names; another program may
    have written another reference."""
    words = reference.split(" ", 2)
    try:
        return date.fromisoformat(words[0]), words[1], words[2]
    except (ValueError, IndexError):
        return None


def readings_table(credit: Account) -> Table:
    """What the provider said last about its credit, beside the ledger's figures of then."""
    rows = BalanceSnapshot.objects.filter(credit_account=credit).defer("content")[:_READINGS]
    return Table(
        name="balance-readings",
        title=f"Readings of {credit}",
        columns=_READING_COLUMNS,
        rows=[_reading_row(each) for each in rows],
        count=len(rows),
        empty="The provider was not asked yet.",
    )


def _reading_row(each: BalanceSnapshot) -> Row:
    found = None
    if each.ledger is not None and each.amount is not None:
        found = difference(each.amount, ledger=each.ledger, in_transit=each.in_transit)
    return {
        "at": each.as_of,
        "amount": each.amount,
        "currency": each.currency,
        "ledger": each.ledger,
        "transit": each.in_transit,
        "difference": found,
        "granted": each.granted,
        "by": f"{each.source} with {each.api_key}" if each.api_key else each.source,
        "error": each.error,
    }
