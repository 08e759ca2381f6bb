"""Worked examples as textbooks of bookkeeping have them, with the trial balance after each.

An amount in a trial balance is a debit, below zero a credit; all of them make up zero.
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from tests.moments import NOON
from tests.treasury.builders import (
    begin_pending,
    broken,
    entry,
    open_account,
    post_pending,
    transfer,
    void_pending,
)
from treasury.models import Account, Transfer

pytestmark = pytest.mark.django_db
BANK, CREDIT, TRANSIT = "rail:bank", "credit:openai", "transit:openai"
RESEARCH, SALES, FEES = "expense:research", "expense:sales", "fees"
FUNDING, OPENING, ROUNDING, UNEXPLAINED = "funding", "opening", "rounding", "unexplained"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def chart_of_accounts():
    open_account(BANK, scale=2)
    for name in (CREDIT, TRANSIT, RESEARCH, SALES, FEES, FUNDING, OPENING, ROUNDING, UNEXPLAINED):
        open_account(name)
    yield
    assert broken() == []


def trial_balance() -> dict[str, Decimal]:
    """The accounts with a balance, debits above zero."""
    rows = Account.objects.annotate(sum=F("debits_posted") - F("credits_posted"))
    balances = {row.name: row.sum for row in rows if row.sum}
    assert sum(balances.values()) == 0
    return balances


def amounts(**expected: str) -> dict[str, Decimal]:
    names = {
        "bank": BANK,
        "credit": CREDIT,
        "transit": TRANSIT,
        "research": RESEARCH,
        "sales": SALES,
        "fees": FEES,
        "funding": FUNDING,
        "opening": OPENING,
        "rounding": ROUNDING,
        "unexplained": UNEXPLAINED,
    }
    return {names[name]: Decimal(amount) for name, amount in expected.items()}


def test_a_month_from_the_opening_balance_to_the_trial_balance():
    """The owner pays in, an asset is bought on the way through a clearing account, and is used up
    as an expense of two departments."""
    transfer(entry(BANK, OPENING, "250.00"), entry(BANK, FUNDING, "1000.00"))
    transfer(entry(TRANSIT, BANK, "400.00"), entry(FEES, BANK, "11.90"))
    assert trial_balance() == amounts(
        bank="838.10", transit="400", fees="11.90", opening="-250", funding="-1000"
    )
    transfer(entry(CREDIT, TRANSIT, "400.00"))
    transfer(entry(RESEARCH, CREDIT, "123.456789"), entry(SALES, CREDIT, "76.543211"))
    assert trial_balance() == amounts(
        bank="838.10",
        credit="200",
        research="123.456789",
        sales="76.543211",
        fees="11.90",
        opening="-250",
        funding="-1000",
    )


def test_an_authorization_is_captured_for_less_and_another_is_voided():
    """A hotel reserves 300, and charges 240; a car rental gives its 150 back. Nothing is in the
    trial balance before it is captured, and nothing of it is spent twice."""
    transfer(entry(BANK, FUNDING, "500.00"))
    (hotel,) = begin_pending(entry(TRANSIT, BANK, 300), expires_at=NOON + HOUR)
    (rental,) = begin_pending(entry(TRANSIT, BANK, 150), expires_at=NOON + HOUR)
    assert trial_balance() == amounts(bank="500", funding="-500")
    assert Account.objects.get(name=BANK).available == 50
    post_pending(hotel, amount=Decimal(240))
    void_pending(rental)
    assert trial_balance() == amounts(bank="260", transit="240", funding="-500")
    assert Account.objects.get(name=BANK).available == 260


def test_an_error_is_corrected_by_a_reversal_and_the_right_entry():
    """An invoice of 54 was booked as 45, to the wrong department: nothing is erased."""
    transfer(entry(CREDIT, OPENING, "100"))
    (wrong,) = transfer(entry(SALES, CREDIT, "45"))
    transfer(
        entry(CREDIT, SALES, "45", kind="reversal", corrects=wrong),
        entry(RESEARCH, CREDIT, "54", kind="adjustment", corrects=wrong),
    )
    assert trial_balance() == amounts(credit="46", research="54", opening="-100")
    sales = Account.objects.get(name=SALES)
    assert (sales.debits_posted, sales.credits_posted) == (45, 45)
    assert Transfer.objects.filter(corrects=wrong).count() == 2


def test_cash_that_is_missing_stands_in_suspense_until_it_is_explained():
    """The statement of the bank has 87.50 where the books have 90: 2.40 turn out to be a fee."""
    transfer(entry(BANK, FUNDING, "90.00"))
    (difference,) = transfer(entry(UNEXPLAINED, BANK, "2.50", kind="adjustment"))
    assert trial_balance() == amounts(bank="87.50", unexplained="2.50", funding="-90")
    transfer(entry(FEES, UNEXPLAINED, "2.40", kind="fee", corrects=difference))
    assert trial_balance() == amounts(bank="87.50", fees="2.40", unexplained="0.10", funding="-90")


def test_thirds_of_a_bill_leave_what_rounding_leaves():
    """10.00 of consumption split among three, each to nine places; the bank moves whole cents."""
    transfer(entry(BANK, FUNDING, "10.00"), entry(CREDIT, BANK, "10.00"))
    third = round(Decimal(10) / 3, 9)
    transfer(entry(RESEARCH, CREDIT, third), entry(RESEARCH, CREDIT, third))
    transfer(entry(SALES, CREDIT, third), entry(ROUNDING, CREDIT, 10 - 3 * third, kind="rounding"))
    assert trial_balance() == amounts(
        research="6.666666666", sales="3.333333333", rounding="0.000000001", funding="-10"
    )
