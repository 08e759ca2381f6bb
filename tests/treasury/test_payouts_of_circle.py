"""Payouts of Circle Mint: one wire to the organisation's own bank account, whatever gets lost."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.moments import NOON
from tests.treasury.builders import balances, broken, open_account
from tests.treasury.contracts.fake_circle import BANK, FakeCircle, mint_event
from tests.treasury.purchases import DORA, FINN, MINUTE, approve, fund, make_decider
from tests.treasury.rail_accounts import stand_in, switch_on
from tests.treasury.rails.circle_rails import add_mint, connection
from treasury import refusals
from treasury import services as treasury
from treasury.models import Difference, Payout, Transfer
from treasury.rails.circle_mint.webhook import CircleMintWebhooks

RAIL, TRANSIT = "rail:mint", "play-transit:own:usd"
DAY = timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def circle(settings):
    """A rail with 100.00 on it and a bank account."""
    make_decider()
    vendor = FakeCircle()
    vendor.created, vendor.cents = "2026-03-10T12:00:00.000Z", 0
    with vendor.serve():
        stand_in(settings, "circle-mint", vendor.url)
        switch_on(add_mint(bank_account=BANK))
        open_account(RAIL, scale=2)
        vendor.deposit("100.00")
        fund("100.00", RAIL)
        yield vendor
    assert broken() == []


def ask(amount="10.00", **changes) -> Payout:
    terms = {"reason": "not needed", "actor": FINN, "now": NOON} | changes
    return treasury.ask_payout("mint", Decimal(amount), **terms)


def go_on(payout: Payout, *, now=NOON, steps: int = 3) -> Payout:
    for number in range(steps):
        payout = treasury.advance_payout(payout.pk, now=now + number * MINUTE)
    return payout


def sent(circle) -> list[str]:
    """The keys that were sent."""
    posted = [each for each in circle.sent if each.method == "POST"]
    return [json.loads(each.body)["idempotencyKey"] for each in posted]


def on_transit() -> Decimal:
    return balances(TRANSIT)[0]


def test_a_wire_is_set_aside_sent_once_and_in_transit_when_circle_has_paid_it(circle):
    payout = go_on(ask())
    assert (payout.status, balances(RAIL), on_transit()) == ("accepted", (100, 90), 0)
    assert circle.payments[payout.vendor_id]["destination"] == {"type": "wire", "id": BANK}
    circle.end(payout.vendor_id, fee="0.30")
    payout = go_on(payout)
    assert (payout.status, balances(RAIL)[0], on_transit()) == ("settled", 90, 10)
    assert sent(circle) == [str(payout.key)]
    # The statement has it as the ledger has, and tells the fee.
    statement, count = treasury.fetch_rail_statement(
        RAIL, since=NOON.date(), actor=FINN, now=NOON + DAY
    )
    assert (count, statement.closing) == (0, Decimal("89.70"))
    assert Transfer.objects.get(kind="fee").amount == Decimal("0.30")


def test_what_says_nothing_is_sent_again_under_the_same_key_only(circle):
    faults = ("lost_request", "lost_answer", "500", "409", "429")
    for number, fault in enumerate(faults, 1):
        circle.faults = [fault]
        payout = go_on(ask("1.00"), steps=1)
        assert payout.status == "unknown" and balances(RAIL)[1] == 100 - number
        payout = go_on(payout, now=NOON + 5 * MINUTE)
        assert payout.status == "accepted" and list(circle.payments)[-1] == payout.vendor_id
        assert sent(circle)[-2:] == [str(payout.key)] * 2
        assert len(circle.payments) == len(set(sent(circle))) == number


def test_what_cannot_be_read_says_nothing_and_sends_nothing(circle):
    payout = go_on(ask(), steps=1)
    for number, fault in enumerate(["500", "404", "401", "no_json", "lost_answer"], 1):
        circle.read_faults = [fault]
        payout = go_on(payout, now=NOON + number * 5 * MINUTE, steps=1)
        assert payout.status == "accepted" and len(sent(circle)) == 1
        assert not circle.read_faults
    circle.end(payout.vendor_id)
    assert go_on(payout, now=NOON + 60 * MINUTE).status == "settled"


def test_after_a_day_circle_may_have_forgotten_the_key_so_a_person_looks(circle):
    circle.faults = ["lost_answer"]
    payout = go_on(ask(), steps=1)
    payout = go_on(payout, now=NOON + DAY, steps=1)
    assert (payout.status, len(sent(circle)), balances(RAIL)[1]) == ("needs_person", 1, 90)


def test_what_the_bank_returns_is_on_the_rail_again(circle):
    payout = go_on(ask())
    circle.end(payout.vendor_id)
    payout = go_on(payout)
    circle.created = "2026-03-11T12:00:00.000Z"
    circle.send_back(payout.vendor_id)
    payout = go_on(payout, now=NOON + DAY)
    assert (payout.status, payout.note) == ("declined", "transaction_returned")
    assert (balances(RAIL)[0], on_transit()) == (100, 0)
    assert payout.returned.corrects == payout.transfer
    _, count = treasury.fetch_rail_statement(
        RAIL, since=NOON.date(), actor=FINN, now=NOON + 2 * DAY
    )
    assert count == 0 and not Difference.objects.exists()


def test_what_circle_denies_frees_the_money(circle):
    payout = go_on(ask())
    circle.fail(payout.vendor_id)
    payout = go_on(payout)
    assert (payout.status, payout.note) == ("declined", "transaction_denied")
    assert balances(RAIL) == (100, 100)


def test_above_ten_dollars_a_second_person_approves(circle):
    payout = ask("10.01")
    assert go_on(payout).attempts == 0
    approve(payout.approval, by=DORA)
    assert go_on(payout).status == "accepted" and BANK in payout.approval.effect


def test_without_a_bank_account_nothing_is_paid_out(circle):
    treasury.change_rail_settings("mint", {}, actor=FINN, now=NOON)
    with pytest.raises(refusals.RailOff):
        ask()


def test_a_webhook_of_a_return_names_its_payout():
    envelope = json.loads(mint_event("evt-1", kind="returns", at=NOON.timestamp()))
    told = {"notificationType": "returns", "return": {"id": "r-1", "payoutId": "p-1"}}
    body = json.dumps(envelope | {"Message": json.dumps(told)}).encode()
    event = CircleMintWebhooks(connection("http://127.0.0.1:9")).read(body)
    assert event.vendor_ids == ("r-1", "p-1")
