"""Record exchange rates: those of the European Central Bank, and those of people."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256

from django.db import connection, transaction

from common.bulk_copy import copy_rows
from common.file_text import UnreadableError
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.exchange import ecb
from treasury.exchange.ecb import RATE_MAX, DayRate
from treasury.models import ExchangeRate, RateSource
from treasury.models.transfer_triggers import LEDGER_LOCK
from treasury.queries.exchange_rates import current_rates
from treasury.refusals import WrongExchangeRate

# Two imports would each write the rates of the other.
_LOCK = LEDGER_LOCK + 3
_EURO = "EUR"
_CORRECTED = "A later file of the bank has another rate."
_COLUMNS = (
    *("base", "quote", "day", "rate", "source", "reason", "corrects_id", "file_digest"),
    *("recorded_by", "recorded_at"),
)


@dataclass(frozen=True)
class ImportedRates:
    """How many rates of a file are new, how many correct others, and how many were known."""

    new: int
    corrected: int
    known: int


def import_rates(content: bytes, *, actor: Actor, now: datetime) -> ImportedRates:
    """Record the rates of a file of the European Central Bank, all or none.

    What is known stays; a rate that differs is corrected by a newer row. Refusals:
    WrongExchangeRate.
    """
    try:
        found = ecb.read(content)
    except UnreadableError as error:
        raise WrongExchangeRate(str(error)) from None
    if late := [each.day for each in found if each.day > now.date()]:
        raise WrongExchangeRate(f"The file has rates of {max(late)}, which has not come yet.")
    return _keep(found, sha256(content).digest(), actor=actor, now=now)


@transaction.atomic(durable=True)
def _keep(found: list[DayRate], digest: bytes, *, actor: Actor, now: datetime) -> ImportedRates:
    _lock()
    known = _known(found)
    rows, corrected = [], 0
    for each in found:
        pk, rate = known.get((each.currency, each.day), (None, None))
        if rate == each.rate:
            continue
        corrected += pk is not None
        reason = _CORRECTED if pk else ""
        rows.append(
            (
                *(_EURO, each.currency, each.day, each.rate, RateSource.ECB.value, reason, pk),
                *(digest, str(actor), now),
            )
        )
    copy_rows(ExchangeRate, _COLUMNS, rows)
    outcome = ImportedRates(len(rows) - corrected, corrected, len(found) - len(rows))
    if rows:
        audit.record(
            actor=actor,
            action=Action.RATES_IMPORT,
            subject="exchange_rates",
            after={
                "new": outcome.new,
                "corrected": outcome.corrected,
                "since": min(each.day for each in found).isoformat(),
                "until": max(each.day for each in found).isoformat(),
                "file": digest.hex(),
            },
            at=now,
        )
    return outcome


def _known(found: list[DayRate]) -> dict[tuple[str, date], tuple[int, Decimal]]:
    days = [each.day for each in found]
    rows = current_rates().filter(
        source=RateSource.ECB, base=_EURO, day__gte=min(days), day__lte=max(days)
    )
    return {
        (quote, day): (pk, rate)
        for quote, day, pk, rate in rows.values_list("quote", "day", "pk", "rate").order_by()
    }


@transaction.atomic(durable=True)
def record_rate(  # noqa: PLR0913 - each by name
    base: str,
    quote: str,
    rate: Decimal,
    *,
    day: date,
    reason: str,
    actor: Actor,
    now: datetime,
) -> ExchangeRate:
    """Record a rate of one's own; where there is one of that day, the new row corrects it.

    It counts before the bank's rate of the same day. Refusals: WrongExchangeRate.
    """
    _check(base, quote, rate, day=day, reason=reason, now=now)
    _lock()
    pair = {"base": base, "quote": quote, "day": day, "source": RateSource.OWN}
    earlier = current_rates().filter(**pair).first()
    if earlier is not None and earlier.rate == rate:
        raise WrongExchangeRate(f"{earlier} is recorded already.")
    row = ExchangeRate.objects.create(
        **pair,
        rate=rate,
        reason=reason.strip()[:300],
        corrects=earlier,
        recorded_by=str(actor),
        recorded_at=now,
    )
    audit.record(
        actor=actor,
        action=Action.RATE_RECORD,
        subject=f"exchange_rate:{row.pk}",
        before={"rate": earlier.rate} if earlier else None,
        after={"base": base, "quote": quote, "day": day.isoformat(), "rate": rate},
        reason=row.reason,
        at=now,
    )
    return row


def _check(base: str, quote: str, rate: Decimal, *, day: date, reason: str, now: datetime) -> None:
    for code in (base, quote):
        if not (code.isascii() and code.isalpha() and code.isupper() and 3 <= len(code) <= 5):  # noqa: PLR2004 - USD, USDC
            raise WrongExchangeRate(f"{code} is no currency. Write its code, such as USD.")
    if base == quote:
        raise WrongExchangeRate("A rate needs two currencies.")
    if not rate.is_finite() or not 0 < rate < RATE_MAX or rate != round(rate, 9):
        raise WrongExchangeRate("A rate is more than 0 and has at most nine decimal places.")
    if day > now.date():
        raise WrongExchangeRate(f"{day} has not come yet.")
    if not reason.strip():
        raise WrongExchangeRate("Say where the rate is from.")


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
