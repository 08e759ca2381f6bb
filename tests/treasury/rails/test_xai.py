"""xAI's top-up: no key, so nothing is sent twice, and lost answers are found in the changes."""

import os
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest

from common import addresses
from keys.models import Provider
from tests.moments import NOON
from tests.treasury.builders import broken
from tests.treasury.contracts.fake_xai import TEAM, FakeXai
from tests.treasury.purchases import FINN, approve, fund, make_decider
from tests.treasury.rail_accounts import add_rail, stand_in, switch_on
from treasury import services as treasury
from treasury.models import Account, Purchase, PurchasePolicy
from treasury.rails.base import Mode, Order, Outcome, SentPayment
from treasury.rails.kinds import Connection
from treasury.rails.xai.changes import purchases
from treasury.rails.xai.rail import XaiRail
from treasury.refusals import WrongRail
from treasury.services import BuyingTerms, PayeeTerms

LOST = int(os.environ.get("BUTLER_XAI_LOST_ANSWERS", "12"))
SECOND = timedelta(seconds=1)


@pytest.fixture
def vendor():
    fake = FakeXai()
    fake.clock = NOON
    with fake.serve():
        yield fake


@pytest.fixture
def rail(vendor):
    return XaiRail(
        Connection(
            name="xai",
            mode=Mode.SANDBOX,
            url=vendor.url,
            secret=vendor.secret,
            settings={"team": TEAM},
            networks=addresses.networks(["private"]),
        )
    )


def order(amount="5.00", payee=TEAM):
    return Order(purchase="p-1", amount=Decimal(amount), currency="USD", payee=payee)


def sent(amount="5.00", **changes):
    asked = {"vendor_id": "", "sent_at": NOON, "asked_at": NOON + SECOND}
    return SentPayment(amount=Decimal(amount), **(asked | changes))


@pytest.mark.parametrize(
    ("status", "outcome", "credited"),
    [
        ("SUCCEEDED", Outcome.SETTLED, True),
        ("TO_GENERATE_INVOICE", Outcome.ACCEPTED, False),
        ("TO_CHARGE", Outcome.ACCEPTED, False),
        ("SOMETHING_NEW", Outcome.ACCEPTED, False),
        ("FAILED_TO_CHARGE", Outcome.DECLINED, False),
        ("FAILED_TO_GEMNERATE_INVOICE", Outcome.DECLINED, False),
    ],
)
def test_each_status_is_understood(rail, vendor, status, outcome, credited):
    vendor.next_status = status
    answer = rail.pay(rail.body(order()), key="k")
    assert (answer.outcome, answer.amount, answer.is_credited) == (outcome, 5, credited)
    assert rail.match(sent()) == answer
    assert rail.match(sent(vendor_id=answer.vendor_id)) == answer
    assert rail.find("p-1", vendor_id=answer.vendor_id) == answer


def test_the_amount_is_in_whole_cents_for_the_team_of_the_payee(rail):
    assert rail.body(order("0.07")) == (
        f'/v1/billing/teams/{TEAM}/prepaid/top-up\n{{"amount": {{"val": "7"}}}}'
    )
    other = rail.pay(rail.body(order(payee="team-2")), key="k")
    assert (other.outcome, other.code) == (Outcome.REFUSED, "other_team")
    assert rail.body(order(payee="../x")).startswith("/v1/billing/teams/..%2Fx/")


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "500", "408", "409", "429"])
def test_without_a_definite_answer_it_is_unknown(rail, vendor, fault):
    vendor.faults = [fault]
    assert rail.pay(rail.body(order()), key="k").outcome == Outcome.UNKNOWN


def test_a_refusal_has_the_vendors_words(rail, vendor):
    vendor.secret = "another"
    answer = rail.pay(rail.body(order()), key="k")
    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "401")
    assert answer.message == "No such key." and "No such key." in rail.problem()
    assert rail.match(sent()).code == "changes_not_read"


def test_what_left_no_trace_for_half_an_hour_never_arrived(rail):
    early = rail.match(sent(asked_at=NOON + timedelta(minutes=29)))
    assert (early.outcome, early.code) == (Outcome.UNKNOWN, "no_trace_yet")
    late = rail.match(sent(asked_at=NOON + timedelta(minutes=31)))
    assert (late.outcome, late.code) == (Outcome.DECLINED, "never_arrived")


