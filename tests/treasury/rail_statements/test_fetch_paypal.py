"""PayPal's statements: whole days, all pages, gross amounts and fees, and what is not whole yet."""

import json
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from common.file_text import UnreadableError
from tests.moments import NOON
from tests.treasury.builders import balances, broken, open_account
from tests.treasury.contracts.fake_paypal import FakePayPal
from tests.treasury.purchases import FINN, make_decider
from tests.treasury.rail_accounts import add_paypal, stand_in, switch_on
from treasury import services as treasury
from treasury.models import Difference, RailAccount, RailMatch, RailStatement, Transfer
from treasury.rail_statements import read
from treasury.rail_statements.fetched import pack
from treasury.rail_statements.movements import Asked
from treasury.rails.paypal import token
from treasury.refusals import RailStatementUnreadable

TODAY = NOON.date()
DAY = timedelta(days=1)
RAIL = "rail:paypal"


@pytest.fixture
def paypal(db, settings):
    make_decider()
    token._kept.clear()
    vendor = FakePayPal()
    with vendor.serve():
        stand_in(settings, "paypal", vendor.url)
        switch_on(add_paypal())
        open_account(RAIL, scale=2)
        yield vendor


def collect(vendor, amount="12.30", *, now=NOON):
    vendor.at = now
    found = treasury.collect("paypal", Decimal(amount), purpose="x", actor=FINN, now=now)
    vendor.agree(found.vendor_id)
    return treasury.advance_collection(found.pk, now=now)


def fetch(*, since=TODAY, now=NOON + DAY):
    return treasury.fetch_rail_statement(RAIL, since=since, actor=FINN, now=now)


def test_payments_refunds_and_fees_are_matched_and_fees_are_booked_once(paypal):
    # PayPal tells this fee with the capture, too; the other one is only in its report.
    paypal.fee = "0.66"
    first = collect(paypal)
    refund = treasury.ask_refund(
        Decimal("2.30"), collection_id=first.pk, reason="x", actor=FINN, now=NOON
    )
    treasury.advance_refund(refund.pk, now=NOON)
    paypal.fee = ""
    second = collect(paypal, "20.00")
    paypal.lines[-1]["fee_amount"] = {"currency_code": "USD", "value": "-0.90"}
    statement, count = fetch()
    assert count == 0 and not Difference.objects.exists() and not broken()
    ends = (statement.since, statement.until, statement.opening, statement.closing)
    assert ends == (TODAY, TODAY, 0, Decimal("28.44"))
    assert balances(RAIL)[0] == Decimal("28.44") and statement.format == "paypal"
    fees = Transfer.objects.filter(kind="fee").order_by("pk")
    assert [each.amount for each in fees] == [Decimal("0.66"), Decimal("0.90")]
    assert fees[1].journal == second.transfer.journal != fees[0].journal
    assert RailMatch.objects.filter(rule="fee").count() == 1
    assert b'"transaction_details"' in bytes(statement.content)
    (asked,) = [each.query for each in paypal.sent if each.path.endswith("/transactions")]
    assert "fields=transaction_info" in asked and "payer" not in bytes(statement.content).decode()


def test_all_pages_are_read_and_days_follow_each_other(paypal):
    paypal.page_size = 2
    for number in range(5):
        paypal.move("1.00", name=f"T-{number}")
    paypal.at = NOON + DAY
    paypal.move("7.00", name="T-9", fee="-0.50")
    statement, count = fetch()
    assert (statement.line_count, statement.closing, count) == (5, 5, 5)
    later, _ = fetch(since=None, now=NOON + 2 * DAY)
    assert (later.since, later.opening, later.closing) == (TODAY + DAY, 5, Decimal("11.50"))
    assert not Difference.objects.filter(kind="balance").exists()


def test_a_balance_that_the_movements_do_not_make_is_a_difference(paypal):
    paypal.at = NOON - DAY
    paypal.move("3.00", name="T-1")
    _, count = fetch()
    found = Difference.objects.get()
    assert (count, found.kind, found.own, found.theirs) == (1, "balance", 0, 3)


def test_what_is_pending_or_denied_has_not_moved(paypal):
    for number, status in enumerate("PDVS"):
        paypal.move("1.00", name=f"T-{number}", transaction_status=status)
    statement, _ = fetch()
    assert [each.reference for each in statement.lines.all()] == ["T2", "T3"]


