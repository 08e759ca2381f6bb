"""Record exchanges of currencies: two transfers, and what they differ by from the rate."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import Account, AccountKind, Transfer, TransferKind
from treasury.models.amounts import PLACES
from treasury.queries.exchange_rates import DAYS_MOST, RateFound, rate_on
from treasury.refusals import AccountNotFound, TransferDiffers, WrongExchange
from treasury.services.accounts import AccountTerms, open_account
from treasury.services.record_funding import funding_account
from treasury.services.transfer import Entry, transfer

_KINDS = {
    "exchange": AccountKind.EXCHANGE,
    "exchange-difference": AccountKind.EXCHANGE_DIFFERENCE,
    "rounding": AccountKind.ROUNDING,
}


@dataclass(frozen=True, kw_only=True)
class ExchangeTerms:
    """What has left one account of a rail and come to another one in another currency."""

    sold_account: str
    sold: Decimal
    bought_account: str
    bought: Decimal
    effective_on: date
    reference: str


@transaction.atomic(durable=True)
def record_exchange(
    terms: ExchangeTerms, *, key: UUID, actor: Actor, now: datetime
) -> list[Transfer]:
    """Record an exchange that a bank or rail has made; it moves no money.

    Each side is a transfer with the account of its currency's exchange, which names the rate that
    counts on its day. What was bought above or below that rate is a gain or loss in whole places of
    the account, and the rest of it rounding. The same `key` is the same exchange. Refusals:
    WrongExchange, AccountNotFound, AccountOverdrawn, PeriodClosed, TransferDiffers.
    """
    sold, bought = _rail(terms.sold_account), _rail(terms.bought_account)
    _check(terms, sold, bought)
    if earlier := _earlier(terms, key):
        return earlier
    found = rate_on(sold.currency, bought.currency, terms.effective_on)
    if found is None:
        raise no_rate(sold.currency, bought.currency, terms.effective_on)
    entries = list(_entries(terms, sold, bought, found, key=key, actor=actor, now=now))
    rows = transfer(entries, actor=actor, now=now)
    _record(terms, found, rows, actor=actor, now=now)
    return rows


def no_rate(base: str, quote: str, day: date) -> WrongExchange:
    """The refusal where no rate counts on a day."""
    return WrongExchange(
        f"No rate from {base} to {quote} is known of {day} or the {DAYS_MOST - 1} days before it. "
        "Record one first."
    )


def exchange_account(
    kind: str, currency: str, rail: Account, *, actor: Actor, now: datetime
) -> str:
    """The name of the account of exchanges, of their differences or of rounding in a currency,
    which is opened; play money of a rail has its own. Joins the caller's transaction."""
    name = f"{_prefix(rail)}{kind}:{currency.lower()}"
    terms = AccountTerms(name=name, kind=_KINDS[kind], currency=currency)
    return open_account(terms, actor=actor, now=now)[0].name


def _earlier(terms: ExchangeTerms, key: UUID) -> list[Transfer]:
    """What was recorded with this key; the rate of its day may be another one since. Refusals:
    TransferDiffers."""
    first = Transfer.objects.filter(idempotency_key=_key(key, "sold")).first()
    if first is None:
        return []
    rows = list(Transfer.objects.filter(journal=first.journal).order_by("pk"))
    if [row.amount for row in rows[:2]] != [terms.sold, terms.bought]:
        raise TransferDiffers(transfer_id=first.pk, idempotency_key=first.idempotency_key)
    return rows


def _key(key: UUID, part: str) -> str:
    return f"exchange {key} {part}"


def _rail(name: str) -> Account:
    account = Account.objects.filter(name=name).first()
    if account is None:
        raise AccountNotFound(account=name)
    if account.kind != AccountKind.RAIL:
        raise WrongExchange(f"{account} is no rail: money is exchanged between rails.")
    return account


def _check(terms: ExchangeTerms, sold: Account, bought: Account) -> None:
    if sold.currency == bought.currency:
        raise WrongExchange(f"Both accounts are in {sold.currency}, so nothing is exchanged.")
    if _prefix(sold) != _prefix(bought):
        raise WrongExchange("Play money and real money are not exchanged.")
    if not terms.reference.strip():
        raise WrongExchange("Say how the bank or the rail names it.")


def _entries(  # noqa: PLR0913 - what an exchange consists of
    terms: ExchangeTerms,
    sold: Account,
    bought: Account,
    found: RateFound,
    *,
    key: UUID,
    actor: Actor,
    now: datetime,
) -> Iterator[Entry]:
    def account(kind: str, currency: str) -> str:
        return exchange_account(kind, currency, sold, actor=actor, now=now)

    def entry(part: str, debit: str, credit: str, amount: Decimal, kind: str) -> Entry:
        return Entry(
            debit=debit,
            credit=credit,
            amount=amount,
            kind=kind,
            effective_on=terms.effective_on,
            reference=terms.reference.strip()[:200],
            rate=found.rows[0] if part == "sold" else found.rows[-1],
            idempotency_key=_key(key, part),
        )

    other = account("exchange", bought.currency)
    yield entry(
        "sold", account("exchange", sold.currency), sold.name, terms.sold, TransferKind.EXCHANGE
    )
    yield entry("bought", bought.name, other, terms.bought, TransferKind.EXCHANGE)
    for part, kind, loss in _differences(terms, bought, found):
        own = account(part, bought.currency)
        debit, credit = (own, other) if loss > 0 else (other, own)
        yield entry(part, debit, credit, abs(loss), kind)


def _differences(
    terms: ExchangeTerms, bought: Account, found: RateFound
) -> list[tuple[str, str, Decimal]]:
    """What was bought less than by the rate: in places of the account, and the rest."""
    loss = round(terms.sold * found.rate, PLACES) - terms.bought
    whole = round(loss, bought.scale)
    parts = [
        ("exchange-difference", TransferKind.EXCHANGE, whole),
        ("rounding", TransferKind.ROUNDING, loss - whole),
    ]
    return [each for each in parts if each[2]]


def _prefix(account: Account) -> str:
    return "play-" if funding_account(account).startswith("play-") else ""


def _record(
    terms: ExchangeTerms, found: RateFound, rows: list[Transfer], *, actor: Actor, now: datetime
) -> None:
    audit.record(
        actor=actor,
        action=Action.EXCHANGE_RECORD,
        subject=f"account:{rows[0].credit_id}",
        related=[f"account:{rows[1].debit_id}"],
        after={
            "sold": terms.sold,
            "bought": terms.bought,
            "rate": found.rate,
            "rate_of": found.day.isoformat(),
            "transfers": [row.pk for row in rows],
        },
        at=now,
    )
