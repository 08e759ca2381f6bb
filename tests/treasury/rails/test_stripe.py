"""Stripe: what the rail sends is valid by its document, and what Stripe answers is understood."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.treasury.contracts.documents import Sent, document
from tests.treasury.contracts.fake_stripe import FakeStripe
from tests.treasury.rails.stripe_rail import order, stripe_rail
from treasury.rails.base import Outcome
from treasury.rails.http import Reply
from treasury.rails.stripe import answers
from treasury.rails.stripe.answers import answer_of_error
from treasury.rails.stripe.forms import encode, minor_units

SINCE = datetime(2027, 1, 15, 8, tzinfo=UTC)  # shortly before the fake's first object


@pytest.fixture(scope="module")
def server() -> Iterator[FakeStripe]:
    vendor = FakeStripe()
    with vendor.serve():
        yield vendor


@pytest.fixture
def vendor(server: FakeStripe) -> FakeStripe:
    server.clear()
    return server


def collect(vendor: FakeStripe, card: str = "pm_card_visa", *, key: str = "k-1", purchase="p-1"):
    rail = stripe_rail(vendor, payment_method=card)
    return rail.collect(rail.collect_body(order(purchase=purchase)), key=key)


@pytest.mark.parametrize(
    ("card", "outcome", "code"),
    [
        ("pm_card_visa", Outcome.SETTLED, "succeeded"),
        ("pm_card_chargeDeclined", Outcome.DECLINED, "insufficient_funds"),
        ("pm_card_threeDSecure", Outcome.ACTION, "requires_action"),
        ("pm_card_pending", Outcome.ACCEPTED, "processing"),
    ],
)
def test_a_saved_card_is_charged_at_once(vendor, card, outcome, code):
    answer = collect(vendor, card)
    assert (answer.outcome, answer.code, answer.vendor_id) == (outcome, code, "pi_1")
    if outcome == Outcome.ACTION:
        assert answer.action_url == "https://hooks.stripe.com/3d"
    if outcome == Outcome.SETTLED:
        assert (answer.amount, answer.settled_id) == (Decimal("12.30"), "pi_1")


def test_without_a_saved_card_the_payer_gets_a_page(vendor):
    rail = stripe_rail(vendor)
    answer = rail.collect(rail.collect_body(order()), key="k-1")
    assert answer.outcome == Outcome.ACTION and answer.action_url.startswith("https://checkout.")
    vendor.pay_page(answer.vendor_id)
    paid = rail.find("p-1", vendor_id=answer.vendor_id)
    assert (paid.outcome, paid.amount, paid.settled_id) == (
        Outcome.SETTLED,
        Decimal("12.30"),
        "pi_2",
    )
    assert rail.find("p-1").outcome == Outcome.SETTLED


def test_the_same_key_and_bytes_are_the_same_payment(vendor):
    first = collect(vendor)
    assert collect(vendor) == first
    assert len(vendor.objects) == 1


def test_the_key_of_another_request_says_nothing_about_this_one(vendor):
    collect(vendor)
    again = collect(vendor, purchase="p-2")
    assert (again.outcome, again.code) == (Outcome.UNKNOWN, "idempotency_error")


@pytest.mark.parametrize(
    "fault", ["lost_request", "lost_answer", "500", "503", "409", "429", "408"]
)
def test_what_says_nothing_is_unknown_and_then_found_or_sent_again(vendor, fault):
    vendor.faults = [fault]
    rail = stripe_rail(vendor, payment_method="pm_card_visa")
    assert collect(vendor).outcome == Outcome.UNKNOWN
    expected = Outcome.SETTLED if fault == "lost_answer" else Outcome.ABSENT
    assert rail.find("p-1", since=SINCE).outcome == expected
    assert collect(vendor).outcome == Outcome.SETTLED
    assert len(vendor.objects) == 1


def test_a_payment_is_found_on_a_later_page_of_the_list(vendor):
    for number in range(5):
        collect(vendor, key=f"k-{number}", purchase=f"p-{number}")
    rail = stripe_rail(vendor, payment_method="pm_card_visa")
    assert rail.find("p-0", since=SINCE).vendor_id == vendor.keys["k-0"][2][1]["id"]
    assert rail.find("p-9", since=SINCE).outcome == Outcome.ABSENT


def test_a_list_that_cannot_be_read_is_no_proof_of_absence(vendor):
    vendor.secret, secret = "rolled", vendor.secret
    rail = stripe_rail(vendor, payment_method="pm_card_visa")
    vendor.secret = secret
    assert rail.find("p-1", since=SINCE).outcome == Outcome.UNKNOWN
    assert collect_with(rail).outcome == Outcome.REFUSED
    assert rail.problem() == "Stripe answers invalid_request_error: Invalid API Key"
    assert rail.balance() is None and rail.statement(after=0) is None


def collect_with(rail):
    return rail.collect(rail.collect_body(order()), key="k-1")


def test_refunds_and_disputes(vendor):
    paid = collect(vendor)
    rail = stripe_rail(vendor, payment_method="pm_card_visa")
    body = rail.refund_body(paid.settled_id, order("2.30", purchase="r-1"))
    first = rail.refund(body, key="r-1")
    assert (first.outcome, first.amount) == (Outcome.SETTLED, Decimal("2.30"))
    assert rail.refund(body, key="r-1") == first
    assert rail.find_refund("r-1", vendor_id="", since=SINCE) == first
    assert rail.find_refund("r-1", vendor_id=first.vendor_id, since=None) == first
    more = rail.refund(rail.refund_body("pi_1", order("10.01")), key="r-2")
    assert more.outcome == Outcome.REFUSED
    assert not rail.find("p-1", vendor_id="pi_1").is_reversed
    vendor.dispute("pi_1")
    assert rail.find("p-1", vendor_id="pi_1").is_reversed


def test_the_balance_and_the_movements(vendor):
    rail = stripe_rail(vendor, payment_method="pm_card_visa")
    before = rail.balance()
    collect(vendor)
    assert rail.balance() == before + Decimal("12.30")
    line = rail.statement(after=0)[-1]
    assert (line.amount, line.currency, line.kind) == (Decimal("12.30"), "USD", "charge")
    assert rail.problem() == ""


def test_nothing_listens():
    vendor = FakeStripe()
    vendor.url = "http://127.0.0.1:1"
    rail = stripe_rail(vendor, payment_method="pm_card_visa")
    assert collect_with(rail).code == "no_connection"
    assert rail.problem() == "Stripe answers no_connection"


def test_amounts_are_whole_cents():
    assert minor_units(Decimal("12.30")) == 1230
    with pytest.raises(ValueError, match="whole number of cents"):
        minor_units(Decimal("12.305"))


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 409, 424, 429, 500, 502, 503, 504]
)
def test_every_documented_error_has_an_outcome(status):
    error = {"type": "api_error", "message": "x"}
    problems = document("stripe").problems_of_answer(
        "post", "/v1/payment_intents", status, {"error": error}
    )
    assert not problems
    outcome = answer_of_error(Reply(status=status, body={"error": error})).outcome
    unknown = status in (408, 409, 429) or status >= 500
    expected = Outcome.UNKNOWN if unknown else Outcome.REFUSED
    assert outcome == (Outcome.DECLINED if status == 402 else expected)


def test_every_documented_status_of_a_payment_has_an_outcome():
    schemas = document("stripe")._whole["components"]["schemas"]
    assert set(schemas["payment_intent"]["properties"]["status"]["enum"]) == set(answers._INTENTS)


def test_the_check_finds_what_is_wrong_with_a_request():
    form = encode({"amount": "many", "nonsense": 1, "metadata": {"purchase": "p"}})
    sent = Sent(
        method="POST",
        path="/v1/payment_intents",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        body=form.encode(),
    )
    said = " ".join(document("stripe").problems_of_request(sent))
    assert "'currency' is a required property" in said
    assert "'many' is not of type 'integer'" in said and "nonsense" in said
    assert document("stripe").problems_of_request(Sent(method="GET", path="/v1/charges"))