def test_what_is_not_answered_leaves_nothing_behind(paypal):
    paypal.page_size = 1
    paypal.move("1.00", name="T-1")
    paypal.move("1.00", name="T-2")
    for faults, told in (
        (["500"], "PayPal answers 500"),
        (["429"], "PayPal answers 429"),
        # Another token is refused, too.
        (["401", "401"], "PayPal answers 401"),
        (["403"], "Switch Transaction Search on"),
        (["lost_answer"], "PayPal answers no_connection"),
        (["no_json"], "PayPal answers no_json_200"),
        (["", "", "500"], "PayPal answers 500"),
    ):
        paypal.read_faults = list(faults)
        with pytest.raises(RailStatementUnreadable, match=told):
            fetch()
        assert not paypal.read_faults and not RailStatement.objects.exists()
        assert told in RailAccount.objects.get().last_error
    assert fetch()[0].closing == 2


def test_a_token_that_was_revoked_is_replaced(paypal):
    fetch()
    paypal.tokens.clear()
    paypal.at = NOON + DAY
    paypal.move("1.00", name="T-1")
    assert fetch(since=None, now=NOON + 2 * DAY)[0].closing == 1


def test_a_day_that_is_not_told_whole_is_not_kept(paypal, monkeypatch):
    paypal.move("1.00", name="T-1")
    answer = paypal.answer
    for changes, told, pages in (
        # Pages without end are read to the most that PayPal tells.
        ({"total_pages": 21}, "More than 10,000 movements", 20),
        ({"total_items": 2}, "not have as many movements", 1),
        (
            {"last_refreshed_datetime": "2026-03-10T22:00:00+0000"},
            "knows all through 2026-03-10T22",
            1,
        ),
        ({"as_of_time": "2026-03-10T20:59:59Z"}, "knows all through 2026-03-10T20", 1),
    ):
        monkeypatch.setattr(paypal, "answer", partial(changed, answer, changes))
        paypal.sent.clear()
        with pytest.raises(RailStatementUnreadable, match=told):
            fetch()
        assert sum(each.path.endswith("/transactions") for each in paypal.sent) == pages
        assert not RailStatement.objects.exists()


def changed(answer, changes, sent):
    status, body = answer(sent)
    return status, body | {name: value for name, value in changes.items() if name in body}


# ---- What PayPal tells ---------------------------------------------------------------------------


def usd(value, currency="USD"):
    return {"currency_code": currency, "value": value}


def line(**changes):
    return {
        "transaction_id": "5AV84042KY532240C",
        "transaction_event_code": "T0006",
        "transaction_initiation_date": "2026-03-10T12:00:00+0000",
        "transaction_amount": usd("13.00"),
        "fee_amount": usd("-1.14"),
        "transaction_status": "S",
    } | changes


def told(*lines, total="11.86"):
    balance = {"balances": [{"currency": "USD", "total_balance": usd(total)}]}
    page = {"transaction_details": [{"transaction_info": each} for each in lines]}
    about = {"balance": json.dumps(balance).encode(), "pages": [json.dumps(page).encode()]}
    return pack(TODAY, TODAY, "USD", **about)


def lines_of(content):
    file = read(content, format_name="paypal", asked=Asked())
    assert file.opening + sum(each.amount for each in file.movements) == file.closing
    return file, [(each.kind, each.amount, each.day) for each in file.movements]


def test_gross_and_fee_are_lines_and_the_balance_is_that_of_the_end():
    file, found = lines_of(told(line()))
    assert found == [("movement", 13, TODAY), ("fee", Decimal("-1.14"), TODAY)]
    assert (file.opening, file.closing) == (0, Decimal("11.86"))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        # 01:00 of the next day in Berlin.
        ({"transaction_initiation_date": "2026-03-11T00:30:00+0100"}, "movement"),
        # It began before, and is told for these days since it has moved only now.
        (
            {
                "transaction_initiation_date": "2026-03-08T12:00:00Z",
                "transaction_updated_date": "2026-03-10T03:00:00Z",
            },
            "movement",
        ),
        ({"transaction_event_code": "T0106"}, "fee"),
    ],
)
def test_days_are_those_of_utc_and_fees_of_their_own_are_fees(changes, kind):
    _, found = lines_of(told(line(fee_amount=None, **changes), total="13.00"))
    assert found == [(kind, 13, TODAY)]


@pytest.mark.parametrize(
    "content",
    [
        told(line(transaction_initiation_date="2026-03-12T12:00:00Z")),
        told(line(transaction_amount=usd("13.00", "EUR"))),
        told(line(fee_amount=usd("-1.00", "EUR"))),
        told(line(transaction_amount={})),
        told({}),
        told().replace(b'"balances"', b'"other"'),
        b"{}",
    ],
)
def test_what_cannot_be_right_is_refused(content):
    with pytest.raises(UnreadableError):
        lines_of(content)
