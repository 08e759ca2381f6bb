"""Circle Mint's statements: whole days of transfers, payouts and deposits, none of them open."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from common.file_text import UnreadableError
from tests.moments import NOON
from tests.treasury.builders import balances, broken
from tests.treasury.contracts.documents import document
from tests.treasury.contracts.fake_circle import ADDRESS, BANK, FakeCircle
from tests.treasury.purchases import (
    FINN,
    add_payee,
    carry_on,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.rail_accounts import stand_in, switch_on
from tests.treasury.rails.circle_rails import add_mint, mint_rail, order
from treasury import services as treasury
from treasury.models import Difference, RailStatement, Transfer
from treasury.rail_statements import read
from treasury.rail_statements.fetched import pack
from treasury.rail_statements.movements import Asked
from treasury.refusals import RailStatementUnreadable

TODAY = NOON.date()
DAY = timedelta(days=1)
RAIL = "rail:mint"
BEGAN = "2026-03-10T12:00:00.000Z"
PAYOUT = f"payout:wire:{BANK}"


@pytest.fixture
def circle(db, settings):
    """A rail with 1,000.00 on it, which the ledger knows."""
    make_decider()
    vendor = FakeCircle()
    vendor.created = BEGAN
    with vendor.serve():
        stand_in(settings, "circle-mint", vendor.url)
        switch_on(add_mint())
        add_payee(rail="mint", destination=f"transfer:{ADDRESS}")
        set_policy()
        fund("1000.00", RAIL)
        yield vendor


def pay(vendor, number: int, amount: str = "5.00", payee: str = PAYOUT) -> str:
    """The id of a payment that nobody recorded."""
    rail = mint_rail(vendor.url)
    key = f"00000000-0000-4000-8000-{number:012}"
    return rail.pay(rail.body(order(amount, payee=payee, purchase=key)), key=key).vendor_id


def fetch(*, since=TODAY, now=NOON + DAY):
    return treasury.fetch_rail_statement(RAIL, since=since, actor=FINN, now=now)


def test_a_purchase_and_its_fee_are_matched_and_what_arrives_is_a_line(circle):
    purchase = carry_on(propose("40.00"))
    circle.end(purchase.vendor_id, fee="0.25")
    carry_on(purchase)
    circle.deposit("10.00", fee="1.00")
    statement, count = fetch()
    ends = (statement.opening, statement.closing, statement.line_count)
    assert ends == (1000, Decimal("968.75"), 4)
    assert statement.closing == Decimal(circle.cents) / 100
    assert [(each.kind, each.theirs) for each in Difference.objects.order_by("pk")] == [
        # The ledger has what was there as a transfer of this day.
        ("missing_transfer", 10),
        ("balance", 1000),
    ]
    assert count == 2 and not broken()
    fees = Transfer.objects.filter(kind="fee").order_by("pk")
    assert [each.amount for each in fees] == [Decimal("0.25"), 1]
    assert balances(RAIL)[0] == Decimal("958.75")
    assert b'"of": "deposits"' in bytes(statement.content)


def test_what_the_bank_returns_is_a_line_of_its_own_day(circle):
    first = pay(circle, 1)
    circle.end(first)
    assert fetch()[0].closing == 995
    circle.created = "2026-03-13T09:00:00.000Z"
    circle.send_back(first, fee="0.50")
    later, _ = fetch(since=None, now=NOON + 4 * DAY)
    assert (later.since, later.until) == (TODAY + DAY, TODAY + 3 * DAY)
    assert (later.opening, later.closing) == (995, Decimal("999.50"))
    back, fee = later.lines.order_by("position")
    assert (back.amount, back.reference, back.day) == (5, first, TODAY + 3 * DAY)
    assert (fee.amount, fee.kind, fee.their_reference) == (
        Decimal("-0.50"),
        "fee",
        back.their_reference,
    )


def test_what_fails_or_comes_in_on_a_chain_or_is_of_another_currency(circle):
    circle.fail(pay(circle, 1))
    incoming = pay(circle, 2, "7.00", f"transfer:{ADDRESS}")
    circle.end(incoming)
    circle.payments[incoming] |= {
        "source": {"type": "blockchain", "chain": "ETH"},
        "destination": {"type": "wallet", "id": "1000"},
    }
    circle.cents += 1400
    euros = circle.deposit("9.00")
    euros["amount"] = {"amount": "9.00", "currency": "EUR"}
    circle.cents -= 900
    statement, _ = fetch()
    assert [each.amount for each in statement.lines.all()] == [7]
    assert (statement.opening, statement.closing) == (1000, 1007)


def test_a_day_is_told_when_nothing_that_began_on_it_is_open(circle):
    circle.end(pay(circle, 1))
    circle.created = "2026-03-11T12:00:00.000Z"
    open_one = pay(circle, 2)
    circle.created = "2026-03-12T12:00:00.000Z"
    circle.end(pay(circle, 3))
    statement, _ = fetch(now=NOON + 4 * DAY)
    assert (statement.until, statement.closing) == (TODAY, 995)
    with pytest.raises(RailStatementUnreadable, match="began on 2026-03-11 is still pending"):
        fetch(since=None, now=NOON + 4 * DAY)
    circle.end(open_one)
    later, _ = fetch(since=None, now=NOON + 4 * DAY)
    assert (later.until, later.opening, later.closing) == (TODAY + 3 * DAY, 995, 985)
    assert not Difference.objects.filter(kind="balance", statement=later).exists()


def test_all_pages_are_read_also_short_ones(circle):
    circle.page_size = 2
    for number in range(5):
        circle.end(pay(circle, number))
    for _ in range(3):
        circle.deposit("1.00")
    statement, _ = fetch()
    assert (statement.line_count, statement.opening, statement.closing) == (8, 1000, 978)


def test_what_is_not_answered_leaves_nothing_behind(circle):
    for faults, told in (
        (["500"], "Circle answers 500"),
        (["", "429"], "Circle answers 429"),
        (["", "", "401"], "Circle answers 401"),
        (["", "lost_answer"], "Circle answers no_connection"),
        (["", "", "", "", "no_json"], "Circle answers no_json_200"),
    ):
        circle.read_faults = list(faults)
        with pytest.raises(RailStatementUnreadable, match=told):
            fetch()
        assert not circle.read_faults and not RailStatement.objects.exists()


def test_pages_without_end_and_what_moves_while_it_is_read(circle, monkeypatch):
    answer, moves = circle.answer, [1]

    def moving(sent):
        if sent.path.endswith("/deposits") and moves:
            moves.pop()
            circle.deposit("1.00")
        return answer(sent)

    monkeypatch.setattr(circle, "answer", moving)
    assert fetch()[0].closing == 1001
    moves += [1] * 9
    with pytest.raises(RailStatementUnreadable, match="some while they were read"):
        fetch(since=TODAY + DAY, now=NOON + 2 * DAY)
    # Circle repeats the same page again and again.
    monkeypatch.setattr(circle, "answer", lambda sent: answer_without_page(answer, sent))
    sent = len(circle.sent)
    with pytest.raises(RailStatementUnreadable, match="More than 2,000"):
        fetch(since=TODAY + DAY, now=NOON + 2 * DAY)
    assert sum(each.path.endswith("/deposits") for each in circle.sent[sent:]) == 40


def answer_without_page(answer, sent):
    row = {"id": "d-1", "status": "complete", "createDate": BEGAN, "amount": {}}
    return (200, {"data": [row]}) if sent.path.endswith("/deposits") else answer(sent)


# ---- What Circle tells ---------------------------------------------------------------------------


def told(of="deposits", **changes):
    row = {
        "id": "d-1",
        "amount": {"amount": "5.00", "currency": "USD"},
        "status": "complete",
        "createDate": BEGAN,
    } | changes
    balance = {"data": {"available": [{"amount": "5.00", "currency": "USD"}], "unsettled": []}}
    page = {"of": of, "answer": {"data": [row]}}
    about = {"balance": json.dumps(balance).encode(), "pages": [json.dumps(page).encode()]}
    return pack(TODAY, TODAY, "USD", **about)


def test_the_fake_tells_what_the_document_has(circle):
    payout = pay(circle, 1)
    circle.end(payout, fee="0.10")
    circle.send_back(payout)
    circle.deposit("1.00", fee="0.10")
    circle.end(pay(circle, 2, payee=f"transfer:{ADDRESS}"))
    for name in ("payouts", "transfers", "deposits", "balances"):
        path = f"/v1/businessAccount/{name}"
        reply = mint_rail(circle.url)._get(path, [] if name == "balances" else [("pageSize", "50")])
        assert document("circle").problems_of_answer("GET", path, 200, reply.body) == []


@pytest.mark.parametrize(
    "content",
    [
        told(of="others"),
        told(amount={"amount": "x", "currency": "USD"}),
        told(amount={}),
        told(createDate="tomorrow"),
        told(of="transfers"),
        told().replace(b'"available"', b'"other"'),
        b"{}",
    ],
)
def test_what_cannot_be_right_is_refused(content):
    with pytest.raises(UnreadableError):
        read(content, format_name="circle-mint", asked=Asked())
    assert read(told(), format_name="circle-mint", asked=Asked()).opening == 0
