"""Payouts to one's own bank: sent once, in transit until the bank has them, never to another."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client

from alerts.models import Alert
from security import services as security
from security.models import AuditEntry
from tests.api.caller import Caller, token_of
from tests.dashboard.test_agents import signed_in
from tests.moments import NOON
from tests.treasury.builders import balances, broken, entry, open_account
from tests.treasury.builders import transfer as post
from tests.treasury.contracts import fake_stripe
from tests.treasury.contracts.documents import document
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.purchases import DORA, FINN, MINUTE, approve, make_decider
from tests.treasury.rail_accounts import SETTINGS, WEBHOOK_SECRET, add_rail, stand_in, switch_on
from treasury import jobs, refusals
from treasury import services as treasury
from treasury.models import Account, Difference, Payout, RailAccount, Transfer
from treasury.rails.base import Answer, Outcome
from treasury.rails.stripe import answers

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
RAIL, TRANSIT = "rail:stripe", "play-transit:own:usd"
CARD = SETTINGS | {"payment_method": "pm_card_visa", "bank_account": "ba_1"}


@pytest.fixture(autouse=True)
def the_ledger_balances():
    yield
    assert broken() == []


@pytest.fixture
def stripe(settings):
    """A rail with 100.00 on it and a bank account."""
    make_decider()
    vendor = FakeStripe()
    vendor.cents, vendor.began = 0, int(NOON.timestamp())
    with vendor.serve():
        stand_in(settings, "stripe", vendor.url)
        switch_on(add_rail(settings=CARD))
        treasury.collect("stripe", Decimal(100), purpose="Funds", actor=FINN, now=NOON)
        yield vendor


def ask(amount="10.00", *, now=NOON, **changes) -> Payout:
    terms = {"reason": "not needed", "actor": FINN, "now": now} | changes
    return treasury.ask_payout("stripe", Decimal(amount), **terms)


def go_on(payout: Payout, *, now=NOON, steps: int = 3) -> Payout:
    """Do what the job does, a minute later each time."""
    for number in range(steps):
        payout = treasury.advance_payout(payout.pk, now=now + number * MINUTE)
    return payout


def paid(stripe) -> Payout:
    payout = go_on(ask())
    stripe.arrive(payout.vendor_id)
    return go_on(payout)


def on(name: str) -> Decimal:
    return balances(name)[0]


def sent(stripe) -> list[str]:
    return [
        each.headers["Idempotency-Key"]
        for each in stripe.sent
        if "payouts" in each.path and each.body
    ]


def test_a_payout_is_set_aside_sent_once_and_in_transit_when_it_was_paid(stripe):
    payout = go_on(ask())
    assert (payout.status, payout.vendor_id, payout.attempts) == ("accepted", "po_2", 1)
    assert balances(RAIL) == (100, 90) and on(TRANSIT) == 0
    stripe.arrive("po_2")
    payout = go_on(payout)
    assert (payout.status, on(RAIL), on(TRANSIT)) == ("settled", 90, 10)
    assert (payout.transfer.kind, payout.transfer.reference) == ("own", "po_2")
    assert stripe.objects["po_2"]["destination"] == "ba_1" and len(sent(stripe)) == 1
    steps = AuditEntry.objects.about(payout.address).order_by("pk")
    assert [each.after["status"] for each in steps] == [
        *("proposed", "approved", "sending", "accepted", "settled"),
    ]
    # It is what the vendor's statement has, and nothing is left to explain.
    _, count = treasury.fetch_rail_statement(RAIL, since=NOON.date(), actor=FINN, now=NOON + DAY)
    assert count == 0 and not Difference.objects.exists()


def test_a_payout_that_the_bank_sends_back_is_on_the_rail_again(stripe):
    payout = paid(stripe)
    stripe.send_back("po_2")
    with time_machine.travel(NOON + 2 * DAY, tick=False):
        assert jobs.carry_on_payouts() == 1
    payout.refresh_from_db()
    assert (payout.status, payout.note) == ("declined", "account_closed")
    assert (on(RAIL), on(TRANSIT)) == (100, 0)
    assert payout.returned.corrects == payout.transfer
    _, count = treasury.fetch_rail_statement(
        RAIL, since=NOON.date(), actor=FINN, now=NOON + 3 * DAY
    )
    assert count == 0


def test_one_that_comes_back_after_it_arrived_waits_until_its_line_is_booked(stripe, caplog):
    payout = paid(stripe)
    open_account("rail:bank", scale=2)
    post(entry("rail:bank", TRANSIT, "10.00", kind="own"))
    stripe.send_back("po_2")
    for day in (2, 3):
        with time_machine.travel(NOON + day * DAY, tick=False):
            assert jobs.carry_on_payouts() == 1
            assert jobs.carry_on_payouts() == 0
    payout.refresh_from_db()
    assert payout.status == "returning" and "account_closed" in payout.note
    assert payout.ask_at > NOON + 3 * DAY and "waits" not in caplog.text
    assert (on(RAIL), on(TRANSIT)) == (90, 0)
    alert = Alert.objects.get(kind="payout_waits", resolved_at=None)
    assert alert.facts["payout_id"] == payout.pk
    with pytest.raises(refusals.PayoutEnded):
        treasury.deny_payout(payout.pk, reason="x", actor=FINN, now=NOON)
    # The line of the bank that sends it back.
    post(entry(TRANSIT, "rail:bank", "10.00", kind="own"))
    payout = go_on(payout, now=NOON + 4 * DAY, steps=1)
    assert (payout.status, on(RAIL), on(TRANSIT)) == ("declined", 100, 0)
    assert payout.returned.corrects == payout.transfer
    assert not Alert.objects.filter(kind="payout_waits", resolved_at=None).exists()


def test_one_that_fails_before_it_was_paid_frees_what_was_set_aside(stripe):
    payout = go_on(ask())
    stripe.send_back("po_2")
    payout = go_on(payout)
    assert payout.status == "declined" and balances(RAIL) == (100, 100)
    assert treasury.apply_payout_answer(payout.pk, paid_answer(), now=NOON).status == "declined"


def paid_answer(amount="10.00") -> Answer:
    return Answer(outcome=Outcome.SETTLED, vendor_id="po_2", amount=Decimal(amount))


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "500", "409", "429"])
def test_what_says_nothing_is_never_sent_under_another_key(stripe, fault):
    stripe.faults = [fault]
    payout = go_on(ask(), steps=1)
    assert payout.status == "unknown" and balances(RAIL)[1] == 90
    payout = go_on(payout, now=NOON + 5 * MINUTE)
    assert payout.status == "accepted" and len(set(sent(stripe))) == 1
    assert [name for name in stripe.objects if name.startswith("po_")] == [payout.vendor_id]


def test_what_the_vendor_has_forgotten_waits_for_a_person_with_its_money_set_aside(stripe):
    stripe.faults = ["lost_request"] * 9
    first, second = ask("5.00"), ask("4.00")
    for each in (first, second):
        go_on(each, steps=1)
        go_on(each, now=NOON + DAY, steps=1)
        each.refresh_from_db()
        assert each.status == "needs_person"
    assert balances(RAIL) == (100, 91)
    assert Alert.objects.filter(kind="payout_waits", resolved_at=None).count() == 2
    by = {"actor": FINN, "now": NOON + DAY}
    with pytest.raises(refusals.WrongPayout):
        treasury.confirm_payout(first.pk, reference=" ", **by)
    treasury.confirm_payout(first.pk, reference="po_9", **by)
    treasury.deny_payout(second.pk, reason="not in the console", **by)
    assert balances(RAIL) == (95, 95) and on(TRANSIT) == 5
    assert not Alert.objects.filter(kind="payout_waits", resolved_at=None).exists()
    with pytest.raises(refusals.PayoutEnded):
        treasury.deny_payout(second.pk, reason="x", **by)


def test_another_amount_than_was_asked_for_waits_for_a_person(stripe):
    payout = go_on(ask())
    for _ in range(2):
        payout = treasury.apply_payout_answer(payout.pk, paid_answer("9.00"), now=NOON)
    assert payout.status == "needs_person" and "9.00 was paid out" in payout.note


def test_more_than_a_person_may_alone_needs_a_second_one_also_in_parts(stripe):
    assert ask("6.00").status == ask("4.00").status == "approved"
    payout = ask("0.01")
    assert payout.status == "proposed" and go_on(payout).attempts == 0
    approve(payout.approval, by=DORA)
    payout = go_on(payout)
    assert payout.status == "accepted" and payout.approved_persons != []
    assert ask("10.00", now=NOON + DAY).status == "approved"
    refused = ask("50.00", now=NOON + DAY)
    security.reject(refused.approval_id, reason="no", actor=DORA, now=NOON + DAY)
    assert go_on(refused, now=NOON + DAY).status == "refused"
    assert "ba_1" in payout.approval.effect


def test_the_database_refuses_one_person_alone_another_account_and_a_rail_that_is_off(stripe):
    alone = ask("10.01")
    changes = [
        {"status": "approved"},
        {"destination": "ba_2"},
        {"amount": 1},
        {"status": "settled"},
        {"approved_persons": alone.asked_persons},
    ]
    for change in changes:
        with pytest.raises((DatabaseError, IntegrityError)), transaction.atomic():
            Payout.objects.filter(pk=alone.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        alone.delete()
    treasury.switch_rail_off("stripe", reason="x", actor=FINN, now=NOON)
    with pytest.raises(DatabaseError), transaction.atomic():
        Payout.objects.filter(pk=alone.pk).update(attempts=1)


def test_a_rail_that_is_off_sends_nothing_and_another_bank_account_is_another_payout(stripe):
    payout = ask()
    treasury.change_rail_settings("stripe", CARD | {"bank_account": "ba_2"}, actor=FINN, now=NOON)
    with pytest.raises(refusals.RailOff):
        treasury.advance_payout(payout.pk, now=NOON)
    with pytest.raises(refusals.RailOff):
        ask()
    switch_on(RailAccount.objects.get())
    payout = go_on(payout)
    assert payout.status == "refused" and "was changed" in payout.note
    assert not sent(stripe) and balances(RAIL) == (100, 100)


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "100.01", "NaN"])
def test_what_cannot_be_paid_out_is_refused(stripe, amount):
    with pytest.raises(refusals.WrongPayout):
        ask(amount)
    with pytest.raises(refusals.WrongPayout, match="Say why"):
        ask(reason=" ")
    assert not Payout.objects.exists()


def test_without_a_bank_account_nothing_is_paid_out(stripe):
    switch_on(add_rail("plain"))
    with pytest.raises(refusals.WrongRail, match="no bank account"):
        treasury.ask_payout("plain", Decimal(1), reason="x", actor=FINN, now=NOON)


def test_what_has_left_the_rail_since_is_refused_before_it_is_sent(stripe):
    first = ask("100.00")
    approve(first.approval)
    second = ask("10.00")
    go_on(first)
    assert go_on(second).status == "refused" and len(sent(stripe)) == 1


def test_the_same_key_is_the_same_payout_and_nothing_is_cancelled_that_was_sent(stripe):
    key = UUID(int=7)
    payout = ask(key=key)
    assert ask(key=key) == payout and Payout.objects.count() == 1
    other = ask("1.00")
    by = {"reason": "x", "actor": FINN, "now": NOON}
    treasury.cancel_payout(other.pk, **by)
    go_on(payout)
    with pytest.raises(refusals.PayoutEnded):
        treasury.cancel_payout(payout.pk, **by)
    with pytest.raises(refusals.PayoutNotFound):
        treasury.cancel_payout(0, **by)


def test_a_webhook_leads_to_reading_the_payout(stripe):
    payout = go_on(ask())
    stripe.arrive(payout.vendor_id)
    told = stripe.objects[payout.vendor_id]
    with time_machine.travel(NOON + MINUTE, tick=False):
        body = fake_stripe.event("evt_1", told, kind="payout.paid")
        at = (NOON + MINUTE).timestamp()
        headers = fake_stripe.signed(body, secret=WEBHOOK_SECRET, at=at)
        path = f"/webhooks/{payout.rail_account.webhook_key}"
        answer = Client().post(path, body, content_type="application/json", headers=headers)
        assert answer.status_code == 200
        event = RailAccount.objects.get().events.get()
        assert treasury.read_event(event.pk, now=NOON).status == "handled"
    payout.refresh_from_db()
    assert payout.status == "settled"


@pytest.mark.django_db(transaction=True)
def test_many_programs_send_it_once(stripe, at_once):
    payout = ask()
    at_once(lambda _: treasury.advance_payout(payout.pk, now=NOON), times=4)
    assert len(sent(stripe)) == 1 and balances(RAIL) == (100, 90)


def test_every_documented_status_has_an_outcome():
    about = document("stripe")._whole["components"]["schemas"]["payout"]["properties"]["status"]
    assert "enum" not in about
    said = ("paid", "pending", "in_transit", "canceled", "failed")
    assert set(said) == set(answers._PAYOUTS)


# ---- Pages and REST ------------------------------------------------------------------------------


def test_finance_pays_out_on_the_page_of_the_rail(stripe):
    fay, al = signed_in("fay", role="finance"), signed_in("al", role="auditor")
    path = "/treasury/rails/stripe?act=payout"
    asked = {"amount": "4.00", "reason": "not needed", "key": UUID(int=9)}
    assert al.post(path, asked).status_code == 403
    assert "Pay out" in fay.get("/treasury/rails/stripe").content.decode()
    dialog = fay.get(path).content.decode()
    # What people do not see has no label.
    assert 'name="key"' in dialog and "Amount:" in dialog and "Key:" not in dialog
    assert fay.post(path, asked).status_code == 302
    payout = Payout.objects.get()
    address = f"/treasury/payouts/{payout.pk}"
    assert address in fay.get("/treasury/rails/stripe").content.decode()
    shown = fay.get(address).content.decode()
    assert "ba_1" in shown and "play money" in shown and "Cancel" in shown
    assert "Cancel" not in al.get(address).content.decode()
    assert signed_in("vi", role="viewer").get(address).status_code == 403
    assert fay.post(f"{address}?act=cancel", {"reason": "no"}).status_code == 302
    assert "cancelled" in fay.get(address).content.decode()
    large = asked | {"amount": "40.00", "key": UUID(int=10)}
    shown = fay.post(path, large, follow=True).content.decode()
    assert "A second person must approve" in shown


def test_programs_list_payouts(stripe, people):
    payout = paid(stripe)
    ask("1.00")
    finance = Caller(token_of("carol", "finance"))
    (row,) = finance.get("/treasury/payouts", status="settled").json()["results"]
    assert (row["id"], row["rail"], row["amount"]) == (payout.pk, "stripe", "10.000000000")
    assert (row["destination"], row["transfer"]) == ("ba_1", payout.transfer_id)
    page = finance.get("/treasury/payouts", limit=1).json()
    assert len(page["results"]) == 1 and page["next_cursor"]
    assert Transfer.objects.filter(kind="own", phase="post").count() == 1
    assert Account.objects.filter(name=TRANSIT).exists()