def test_what_belongs_to_others_is_not_taken_for_ones_own(rail, vendor):
    vendor.add(500, origin="SPEND")
    vendor.add(600)
    vendor.add(500, origin="AUTO_PURCHASE")
    vendor.clock = NOON - timedelta(hours=1)
    vendor.add(500)
    assert rail.match(sent()).outcome == Outcome.UNKNOWN
    vendor.clock = NOON
    vendor.add(500)
    own = vendor.changes[-1]["createTime"]
    assert rail.match(sent()).vendor_id == own
    assert rail.match(sent(taken=frozenset({own}))).outcome == Outcome.UNKNOWN
    vendor.add(500)
    assert (rail.match(sent()).outcome, rail.match(sent()).code) == (
        Outcome.ACTION,
        "several_purchases",
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"changes": None},
        {"changes": [{"changeOrigin": "PURCHASE"}]},
        {"changes": [{"changeOrigin": "PURCHASE", "createTime": "x", "amount": {"val": "-1"}}]},
        {"changes": [{"changeOrigin": "PURCHASE", "createTime": "2026-03-14", "amount": 5}]},
        {"changes": ["x"]},
    ],
)
def test_what_cannot_be_read_is_no_change(body):
    with pytest.raises(ValueError):  # noqa: PT011 - any
        purchases(body)


@pytest.fixture
def office(vendor, settings, people):
    stand_in(settings, "xai", vendor.url)
    make_decider()
    Provider.objects.create(slug="x-ai", name="xAI")
    terms = {"kind": "xai", "settings": {"team": TEAM}, "webhook_secret": ""}
    switch_on(add_rail("xai", secret=vendor.secret, **terms))
    terms = PayeeTerms(slug="xai", provider="x-ai", method="rail", rail="xai", destination=TEAM)
    approve(treasury.propose_payee(terms, reason="x", actor=FINN, now=NOON)[0])
    bounds = BuyingTerms(
        payee="xai",
        threshold=Decimal(10),
        target=Decimal(50),
        per_purchase_max=Decimal(10),
        daily_max=Decimal(100_000),
        monthly_max=Decimal(100_000),
        approval_above=Decimal(10),
        declines_max=10_000,
    )
    approve(treasury.propose_policy(bounds, reason="x", actor=FINN, now=NOON)[0])
    fund("10000.00", "rail:xai")
    return PurchasePolicy.objects.get()


@pytest.mark.django_db
def test_xai_has_no_sandbox(people):
    with pytest.raises(WrongRail, match="no sandbox"):
        add_rail("xai", kind="xai", settings={"team": TEAM}, webhook_secret="")


@pytest.mark.django_db
def test_of_lost_answers_none_is_bought_twice_and_all_are_resolved(office, vendor):
    """BUTLER_XAI_LOST_ANSWERS=1000 for the whole number."""
    chance, now = Random(7), NOON
    for _ in range(LOST):
        now += timedelta(hours=1)
        vendor.clock = now + chance.choice((-1, 0, 1)) * timedelta(seconds=30)
        vendor.faults = [chance.choice(("lost_answer", "lost_answer", "lost_request", "500"))]
        vendor.next_status = chance.choice(("SUCCEEDED", "TO_CHARGE", "FAILED_TO_CHARGE"))
        amount = Decimal(chance.choice((5, 7, 7, 7)))
        purchase = treasury.propose_purchase(
            office.pk, amount, reason="needed", actor=FINN, now=now
        )
        _carry_on(purchase.pk, vendor, now=now)
    assert not Purchase.objects.exclude(status__in=["credited", "declined"]).exists()
    bought = sum(each.amount for each in Purchase.objects.filter(status="credited"))
    assert (vendor.bought, Account.objects.get(name="credit:x-ai").balance) == (
        bought * 100,
        bought,
    )
    posts = [each for each in vendor.sent if each.method == "POST"]
    assert len(posts) == LOST == Purchase.objects.count()
    assert Account.objects.get(name="transit:x-ai").balance == 0
    assert broken() == []


def _carry_on(purchase_id, vendor, *, now):
    """Ask as the job does; what is to be charged is charged after some minutes."""
    for minutes in (0, 0, 0, 1, 3, 12, 32, 40):
        if minutes == 12:
            for each in vendor.changes:
                if each["topupStatus"] == "TO_CHARGE":
                    each["topupStatus"] = "SUCCEEDED"
        purchase = treasury.advance_purchase(purchase_id, now=now + timedelta(minutes=minutes))
        if purchase.status in ("credited", "declined"):
            return
