"""Statements that Butler fetches: whole days, kept as they came, with the fees that are told."""

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine

from common.file_text import UnreadableError
from security.models import AuditEntry
from tests.dashboard.test_agents import signed_in
from tests.moments import NOON
from tests.treasury.builders import RAIL, balances, broken, open_accounts
from tests.treasury.contracts.documents import document
from tests.treasury.contracts.fake_stripe import FakeStripe
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
from tests.treasury.rail_accounts import SETTINGS, add_rail, stand_in, switch_on
from tests.treasury.rails.circle_rails import add_wallets
from tests.treasury.simulator import simulator
from treasury import jobs
from treasury import services as treasury
from treasury.models import Account, Difference, RailAccount, RailMatch, RailStatement, Transfer
from treasury.rail_statements import read
from treasury.rail_statements.fetched import pack
from treasury.rail_statements.movements import Asked
from treasury.refusals import (
    AccountNotFound,
    RailStatementKnown,
    RailStatementOverlaps,
    RailStatementUnreadable,
)
from treasury.services import RailStatementFile

pytestmark = pytest.mark.django_db
TODAY = NOON.date()
DAY = timedelta(days=1)
LATER = NOON + DAY
FEE = Decimal("0.66")


@pytest.fixture
def stripe(settings):
    make_decider()
    vendor = FakeStripe()
    vendor.began, vendor.fee_cents, vendor.cents = int(NOON.timestamp()), 66, 0
    with vendor.serve():
        stand_in(settings, "stripe", vendor.url)
        switch_on(add_rail(settings=SETTINGS | {"payment_method": "pm_card_visa"}))
        yield vendor


def collect(amount="12.30", *, now=NOON):
    return treasury.collect("stripe", Decimal(amount), purpose="x", actor=FINN, now=now)


def fetch(account="rail:stripe", *, since=TODAY, now=LATER):
    return treasury.fetch_rail_statement(account, since=since, actor=FINN, now=now)


def test_payments_and_their_fees_are_matched_and_the_fees_are_booked(stripe):
    for amount in ("12.30", "20.00"):
        collect(amount)
    refund = treasury.ask_refund(
        Decimal("2.30"), collection_id=collect().pk, reason="x", actor=FINN, now=NOON
    )
    treasury.advance_refund(refund.pk, now=NOON)
    statement, count = fetch()
    assert count == 0 and not Difference.objects.exists() and not broken()
    ends = (statement.since, statement.until, statement.opening, statement.closing)
    assert ends == (TODAY, TODAY, 0, Decimal("40.32"))
    assert b'"txn_1"' in bytes(statement.content) and statement.format == "stripe"
    assert balances("rail:stripe")[0] == statement.closing == Decimal(stripe.cents) / 100
    first, *others = Transfer.objects.filter(kind="fee").order_by("pk")
    assert (first.debit.name, first.amount, len(others)) == ("play-fees:stripe", FEE, 2)
    assert first.journal == Transfer.objects.get(reference="pi_1").journal
    assert first.effective_on == TODAY and RailMatch.objects.filter(rule="fee").count() == 3
    entry = AuditEntry.objects.get(action="rail_statement.match")
    assert entry.after["fees"] == 3
    # Looked at again, nothing is booked twice.
    account = Account.objects.get(name="rail:stripe")
    assert treasury.match_rail_statements(account, actor=FINN, now=LATER) == 0
    assert Transfer.objects.filter(kind="fee").count() == 3


def test_each_day_follows_by_itself_once(stripe):
    collect()
    assert jobs.fetch_rail_statements() == 0
    fetch()
    with pytest.raises(RailStatementKnown):
        fetch()
    stripe.began += 24 * 3600
    collect("5.00", now=LATER)
    # A day is not over at once: vendors are late.
    with time_machine.travel(NOON + DAY * 1.6, tick=False):
        assert jobs.fetch_rail_statements() == 0
    with time_machine.travel(NOON + DAY * 1.8, tick=False):
        assert jobs.fetch_rail_statements() == 1
        assert jobs.fetch_rail_statements() == 0
    with pytest.raises(RailStatementOverlaps):
        fetch(now=LATER + DAY)
    last = RailStatement.objects.first()
    assert (last.since, last.opening, last.closing) == (
        TODAY + DAY,
        Decimal("11.64"),
        Decimal("15.98"),
    )
    assert last.imported_by == "reconciliation" and not Difference.objects.exists()


