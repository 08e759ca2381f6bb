"""Fees of rails: transfers of their own, once, and on the statement beside their payments."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from tests.moments import NOON
from tests.treasury.builders import balances, broken
from tests.treasury.purchases import (
    FINN,
    SIMULATED_RAIL,
    add_payee,
    carry_on,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.simulator import rail_of, simulator
from treasury import services as treasury
from treasury.models import Account, Difference, RailMatch, Transfer
from treasury.queries import purchase_fees
from treasury.rails.circle_mint.answers import answer_of_payment
from treasury.rails.http import Reply
from treasury.rails.paypal.answers import answer_of_order
from treasury.refusals import PurchaseNotFound, TransferDiffers, WrongDifference, WrongTransfer
from treasury.services import RailStatementFile

TODAY = NOON.date()
FEES = "play-fees:simulator"
FEE = Decimal("0.88")
KEY = UUID(int=3)
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server():
    with simulator() as running:
        yield running


@pytest.fixture
def vendor(server, settings):
    settings.SIMULATOR_URL = server.url
    make_decider()
    add_payee()
    set_policy()
    fund("100.00")
    return server


def under_way(vendor):
    """A purchase of 20.00 that the rail has paid, and its answer."""
    purchase = carry_on(propose("20.00"), steps=2)
    return purchase, rail_of(vendor).find(str(purchase.key))


def statement(*rows, opening="0.00", closing):
    content = "\n".join(["day,amount,reference", *rows]).encode()
    balances = {"opening": Decimal(opening), "closing": Decimal(closing)}
    file = RailStatementFile(account=SIMULATED_RAIL, format="csv", content=content, **balances)
    return treasury.import_rail_statement(file, actor=FINN, now=NOON)


def test_a_fee_that_the_rail_tells_is_booked_once_with_the_payment(vendor):
    purchase, answer = under_way(vendor)
    for _ in range(2):
        treasury.apply_answer(purchase.pk, replace(answer, fee=FEE), now=NOON)
    purchase.refresh_from_db()
    (fee,) = purchase_fees(purchase)
    assert (fee.debit.name, fee.credit.name, fee.amount) == (FEES, SIMULATED_RAIL, FEE)
    assert fee.journal == purchase.pending.journal and fee.reference == purchase.vendor_id
    assert balances(SIMULATED_RAIL)[0] == Decimal("79.12") and not broken()
    # On the statement, both are one line, or one each.
    _, count = statement(
        f"{TODAY},100.00,", f"{TODAY},-20.88,{purchase.vendor_id}", closing="79.12"
    )
    assert count == 0 and RailMatch.objects.filter(rule="journal").count() == 2


def test_a_fee_that_the_account_cannot_pay_keeps_no_payment_back(vendor):
    purchase, answer = under_way(vendor)
    treasury.apply_answer(purchase.pk, replace(answer, fee=Decimal("80.01")), now=NOON)
    purchase.refresh_from_db()
    assert purchase.settled_at is not None and purchase_fees(purchase) == []
    assert balances(SIMULATED_RAIL)[0] == 80 and not broken()
    # Money has come since, and the rail is asked again.
    fund("10.00")
    treasury.apply_answer(purchase.pk, replace(answer, fee=Decimal("80.01")), now=NOON)
    assert balances(SIMULATED_RAIL)[0] == Decimal("9.99")


def test_a_person_records_a_fee_at_a_purchase_that_was_paid(vendor):
    purchase = propose("20.00")
    asked = {"reference": "FEE-1", "key": KEY, "actor": FINN, "now": NOON}
    with pytest.raises(WrongTransfer, match="took no fee"):
        treasury.record_fee(purchase.pk, FEE, **asked)
    with pytest.raises(PurchaseNotFound):
        treasury.record_fee(0, FEE, **asked)
    purchase = carry_on(purchase)
    with pytest.raises(WrongTransfer, match="how the rail names"):
        treasury.record_fee(purchase.pk, FEE, **(asked | {"reference": " "}))
    fee = treasury.record_fee(purchase.pk, FEE, **asked)
    assert treasury.record_fee(purchase.pk, FEE, **asked) == fee
    with pytest.raises(TransferDiffers):
        treasury.record_fee(purchase.pk, 2 * FEE, **asked)
    assert purchase_fees(purchase) == [fee] and not broken()


def test_a_line_of_a_statement_is_booked_as_the_fee_of_its_purchase(vendor):
    purchase = carry_on(propose("20.00"))
    name = purchase.vendor_id
    rows = [f"{TODAY},100.00,", f"{TODAY},-20.00,{name}", f"{TODAY},-0.88,{name}"]
    _, count = statement(*rows, closing="79.12")
    found = Difference.objects.get()
    assert count == 1 and found.theirs == -FEE
    treasury.book_difference_as_fee(found.pk, reason="their price list", actor=FINN, now=NOON)
    (fee,) = purchase_fees(purchase)
    found.refresh_from_db()
    assert found.status == "explained" and f"transfer {fee.pk}" in found.reason
    assert RailMatch.objects.get(transfer=fee).rule == "fee"
    assert treasury.match_rail_statements(found.account, actor=FINN, now=NOON) == 0
    assert balances(FEES)[0] == FEE and not broken()


def test_what_came_is_no_fee(vendor):
    statement(f"{TODAY},100.00,", f"{TODAY},5.00,X-1", closing="105.00")
    found = Difference.objects.get()
    with pytest.raises(WrongDifference, match="took money"):
        treasury.book_difference_as_fee(found.pk, reason="x", actor=FINN, now=NOON)
    assert not Transfer.objects.filter(kind="fee").exists()
    assert not Account.objects.filter(name=FEES).exists()


@pytest.mark.parametrize(
    ("fees", "fee"),
    [
        ({"amount": "0.88", "currency": "USD"}, FEE),
        ([{"amount": "0.80", "currency": "USD"}, {"amount": "0.08", "currency": "USD"}], FEE),
        ([{"amount": "0.01", "currency": "ETH"}], None),
        ([], None),
        (None, None),
    ],
)
def test_circle_mint_tells_its_fees(fees, fee):
    amount = {"amount": "20.00", "currency": "USD"}
    body = {"data": {"id": "1", "status": "complete", "amount": amount, "fees": fees}}
    assert answer_of_payment(Reply(status=200, body=body)).fee == fee


@pytest.mark.parametrize(
    ("fee", "told"),
    [
        ({"paypal_fee": {"value": "0.88", "currency_code": "USD"}}, FEE),
        ({"paypal_fee": {"value": "0.88", "currency_code": "EUR"}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_paypal_tells_its_fee_with_a_capture(fee, told):
    amount = {"value": "20.00", "currency_code": "USD"}
    capture = {"id": "C", "status": "COMPLETED", "amount": amount}
    capture |= {"seller_receivable_breakdown": fee}
    order = {"id": "O", "status": "COMPLETED"}
    order |= {"purchase_units": [{"payments": {"captures": [capture]}}]}
    assert answer_of_order(order).fee == told
