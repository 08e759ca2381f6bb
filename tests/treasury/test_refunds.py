"""What was paid goes back: asked for once, booked by what it reverses, never more than was paid."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, connection, transaction

from alerts.models import Alert
from security import services as security
from tests.moments import NOON
from tests.treasury.builders import balances, broken, entry
from tests.treasury.contracts.fake_paypal import FakePayPal
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.purchases import (
    DORA,
    FINN,
    MINUTE,
    SIMULATED_CREDIT,
    SIMULATED_RAIL,
    add_payee,
    approve,
    carry_on,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.rail_accounts import SETTINGS, add_paypal, add_rail, stand_in, switch_on
from tests.treasury.simulator import simulator
from treasury import jobs, refusals
from treasury import services as treasury
from treasury.models import Account, Collection, Purchase, Refund, Transfer
from treasury.rails.base import Answer, Outcome
from treasury.rails.paypal import token
from treasury.services.advance_order import advance_order
from treasury.services.refund_kind import REFUNDS

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def the_ledger_balances():
    make_decider()
    yield
    assert broken() == []


@pytest.fixture
def vendor(settings):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        yield server


@pytest.fixture
def purchase(vendor) -> Purchase:
    """40.00 of credit, bought by the simulator; above 25 a second person is needed."""
    add_payee()
    set_policy(approval_above=Decimal(25))
    fund("1000.00")
    bought = propose("40.00")
    approve(bought.approval)
    return carry_on(bought)


@pytest.fixture
def stripe(settings):
    fake = FakeStripe()
    with fake.serve():
        stand_in(settings, "stripe", fake.url)
        switch_on(add_rail(settings=SETTINGS | {"payment_method": "pm_card_visa"}))
        yield fake


@pytest.fixture
def paypal(settings):
    token._kept.clear()
    fake = FakePayPal()
    with fake.serve():
        stand_in(settings, "paypal", fake.url)
        switch_on(add_paypal())
        yield fake


def collect(rail: str = "stripe", amount: str = "12.30") -> Collection:
    return treasury.collect(rail, Decimal(amount), purpose="Funds", actor=FINN, now=NOON)


def captured(paypal) -> Collection:
    collection = collect("paypal")
    paypal.agree(collection.vendor_id)
    return treasury.advance_collection(collection.pk, now=NOON)


def ask(paid, amount: str = "2.30", *, now=NOON, **changes) -> Refund:
    of = "purchase_id" if isinstance(paid, Purchase) else "collection_id"
    terms = {of: paid.pk, "reason": "bought too much", "actor": FINN, "now": now} | changes
    return treasury.ask_refund(Decimal(amount), **terms)


def go_on(refund: Refund, *, now=NOON) -> Refund:
    """Do what the job does, a minute later each time."""
    for number in range(4):
        refund = treasury.advance_refund(refund.pk, now=now + number * MINUTE)
    return refund


def on(name: str) -> Decimal:
    return Account.objects.get(name=name).balance


# ---- Of purchases --------------------------------------------------------------------------------


def test_a_part_of_a_purchase_comes_back_and_names_what_it_reverses(vendor, purchase):
    refund = go_on(ask(purchase, "15.00"))
    assert (refund.status, refund.vendor_id, refund.attempts) == ("settled", "sim_r_1", 1)
    assert (on(SIMULATED_RAIL), on(SIMULATED_CREDIT)) == (975, 25)
    assert vendor.vendor.balance() == 975 and vendor.vendor.credit("openai") == 25
    booked = refund.transfer
    assert (booked.kind, booked.corrects.amount) == ("reversal", 40)
    assert booked.journal == purchase.pending.journal


def test_the_rest_needs_a_second_person_and_no_more_than_was_paid_goes_back(purchase):
    go_on(ask(purchase, "15.00"))
    with pytest.raises(refusals.RefundExceeds, match="25.00 USD"):
        ask(purchase, "25.01")
    # 15 and 20 are more than the 25 that one person decides.
    rest = ask(purchase, "20.00")
    assert (rest.status, go_on(rest).status) == ("proposed", "proposed")
    approve(rest.approval)
    assert go_on(rest, now=NOON + HOUR).status == "settled"
    assert on(SIMULATED_CREDIT) == 5


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "server_error", "in_use", "busy"])
def test_a_lost_answer_gives_back_once(vendor, purchase, fault):
    vendor.faults.plan({"kind": fault})
    refund = ask(purchase, "15.00")
    assert treasury.advance_refund(refund.pk, now=NOON).status == "unknown"
    refund = go_on(refund, now=NOON + MINUTE)
    assert refund.status == "settled"
    assert refund.attempts == (2 if fault in ("lost_request", "busy") else 1)
    assert vendor.vendor.balance() == on(SIMULATED_RAIL) == 975


def test_a_program_that_was_killed_after_sending_is_made_up_for(vendor, purchase):
    refund = ask(purchase, "15.00")
    begin, calls = advance_order.__globals__["_begin"], REFUNDS.calls_to_send(refund)
    begun = begin(REFUNDS, refund.pk, 0, calls, now=NOON)
    again = begin(REFUNDS, refund.pk, 0, calls, now=NOON)
    assert again is None, "another program has begun it"
    calls.send(begun.body, key=str(begun.key))
    assert treasury.advance_refund(refund.pk, now=NOON + HOUR).status == "settled"
    assert vendor.vendor.balance() == 975


def test_what_the_rail_declines_can_be_asked_for_again(vendor, purchase):
    vendor.faults.plan({"kind": "decline"})
    first = go_on(ask(purchase, "15.00"))
    assert (first.status, first.note) == ("declined", "refund_declined")
    assert go_on(ask(purchase, "15.00")).status == "settled"
    assert on(SIMULATED_CREDIT) == 25


def test_what_a_vendor_gives_back_by_itself_is_booked_once(vendor, purchase):
    vendor.routes.answer(
        "POST", "/simulator/refunds", {}, b'{"payment": "sim_1", "amount": "7.00"}', ""
    )
    for number in (1, 2):
        treasury.advance_purchase(purchase.pk, now=NOON + number * DAY)
    seen = Refund.objects.get()
    assert (seen.source, seen.status, seen.amount) == ("vendor", "settled", 7)
    assert seen.transfer.corrects.debit.name == SIMULATED_CREDIT
    assert (on(SIMULATED_RAIL), on(SIMULATED_CREDIT)) == (967, 33)
    with pytest.raises(refusals.RefundExceeds):
        ask(purchase, "33.01")


def test_while_a_refund_is_under_way_its_money_is_not_taken_for_the_vendors_own(vendor, purchase):
    vendor.faults.plan({"kind": "lost_answer"})
    refund = ask(purchase, "15.00")
    treasury.advance_refund(refund.pk, now=NOON)
    treasury.advance_purchase(purchase.pk, now=NOON + DAY)
    assert Refund.objects.count() == 1 and on(SIMULATED_CREDIT) == 40
    go_on(refund, now=NOON + DAY)
    treasury.advance_purchase(purchase.pk, now=NOON + 2 * DAY)
    assert Refund.objects.count() == 1 and on(SIMULATED_CREDIT) == 25


def test_what_comes_back_as_a_whole_is_what_was_not_refunded(vendor, purchase):
    go_on(ask(purchase, "15.00"))
    vendor.vendor._rows.execute("UPDATE payment SET reverses_at = 0")
    treasury.advance_purchase(purchase.pk, now=NOON + DAY)
    assert on(SIMULATED_RAIL) == vendor.vendor.balance() == 1000
    assert on(SIMULATED_CREDIT) == 0
    with pytest.raises(refusals.WrongRefund, match="went back already"):
        ask(purchase, "1.00")


def test_a_rail_without_refunds_leaves_it_to_a_person(vendor):
    add_payee(method="person", destination="https://example.com/billing")
    set_policy()
    fund("1000.00")
    purchase = carry_on(propose("40.00"))
    treasury.confirm_purchase(purchase.pk, receipt="R-1", actor=FINN, now=NOON)
    refund = go_on(ask(Purchase.objects.get(), "15.00"))
    assert refund.status == "needs_person" and "Ask openai for 15.00 USD" in refund.note
    assert Alert.objects.filter(kind="refund_waits", resolved_at=None).count() == 1
    with pytest.raises(refusals.WrongRefund):
        treasury.confirm_refund(refund.pk, reference=" ", actor=FINN, now=NOON)
    treasury.confirm_refund(refund.pk, reference="CN-7", actor=FINN, now=NOON)
    assert on(SIMULATED_CREDIT) == 25 and on(SIMULATED_RAIL) == 975
    assert not Alert.objects.filter(kind="refund_waits", resolved_at=None).exists()
    other = go_on(ask(Purchase.objects.get(), "5.00"))
    assert treasury.deny_refund(other.pk, reason="no", actor=FINN, now=NOON).status == "declined"


def test_an_approval_that_is_rejected_or_cancelled_sends_nothing(vendor, purchase):
    first = ask(purchase, "26.00")
    security.reject(first.approval_id, reason="no", actor=DORA, now=NOON)
    assert go_on(first).status == "refused"
    second = ask(purchase, "26.00")
    cancelled = treasury.cancel_refund(second.pk, reason="not now", actor=FINN, now=NOON)
    assert cancelled.status == "cancelled"
    with pytest.raises(refusals.RefundEnded):
        treasury.cancel_refund(second.pk, reason="again", actor=FINN, now=NOON)
    assert vendor.vendor.balance() == 960


@pytest.mark.parametrize(
    ("amount", "reason"), [("0", "x"), ("-1", "x"), ("1.001", "x"), ("NaN", "x"), ("1", " ")]
)
def test_what_cannot_be_right_is_refused(purchase, amount, reason):
    with pytest.raises(refusals.WrongRefund):
        ask(purchase, amount, reason=reason)


# ---- Of collections ------------------------------------------------------------------------------


def test_stripe_gives_back_what_is_set_aside_first(stripe):
    collection = collect()
    refund = ask(collection, "2.30")
    assert ask(collection, key=refund.key) == refund
    with time_machine.travel(NOON, tick=False):
        assert jobs.carry_on_refunds() == 1
        assert jobs.carry_on_refunds() == 0
    refund.refresh_from_db()
    assert (refund.status, refund.attempts) == ("settled", 1)
    assert balances("rail:stripe") == (10, 10)
    assert refund.transfer.pending_of.corrects == collection.transfer
    assert refund.transfer.corrects == collection.transfer
    # Stripe counts it, and it is not seen as another one.
    treasury.advance_collection(collection.pk, now=NOON + DAY)
    assert Refund.objects.count() == 1 and balances("rail:stripe") == (10, 10)


def test_more_than_ten_dollars_leave_a_rail_by_two_persons(stripe):
    collection = collect()
    assert ask(collection, "6.00").status == "approved"
    second = ask(collection, "6.00")
    assert second.status == "proposed"
    with pytest.raises(IntegrityError, match="refund_is_approved"), transaction.atomic():
        Refund.objects.filter(pk=second.pk).update(status="approved")
    approve(second.approval)
    for refund in Refund.objects.all():
        go_on(refund)
    assert balances("rail:stripe") == (Decimal("0.30"), Decimal("0.30"))


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "500", "409"])
def test_a_lost_answer_of_stripe_gives_back_once(stripe, fault):
    collection = collect()
    # The fake's objects are of another year than this test.
    now = NOON.replace(year=2027)
    refund = ask(collection, now=now)
    stripe.faults = [fault]
    assert treasury.advance_refund(refund.pk, now=now).status == "unknown"
    assert balances("rail:stripe") == (Decimal("12.30"), 10)
    assert go_on(refund, now=now + MINUTE).status == "settled"
    assert len([each for each in stripe.objects if each.startswith("re_")]) == 1
    assert balances("rail:stripe") == (10, 10)


def test_a_refund_in_stripes_dashboard_and_a_dispute_are_seen(stripe):
    collection = collect()
    stripe.give_back("pi_1", 330)
    treasury.advance_collection(collection.pk, now=NOON + DAY)
    assert Refund.objects.get().source == "vendor" and balances("rail:stripe") == (9, 9)
    stripe.dispute("pi_1")
    for number in (2, 3):
        collection = treasury.advance_collection(collection.pk, now=NOON + number * DAY)
    assert collection.reversed_at and balances("rail:stripe") == (0, 0)
    assert Transfer.objects.filter(corrects=collection.transfer).count() == 2
    with pytest.raises(refusals.WrongRefund):
        ask(collection, "1.00")


def test_a_refund_that_fails_later_is_back_on_the_rail(stripe):
    refund = go_on(ask(collect()))
    stripe.objects[refund.vendor_id] |= {"status": "failed", "failure_reason": "lost_or_stolen"}
    refund = treasury.advance_refund(refund.pk, now=NOON + DAY)
    assert (refund.status, refund.note) == ("declined", "lost_or_stolen")
    assert refund.returned.corrects == refund.transfer
    assert balances("rail:stripe") == (Decimal("12.30"), Decimal("12.30"))


def test_a_rail_that_is_off_or_empty_gives_nothing_back(stripe):
    collection = collect()
    refund = ask(collection)
    treasury.switch_rail_off("stripe", reason="test", actor=FINN, now=NOON)
    with pytest.raises(refusals.RailOff):
        treasury.advance_refund(refund.pk, now=NOON)
    switch_on(collection.rail_account)
    fund_out("12.00")
    refund = treasury.advance_refund(refund.pk, now=NOON)
    assert refund.status == "refused" and "rail:stripe" in refund.note


@transaction.atomic
def fund_out(amount: str) -> None:
    """Money leaves the rail for a bank."""
    treasury.transfer([entry("play-funding:usd", "rail:stripe", amount)], actor=FINN, now=NOON)


def test_paypal_gives_back_by_the_same_key(paypal):
    collection = captured(paypal)
    refund = ask(collection)
    paypal.faults = ["lost_answer"]
    assert treasury.advance_refund(refund.pk, now=NOON).status == "unknown"
    # PayPal lists no refunds: the same request is sent again.
    refund = go_on(refund, now=NOON + MINUTE)
    assert (refund.status, refund.attempts, len(paypal.refunds)) == ("settled", 2, 1)
    paypal.give_back(collection.settled_id, "10.00")
    for number in (1, 2):
        collection = treasury.advance_collection(collection.pk, now=NOON + number * DAY)
    assert [each.source for each in Refund.objects.order_by("pk")] == ["asked", "vendor"]
    assert balances("rail:paypal") == (0, 0) and collection.reversed_at is None


def test_after_the_key_of_paypal_is_forgotten_a_person_says_what_came_of_it(paypal):
    refund = ask(captured(paypal))
    paypal.faults = ["lost_request"]
    treasury.advance_refund(refund.pk, now=NOON)
    refund = treasury.advance_refund(refund.pk, now=NOON + 6 * HOUR)
    assert refund.status == "needs_person" and "forgotten its key" in refund.note
    assert balances("rail:paypal") == (Decimal("12.30"), 10)
    treasury.deny_refund(refund.pk, reason="not in the console", actor=FINN, now=NOON)
    assert balances("rail:paypal") == (Decimal("12.30"), Decimal("12.30"))


def test_answers_that_come_late_undo_nothing(stripe):
    refund = go_on(ask(collect()))
    for outcome in (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.ACTION, Outcome.ACCEPTED):
        answer = Answer(outcome=outcome, code="late")
        assert treasury.apply_refund_answer(refund.pk, answer, now=NOON).status == "settled"
    assert balances("rail:stripe") == (10, 10)


# ---- What the database refuses -------------------------------------------------------------------


def test_the_database_refuses_more_than_was_paid(stripe):
    collection = collect()
    go_on(ask(collection))

    def insert(**changes):
        row = {
            "collection": collection,
            "rail": "stripe",
            "amount": Decimal("10.01"),
            "currency": "USD",
            "asked_by": "x",
            "asked_at": NOON,
            "key": uuid4(),
        }
        with transaction.atomic():
            Refund.objects.create(**row | changes)

    with pytest.raises(IntegrityError, match="refund_is_within_what_was_paid"):
        insert()
    with pytest.raises(IntegrityError, match="refund_is_approved"):
        insert(amount=Decimal("9.00"), status="approved")
    with pytest.raises(IntegrityError, match="refund_settled_is_in_the_ledger"):
        insert(amount=1, status="settled")
    for columns in ({"amount": 1}, {"body": "x"}, {"status": "sending"}, {"transfer": None}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Refund.objects.update(**columns)
    for statement in ("DELETE FROM treasury_refund", "TRUNCATE treasury_refund"):
        with (
            pytest.raises(DatabaseError, match="annot"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_nobody_approves_the_own_refund(stripe):
    refund = ask(collect(), "12.00")
    with pytest.raises(IntegrityError, match="refund_is_approved_by"), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(approved_persons=refund.asked_persons)