def test_what_nobody_recorded_is_a_difference_with_its_fee_booked(stripe):
    collect()
    stripe.move(500, "charge", source={"id": "ch_9", "object": "charge"}, fee=45)
    stripe.move(-300, "payout", source={"id": "po_1", "object": "payout"})
    assert fetch()[1] == 2
    assert [(each.kind, each.theirs) for each in Difference.objects.order_by("pk")] == [
        ("missing_transfer", 5),
        ("missing_transfer", -3),
    ]
    assert Transfer.objects.filter(kind="fee").count() == 2 and not broken()


def test_a_fee_of_a_closed_period_is_left_to_people(stripe):
    collect()
    treasury.close_period(through=TODAY, reason="x", actor=FINN, now=LATER)
    _, count = fetch()
    found = Difference.objects.get()
    assert (count, found.kind, found.theirs) == (1, "fee", -FEE)
    treasury.explain_difference(found.pk, reason="in the next month", actor=FINN, now=LATER)
    account = Account.objects.get(name="rail:stripe")
    assert treasury.match_rail_statements(account, actor=FINN, now=LATER) == 0
    assert not Transfer.objects.filter(kind="fee").exists()


def test_what_moves_while_it_is_read_is_read_again(stripe, monkeypatch):
    collect()
    answer, late = stripe.answer, [100, 200]

    def moving(sent):
        reply = answer(sent)
        if sent.path == "/v1/balance_transactions" and late:
            stripe.move(late.pop(), "charge", source={"id": "ch_9", "object": "charge"})
        return reply

    monkeypatch.setattr(stripe, "answer", moving)
    assert fetch()[0].closing == Decimal("14.64")
    late += [1] * 9
    with pytest.raises(RailStatementUnreadable, match="while they were read"):
        fetch(since=TODAY + DAY, now=LATER + DAY)


def test_a_vendor_that_refuses_leaves_its_words_and_nothing_else(stripe):
    collect()
    stripe.secret = "rolled"  # noqa: S105
    with pytest.raises(RailStatementUnreadable, match="Stripe answers invalid_request_error"):
        fetch()
    assert "Stripe answers" in RailAccount.objects.get().last_error
    assert not RailStatement.objects.exists()


def test_what_cannot_be_fetched_is_said(stripe, settings):
    open_accounts()
    add_wallets()
    for account in (RAIL, "rail:wallets"):
        with pytest.raises(RailStatementUnreadable, match="tells no statement"):
            fetch(account)
    with pytest.raises(AccountNotFound):
        fetch()
    with pytest.raises(RailStatementUnreadable, match="Say from which day"):
        fetch(since=None)
    with pytest.raises(RailStatementUnreadable, match="No day since 2026-03-10 is over"):
        fetch(now=NOON)
    file = RailStatementFile(account=RAIL, format="stripe", content=b"{}")
    with pytest.raises(RailStatementUnreadable, match="No file"):
        treasury.import_rail_statement(file, actor=FINN, now=NOON)


def test_the_days_of_the_simulator(settings):
    with simulator(funds="100.00") as server, time_machine.travel(NOON, tick=True):
        settings.SIMULATOR_URL = server.url
        server.vendor._rows.execute("UPDATE line SET at = ?", (NOON.timestamp(),))
        make_decider()
        add_payee()
        set_policy()
        fund("100.00")
        purchase = carry_on(propose("20.00"))
        statement, count = fetch(SIMULATED_RAIL)
        assert count == 0 and statement.closing == 80
        assert statement.lines.last().reference == purchase.vendor_id
        later, _ = fetch(SIMULATED_RAIL, since=None, now=LATER + DAY)
        assert (later.opening, later.closing, later.line_count) == (80, 80, 0)
    with pytest.raises(RailStatementUnreadable, match="does not answer"):
        fetch(SIMULATED_RAIL, since=None, now=LATER + 9 * DAY)


