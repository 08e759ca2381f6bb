"""Accounts and transfers for tests."""

from decimal import Decimal
from itertools import count

from django.db import transaction

from common.row_checks import Finding
from tests.actors import ACTOR
from tests.moments import NOON
from treasury import services as treasury
from treasury.models import Account, AccountKind, Transfer, TransferKind
from treasury.queries import ledger_check
from treasury.services import AccountTerms, Entry

TODAY = NOON.date()
RAIL, CREDIT, EXPENSE, FUNDING, TRANSIT = (
    "rail:bank",
    "credit:openai:key-1",
    "expense:research",
    "funding",
    "transit:openai",
)
_numbers = count(1)


@transaction.atomic
def open_account(name: str, *, currency: str = "USD", scale: int = 9) -> Account:
    """An account whose kind is the first word of its name."""
    kind = AccountKind(name.partition(":")[0])
    terms = AccountTerms(name=name, kind=kind, currency=currency, scale=scale)
    return treasury.open_account(terms, actor=ACTOR, now=NOON)[0]


def open_accounts() -> None:
    """A bank with whole cents, credit, transit, an expense and funding."""
    open_account(RAIL, scale=2)
    for name in (CREDIT, EXPENSE, FUNDING, TRANSIT):
        open_account(name)


def entry(debit: str, credit: str, amount: str | int | Decimal, **changes) -> Entry:
    """An entry with a key of its own."""
    asked = {
        "kind": TransferKind.FUNDING,
        "effective_on": TODAY,
        "idempotency_key": f"key-{next(_numbers)}",
    } | changes
    return Entry(debit=debit, credit=credit, amount=Decimal(amount), **asked)


@transaction.atomic
def transfer(*entries: Entry, now=NOON) -> list[Transfer]:
    """Post the entries."""
    return treasury.transfer(entries, actor=ACTOR, now=now)


@transaction.atomic
def begin_pending(*entries: Entry, expires_at, now=NOON) -> list[Transfer]:
    """Set the entries aside."""
    return treasury.begin_pending(entries, expires_at=expires_at, actor=ACTOR, now=now)


@transaction.atomic
def post_pending(pending: Transfer, *, now=NOON, effective_on=TODAY, **changes) -> Transfer:
    """Post what was set aside."""
    return treasury.post_pending(
        pending, effective_on=effective_on, actor=ACTOR, now=now, **changes
    )


@transaction.atomic
def void_pending(pending: Transfer, *, now=NOON, effective_on=TODAY) -> Transfer:
    """Give back what was set aside."""
    return treasury.void_pending(pending, effective_on=effective_on, actor=ACTOR, now=now)


def available(name: str) -> Decimal:
    """What can leave the account."""
    return Account.objects.get(name=name).available


def balances(name: str) -> tuple[Decimal, Decimal]:
    """The balance, and what is available of it."""
    account = Account.objects.get(name=name)
    return account.balance, account.available


def broken() -> list[Finding]:
    """The checks of the ledger that find something."""
    return [finding for finding in ledger_check() if finding.count]
