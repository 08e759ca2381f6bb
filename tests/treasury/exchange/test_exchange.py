"""Exchange rates as rows, which of them counts, and exchanges in the ledger."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, transaction

from security.models import AuditEntry
from tests.actors import ACTOR
from tests.moments import NOON
from tests.treasury.builders import FUNDING, RAIL, balances, broken, entry, open_account
from tests.treasury.builders import transfer as post
from tests.treasury.exchange.test_ecb import DAILY, HISTORY
from treasury import services as treasury
from treasury.models import ExchangeRate, Transfer
from treasury.queries import rate_on
from treasury.refusals import (
    AccountNotFound,
    AccountOverdrawn,
    TransferDiffers,
    WrongExchange,
    WrongExchangeRate,
)
from treasury.services import ExchangeTerms

TODAY = NOON.date()
MONDAY = date(2026, 3, 9)
EURO = "rail:euro"
KEY = UUID(int=7)
pytestmark = pytest.mark.django_db


def bring(content=DAILY):
    return treasury.import_rates(content, actor=ACTOR, now=NOON)


def record(base="USD", quote="EUR", rate="0.9", day=TODAY, reason="the bank's"):
    return treasury.record_rate(
        base, quote, Decimal(rate), day=day, reason=reason, actor=ACTOR, now=NOON
    )


def rate(base, quote, day=TODAY):
    found = rate_on(base, quote, day)
    return found and found.rate


def test_a_file_is_imported_once_and_a_later_one_corrects_it():
    first = bring()
    assert (first.new, first.corrected, first.known) == (3, 0, 0)
    again = bring()
    assert (again.new, again.corrected, again.known) == (0, 0, 3)
    assert bring(HISTORY).new == 2
    changed = bring(DAILY.replace(b"1.0812", b"1.0821"))
    assert (changed.new, changed.corrected, changed.known) == (0, 1, 2)
    newer = ExchangeRate.objects.get(rate=Decimal("1.0821"))
    assert newer.corrects.rate == Decimal("1.0812") and "later file" in newer.reason
    assert rate("EUR", "USD") == Decimal("1.0821")
    assert AuditEntry.objects.filter(action="exchange_rates.import").count() == 3
    with pytest.raises(WrongExchangeRate, match="not come yet"):
        bring(b"Date,USD\n2027-01-01,1.1\n")
    with pytest.raises(WrongExchangeRate, match="none of the ECB"):
        bring(b"x")


def test_a_rate_counts_for_a_week_directly_backwards_and_over_the_euro():
    bring()
    assert rate("EUR", "USD", MONDAY + timedelta(days=6)) == Decimal("1.0812")
    assert rate("EUR", "USD", MONDAY + timedelta(days=7)) is None
    assert rate("EUR", "USD", MONDAY - timedelta(days=1)) is None
    assert rate("USD", "EUR") == Decimal("0.924898261")
    found = rate_on("GBP", "JPY", TODAY)
    assert round(found.rate, 6) == Decimal("188.581173") and found.day == MONDAY
    assert [row.quote for row in found.rows] == ["GBP", "JPY"]
    assert rate("USD", "CHF") is None


def test_a_persons_rate_counts_first_on_its_day_and_is_corrected_by_a_newer_one():
    bring()
    record(day=MONDAY)
    assert rate("USD", "EUR") == Decimal("0.9")
    newer = record(day=MONDAY, rate="0.91", reason="read wrongly")
    assert newer.corrects.rate == Decimal("0.9") and rate("USD", "EUR") == Decimal("0.91")
    with pytest.raises(WrongExchangeRate, match="already"):
        record(day=MONDAY, rate="0.91")
    entries = AuditEntry.objects.about(f"exchange_rate:{newer.pk}")
    assert entries.get().reason == "read wrongly"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"base": "usd"}, "is no currency"),
        ({"quote": "USD"}, "two currencies"),
        ({"rate": "0"}, "more than 0"),
        ({"rate": "NaN"}, "more than 0"),
        ({"rate": "0.0000000001"}, "nine decimal places"),
        ({"day": TODAY + timedelta(days=1)}, "not come yet"),
        ({"reason": " "}, "Say where"),
    ],
)
def test_a_rate_that_cannot_be_right_is_refused(changes, why):
    with pytest.raises(WrongExchangeRate, match=why):
        record(**changes)


def test_the_database_keeps_rates():
    row, other = record(), record(base="GBP")
    for change in (
        lambda: ExchangeRate.objects.update(rate=1),
        lambda: ExchangeRate.objects.all().delete(),
        lambda: add(row),
        lambda: add(row, corrects=other),
        lambda: add(row, corrects=row, reason=""),
        lambda: add(row, source="ecb", corrects=None),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def add(row, **changes):
    kept = {
        name: getattr(row, name)
        for name in ("base", "quote", "day", "rate", "source", "reason", "recorded_by")
    }
    ExchangeRate.objects.create(**(kept | changes), recorded_at=NOON)


@pytest.fixture
def rails(db):
    """1,000.00 dollars and no euros, at 0.9 euros for a dollar."""
    open_account(RAIL, scale=2)
    open_account(FUNDING)
    open_account(EURO, currency="EUR", scale=2)
    post(entry(RAIL, FUNDING, "1000.00"))


def exchange(sold="100.00", bought="89.50", *, key=KEY, **changes):
    terms = {
        "sold_account": RAIL,
        "sold": Decimal(sold),
        "bought_account": EURO,
        "bought": Decimal(bought),
        "effective_on": TODAY,
        "reference": "FX-1",
    }
    return treasury.record_exchange(
        ExchangeTerms(**(terms | changes)), key=key, actor=ACTOR, now=NOON
    )


def test_an_exchange_is_two_transfers_and_the_difference_from_the_rate(rails):
    used = record()
    rows = exchange()
    assert [(row.debit.name, row.credit.name, row.amount) for row in rows] == [
        ("exchange:usd", RAIL, 100),
        (EURO, "exchange:eur", Decimal("89.5")),
        ("exchange-difference:eur", "exchange:eur", Decimal("0.5")),
    ]
    assert {row.rate for row in rows} == {used} and len({row.journal for row in rows}) == 1
    # By the rate, both sides of the exchange are worth the same.
    assert balances("exchange:usd")[0] == 100 and balances("exchange:eur")[0] == -90
    assert not broken()
    # The same exchange again changes nothing.
    assert exchange() == rows and Transfer.objects.filter(kind="exchange").count() == 3
    assert AuditEntry.objects.filter(action="exchange.record").count() == 1
    # Also if the rate of the day was corrected since.
    record(rate="0.8")
    assert exchange() == rows
    with pytest.raises(TransferDiffers):
        exchange(bought="89.40")


def test_a_gain_and_the_rest_of_a_cent(rails):
    record(rate="0.933333333")
    rows = exchange(bought="93.50")
    assert [(row.debit.name, row.credit.name, row.amount) for row in rows[2:]] == [
        ("exchange:eur", "exchange-difference:eur", Decimal("0.17")),
        ("rounding:eur", "exchange:eur", Decimal("0.0033333")),
    ]
    assert balances("exchange:eur")[0] == Decimal("-93.3333333") and not broken()


def test_over_the_euro_each_side_names_its_row(rails):
    open_account("rail:pound", currency="GBP", scale=2)
    bring()
    rows = exchange(bought_account="rail:pound", bought="79.18")
    assert [rows[0].rate.quote, rows[1].rate.quote] == ["USD", "GBP"]


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"effective_on": TODAY - timedelta(days=1)}, WrongExchange, "No rate from USD to EUR"),
        ({"bought_account": RAIL}, WrongExchange, "nothing is exchanged"),
        ({"sold_account": FUNDING}, WrongExchange, "is no rail"),
        ({"bought_account": "rail:none"}, AccountNotFound, "no account"),
        ({"sold": "1000.01"}, AccountOverdrawn, "available"),
        ({"reference": ""}, WrongExchange, "Say how"),
    ],
)
def test_an_exchange_that_cannot_be_right_is_refused(rails, changes, error, why):
    record()
    with pytest.raises(error, match=why):
        exchange(**changes)
    assert not Transfer.objects.filter(kind="exchange").exists()


def test_a_transfer_keeps_its_rate(rails):
    record()
    exchange()
    with pytest.raises(DatabaseError), transaction.atomic():
        Transfer.objects.filter(kind="exchange").update(rate=None)
    with pytest.raises((DatabaseError, IntegrityError)), transaction.atomic():
        ExchangeRate.objects.all().delete()


def test_the_command_imports_and_says_what_is_wrong(tmp_path, capsys):
    path = tmp_path / "eurofxref.csv"
    path.write_bytes(DAILY)
    call_command("import_exchange_rates", str(path))
    call_command("import_exchange_rates", str(path))
    assert capsys.readouterr().out.splitlines() == [
        "Rates: 3 new, 0 corrected, 0 known already.",
        "Rates: 0 new, 0 corrected, 3 known already.",
    ]
    path.write_bytes(b"x")
    with pytest.raises(CommandError, match="none of the ECB"):
        call_command("import_exchange_rates", str(path))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_exchange_rates", str(tmp_path / "none"))