def test_finance_fetches_on_the_page(stripe):
    collect()
    fay = signed_in("fay", role="finance")
    path = "/treasury/statements?act=fetch"
    with time_machine.travel(LATER, tick=False):
        assert "rail:stripe" in fay.get(path).content.decode()
        asked = {"account": "rail:stripe", "since": ""}
        assert "Say from which day" in fay.post(path, asked).content.decode()
        assert fay.post(path, asked | {"since": TODAY}).status_code == 302
    assert RailStatement.objects.get().imported_by == "fay"
    al = signed_in("al", role="auditor")
    assert "Fetch from a rail" not in al.get("/treasury/statements").content.decode()
    assert al.post(path, asked | {"since": TODAY + DAY}).status_code == 403


# ---- What Stripe tells ---------------------------------------------------------------------------


def told(*lines, cents=0, pending=()):
    """The content of a day with these balance transactions, the newest first."""
    balance = {
        "available": [{"amount": cents, "currency": "usd"}],
        "pending": [{"amount": each, "currency": "usd"} for each in pending],
    }
    page = {"data": list(lines)}
    about = {"balance": json.dumps(balance).encode(), "pages": [json.dumps(page).encode()]}
    return pack(date(2026, 3, 10), date(2026, 3, 10), "USD", **about)


def line(name="txn_1", amount=1000, fee=59, **changes):
    row = {
        "id": name,
        "created": int(NOON.timestamp()),
        "amount": amount,
        "fee": fee,
        "net": amount - fee,
        "fee_details": [{"amount": fee, "currency": "usd", "type": "stripe_fee"}],
        "currency": "usd",
        "type": "charge",
        "source": {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"},
    }
    return row | changes


def lines_of(content):
    file = read(content, format_name="stripe", asked=Asked())
    assert file.opening + sum(each.amount for each in file.movements) == file.closing
    return file, [(each.kind, each.amount, each.reference) for each in file.movements]


def test_gross_and_each_fee_are_lines_of_the_payment():
    details = [
        {"amount": 50, "currency": "usd", "type": "stripe_fee", "description": "Processing"},
        {"amount": 9, "currency": "usd", "type": "tax"},
    ]
    file, found = lines_of(told(line(fee_details=details), cents=900, pending=[41]))
    assert found == [
        ("movement", 10, "pi_1"),
        ("fee", Decimal("-0.50"), "pi_1"),
        ("fee", Decimal("-0.09"), "pi_1"),
    ]
    assert (file.opening, file.closing) == (0, Decimal("9.41"))
    assert [each.description for each in file.movements] == ["charge", "Processing", "tax"]


def test_other_days_and_currencies_are_left_out_and_lead_back_to_the_balance():
    tomorrow = int((NOON + DAY).timestamp())
    content = told(
        line("txn_3", created=tomorrow),
        line("txn_2", currency="eur"),
        line(fee_details=[{"amount": 1, "type": "stripe_fee"}]),
        cents=2000,
    )
    file, found = lines_of(content)
    assert found == [("movement", 10, "pi_1"), ("fee", Decimal("-0.59"), "pi_1")]
    assert (file.opening, file.closing) == (Decimal("1.18"), Decimal("10.59"))


def test_fees_without_a_payment_and_other_objects():
    rows = [
        line("txn_2", amount=-200, fee=0, type="stripe_fee", source=None),
        line("txn_1", amount=-500, fee=0, type="refund", source={"id": "re_1", "object": "refund"}),
    ]
    assert lines_of(told(*rows))[1] == [("movement", -5, "re_1"), ("fee", -2, "")]


@pytest.mark.parametrize(
    "content",
    [
        told(line(net=1)),
        told({"id": "txn_1"}),
        b"{}",
        b"[]",
        told().replace(b"2026-03-10", b"tomorrow"),
    ],
)
def test_what_cannot_be_right_is_refused(content):
    with pytest.raises(UnreadableError):
        lines_of(content)


def test_the_fake_tells_what_the_document_has():
    schemas = document("stripe")._whole["components"]["schemas"]
    movement = set(schemas["balance_transaction"]["properties"])
    assert set(line()) <= movement and "pending" in schemas["balance"]["properties"]
