"""Money that payers are asked for: once, by the vendor's own word, in the ledger."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client

from tests.moments import NOON
from tests.queue import drain_queue
from tests.threads import overtaken
from tests.treasury.contracts import fake_stripe
from tests.treasury.contracts.fake_paypal import FakePayPal
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.purchases import FINN, MINUTE, make_decider
from tests.treasury.rail_accounts import (
    SETTINGS,
    WEBHOOK_SECRET,
    add_paypal,
    add_rail,
    stand_in,
    switch_on,
)
from treasury import jobs
from treasury import services as treasury
from treasury.models import Account, Collection, RailAccount, RailEvent, Transfer
from treasury.queries import ledger_check
from treasury.rails.base import Answer, Outcome
from treasury.rails.paypal import token
from treasury.refusals import RailOff, WrongRail

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def the_ledger_balances():
    yield
    assert [each for each in ledger_check() if each.count] == []


@pytest.fixture
def stripe(settings):
    make_decider()
    vendor = FakeStripe()
    with vendor.serve():
        stand_in(settings, "stripe", vendor.url)
        yield vendor


@pytest.fixture
def paypal(settings):
    make_decider()
    token._kept.clear()
    vendor = FakePayPal()
    with vendor.serve():
        stand_in(settings, "paypal", vendor.url)
        yield vendor


def card(name: str) -> None:
    """A rail that charges this saved card, switched on."""
    switch_on(add_rail(settings=SETTINGS | {"payment_method": name}))


def collect(slug: str = "stripe", amount: str = "12.30", *, now=NOON, **changes) -> Collection:
    terms = {"purpose": "Funds for agents", "actor": FINN, "now": now} | changes
    return treasury.collect(slug, Decimal(amount), **terms)


def on_rail(slug: str = "stripe") -> Decimal:
    return Account.objects.get(name=f"rail:{slug}").balance


def test_a_saved_card_brings_play_money_to_the_rail(stripe):
    card("pm_card_visa")
    collection = collect()
    assert (collection.status, collection.settled_id) == ("settled", "pi_1")
    assert on_rail() == Decimal("12.30")
    assert Transfer.objects.get().credit.name == "play-funding:usd"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("pm_card_chargeDeclined", "declined"),
        ("pm_card_threeDSecure", "action"),
        ("pm_card_pending", "accepted"),
    ],
)
def test_what_brings_no_money_now_is_not_booked(stripe, name, status):
    card(name)
    collection = collect()
    assert collection.status == status and not Transfer.objects.exists()
    if status == "declined":
        assert "insufficient funds" in collection.note and collection.ask_at is None
        return
    stripe.succeed(collection.vendor_id)
    with time_machine.travel(NOON + MINUTE):
        assert jobs.carry_on_collections() == 1
        assert jobs.carry_on_collections() == 0
    collection.refresh_from_db()
    assert collection.status == "settled" and on_rail() == Decimal("12.30")


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "500", "409", "429"])
def test_a_lost_answer_collects_once(stripe, fault):
    card("pm_card_visa")
    stripe.faults = [fault]
    # The fake's objects are of another year than this test.
    now = NOON.replace(year=2027)
    collection = collect(now=now)
    assert collection.status == "unknown"
    assert RailAccount.objects.get().last_error in ("no_connection", fault)
    collection = treasury.advance_collection(collection.pk, now=now + MINUTE)
    assert collection.status == "settled"
    assert RailAccount.objects.get().last_error == ""
    assert len([each for each in stripe.objects if each.startswith("pi_")]) == 1
    assert on_rail() == Decimal("12.30")


def test_a_page_that_nobody_pays_ends(stripe):
    switch_on(add_rail())
    collection = collect()
    assert collection.status == "action" and collection.action_url.startswith("https://checkout.")
    stripe.objects[collection.vendor_id]["status"] = "expired"
    assert treasury.advance_collection(collection.pk, now=NOON + HOUR).status == "declined"
    assert treasury.advance_collection(collection.pk, now=NOON + HOUR).status == "declined"


def test_paypal_is_captured_when_the_payer_has_agreed(paypal):
    switch_on(add_paypal())
    collection = collect("paypal")
    assert collection.status == "action" and "checkoutnow" in collection.action_url
    assert treasury.advance_collection(collection.pk, now=NOON + MINUTE).status == "action"
    paypal.agree(collection.vendor_id)
    paypal.faults = ["lost_answer"]
    for _ in range(2):
        collection = treasury.advance_collection(collection.pk, now=NOON + HOUR)
    assert collection.status == "settled" and on_rail("paypal") == Decimal("12.30")
    assert Transfer.objects.count() == 1


def test_a_lost_order_of_paypal_is_asked_for_again_with_the_same_key(paypal):
    switch_on(add_paypal())
    paypal.faults = ["", "lost_answer"]
    collection = collect("paypal")
    assert collection.status == "unknown"
    collection = treasury.advance_collection(collection.pk, now=NOON + MINUTE)
    assert (collection.status, collection.attempts, len(paypal.orders)) == ("action", 2, 1)


def test_after_its_key_is_forgotten_nothing_is_sent_again(paypal):
    switch_on(add_paypal())
    paypal.faults = ["", "lost_request"]
    collection = collect("paypal")
    collection = treasury.advance_collection(collection.pk, now=NOON + 6 * HOUR)
    assert (collection.status, collection.note) == ("declined", "absent: The rail never had it.")
    assert not paypal.orders


def test_a_dispute_takes_the_money_from_the_rail(stripe):
    card("pm_card_visa")
    collection = collect()
    stripe.dispute("pi_1")
    for _ in range(2):
        collection = treasury.advance_collection(collection.pk, now=NOON + HOUR)
    assert collection.reversed_at and collection.status == "settled"
    assert on_rail() == 0 and Transfer.objects.count() == 2


def test_a_webhook_leads_to_reading_the_payment_and_is_not_believed(stripe):
    switch_on(add_rail())
    collection = collect()
    told = stripe.objects[collection.vendor_id] | {"payment_status": "paid", "status": "complete"}

    def tell(event_id: str) -> None:
        body = fake_stripe.event(event_id, told, kind="checkout.session.completed")
        headers = fake_stripe.signed(body, secret=WEBHOOK_SECRET, at=NOON.timestamp())
        path = f"/webhooks/{collection.rail_account.webhook_key}"
        answer = Client().post(path, body, content_type="application/json", headers=headers)
        assert answer.status_code == 200
        drain_queue()

    with time_machine.travel(NOON, tick=False):
        tell("evt_1")
        collection.refresh_from_db()
        assert collection.status == "action"
        stripe.pay_page(collection.vendor_id)
        tell("evt_2")
        tell("evt_2")
        tell("evt_3")
    collection.refresh_from_db()
    assert collection.status == "settled" and Transfer.objects.count() == 1
    assert set(RailEvent.objects.values_list("status", "collection")) == {
        ("handled", collection.pk)
    }


def test_the_same_key_is_the_same_collection(stripe):
    card("pm_card_visa")
    key = uuid4()
    assert collect(key=key) == collect(key=key)
    assert Collection.objects.count() == 1 == len(stripe.keys)


def test_two_programs_at_once_send_it_once(stripe):
    card("pm_card_visa")
    collection = treasury.collect.__globals__["_create"](
        "stripe", Decimal(5), purpose="x", key=uuid4(), actor=FINN, now=NOON
    )
    begin = treasury.collect.__globals__["_begin"]
    both = []
    overtaken(
        first=lambda: both.append(begin.__wrapped__(collection, now=NOON)),
        then=lambda: both.append(begin(collection, now=NOON)),
    )
    assert sorted(both) == [False, True]


def test_answers_that_come_late_undo_nothing(stripe):
    card("pm_card_visa")
    collection = collect()
    for outcome in (Outcome.DECLINED, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.ACTION):
        answer = Answer(outcome=outcome, code="late")
        again = treasury.apply_collection_answer(collection.pk, answer, now=NOON)
        assert again.status == "settled"
    assert on_rail() == Decimal("12.30")


def test_a_rail_that_is_off_collects_nothing_and_is_still_read(stripe):
    card("pm_card_pending")
    collection = collect()
    treasury.switch_rail_off("stripe", reason="test", actor=FINN, now=NOON)
    with pytest.raises(RailOff):
        collect()
    stripe.succeed(collection.vendor_id)
    assert treasury.advance_collection(collection.pk, now=NOON + HOUR).status == "settled"
    with pytest.raises(IntegrityError, match="collection_rail_is_on"), transaction.atomic():
        Collection.objects.update(attempts=7)


@pytest.mark.parametrize(
    ("amount", "purpose", "sentence"),
    [
        ("0", "x", "2 decimal places"),
        ("1.001", "x", "2 decimal places"),
        ("-1", "x", "2 decimal places"),
        ("1", " ", "what the payer reads"),
    ],
)
def test_what_cannot_be_right_is_refused(stripe, amount, purpose, sentence):
    card("pm_card_visa")
    with pytest.raises(WrongRail, match=sentence):
        collect(amount=amount, purpose=purpose)


@pytest.mark.parametrize(
    "columns", [{"amount": 1}, {"body": "x"}, {"status": "sending"}, {"transfer": None}]
)
def test_the_database_keeps_what_was_collected(stripe, columns):
    card("pm_card_visa")
    collect()
    with pytest.raises(DatabaseError), transaction.atomic():
        Collection.objects.update(**columns)


def test_a_fee_that_the_vendor_tells_is_booked_with_what_came(stripe):
    card("pm_card_pending")
    collection = collect()
    answer = Answer(outcome=Outcome.SETTLED, vendor_id=collection.vendor_id, fee=Decimal("0.66"))
    for _ in range(2):
        treasury.apply_collection_answer(collection.pk, answer, now=NOON)
    assert on_rail() == Decimal("11.64")
    fee = Transfer.objects.get(kind="fee")
    collection.refresh_from_db()
    assert fee.debit.name == "play-fees:stripe" and fee.journal == collection.transfer.journal
