"""Purchases that a rail pays in another currency than the credit is in: by the dated rate.

Such a purchase sets two amounts aside in one journal: that of the credit, from the exchange of its
currency to transit (`Purchase.pending`), and that of the rail, from the rail to the exchange of the
rail's currency; besides, what is left by rounding. All end together, and name the rate of the day
on which they were set aside. What comes back later comes back by the same rate.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal

from security.actor import Actor
from treasury.ledger_days import ledger_day
from treasury.models import Payee, Phase, Purchase, Transfer, TransferKind
from treasury.models.amounts import PLACES
from treasury.queries.exchange_rates import Price, price_by_rail
from treasury.services.exchange import exchange_account, no_rate
from treasury.services.pending import UNTIL_KNOWN, begin_pending, post_pending, void_pending
from treasury.services.transfer import Entry, lock_accounts


def price(payee: Payee, amount: Decimal, *, day: date) -> Price:
    """As `price_by_rail`. Refusals: WrongExchange, if no rate is known."""
    found = price_by_rail(payee, amount, day=day)
    if found is None:
        raise no_rate(payee.rail_account.currency, payee.credit_account.currency, day)
    return found


def set_purchase_aside(purchase: Purchase, *, actor: Actor, now: datetime) -> Transfer:
    """Set the money of a locked purchase aside; returns the transfer of its own amount. Joins the
    caller's transaction. Refusals: AccountOverdrawn, PeriodClosed, WrongExchange."""
    own = Entry(
        debit=purchase.payee.transit_account.name,
        credit=purchase.payee.rail_account.name,
        amount=purchase.amount,
        kind=TransferKind.PURCHASE,
        effective_on=ledger_day(now),
        reference=purchase.address,
        idempotency_key=f"{purchase.address} {purchase.key}",
    )
    is_exchanged = purchase.payee.is_exchanged
    entries = list(_exchange(purchase, own, actor=actor, now=now)) if is_exchanged else [own]
    return begin_pending(entries, expires_at=now + UNTIL_KNOWN, actor=actor, now=now)[0]


def _exchange(purchase: Purchase, own: Entry, *, actor: Actor, now: datetime) -> Iterator[Entry]:
    """The entry of the credit's amount, then that of the rail's, and that of the rounding."""
    rail = purchase.payee.rail_account
    asked = price(purchase.payee, purchase.amount, day=own.effective_on)

    def account(kind: str, currency: str) -> str:
        return exchange_account(kind, currency, rail, actor=actor, now=now)

    sold, bought = account("exchange", rail.currency), account("exchange", purchase.currency)
    of_rail, of_credit = asked.found.rows[0], asked.found.rows[-1]
    yield replace(own, credit=bought, rate=of_credit)
    yield replace(
        own,
        debit=sold,
        amount=asked.amount,
        kind=TransferKind.EXCHANGE,
        rate=of_rail,
        idempotency_key=f"{own.idempotency_key} by the rail",
    )
    # Less than the last place of the rail is worth.
    loss = round(asked.amount * asked.found.rate, PLACES) - purchase.amount
    if loss > 0:
        yield replace(
            own,
            debit=account("rounding", purchase.currency),
            credit=bought,
            amount=loss,
            kind=TransferKind.ROUNDING,
            rate=of_credit,
            idempotency_key=f"{own.idempotency_key} rounding",
        )


def rail_part(purchase: Purchase) -> Transfer:
    """The pending transfer of what leaves the rail: the amount that the rail is asked for, in its
    currency. Raises ValueError if nothing is set aside."""
    rail_id = purchase.payee.rail_account_id
    return next(each for each in _parts(purchase) if each.credit_id == rail_id)


def post_purchase(purchase: Purchase, *, actor: Actor, now: datetime) -> None:
    """The money of a locked purchase has left the rail. Joins the caller's transaction. Raises
    ValueError if nothing is set aside. Refusals: PeriodClosed."""
    day, reference = ledger_day(now), purchase.vendor_id
    for each in _locked_parts(purchase):
        post_pending(each, effective_on=day, reference=reference, actor=actor, now=now)


def void_purchase(purchase: Purchase, *, actor: Actor, now: datetime) -> None:
    """Give back what a locked purchase has set aside, if anything. Joins the caller's transaction.
    Refusals: PeriodClosed."""
    for each in _locked_parts(purchase) if purchase.pending else ():
        void_pending(each, effective_on=ledger_day(now), actor=actor, now=now)


def _locked_parts(purchase: Purchase) -> list[Transfer]:
    """All that is set aside. Its accounts are locked at once, by id: one part after another would
    lock them in another order than who sets money aside."""
    parts = _parts(purchase)
    if len(parts) > 1:
        lock_accounts({each.name for part in parts for each in (part.debit, part.credit)})
    return parts


def _parts(purchase: Purchase) -> list[Transfer]:
    own = purchase.pending
    if own is None:
        raise ValueError(f"{purchase} has nothing set aside.")
    if not purchase.payee.is_exchanged:
        return [own]
    parts = Transfer.objects.filter(journal=own.journal, phase=Phase.PENDING)
    return list(parts.select_related("debit", "credit").order_by("pk"))


def entries_back(purchase: Purchase, entry: Entry, *, gone: Decimal) -> list[Entry]:
    """The entries of money of a purchase that comes back. `entry`: from the credit, or from
    transit, to the rail. An exchange has a second one: what the rail had paid for that.

    `gone`: how much of the purchase came back before. All parts together are what the rail paid.
    """
    if not purchase.payee.is_exchanged:
        return [entry]
    own, *_ = _parts(purchase)
    paid = rail_part(purchase)

    def paid_for(amount: Decimal) -> Decimal:
        places = Decimal(1).scaleb(-paid.credit.scale)
        part: Decimal = paid.amount * amount / own.amount
        return part.quantize(places, rounding=ROUND_DOWN)

    of_rail = replace(
        entry,
        credit=paid.debit.name,
        amount=paid_for(gone + entry.amount) - paid_for(gone),
        corrects=paid.ended_by,
        rate=paid.rate,
        idempotency_key=rail_key(entry.idempotency_key),
    )
    return [replace(entry, debit=own.credit.name, rate=own.rate), of_rail]


def rail_key(idempotency_key: str) -> str:
    """The key of the transfer by which the rail gets back what it had paid for another one."""
    return f"rail's part: {idempotency_key}"
