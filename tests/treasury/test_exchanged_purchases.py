"""A rail in USDC pays credit that is kept in USD: by the dated rate, once, and back by the same."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection

from tests.dashboard.test_agents import signed_in
from tests.moments import NOON
from tests.treasury.builders import balances, broken, entry
from tests.treasury.builders import transfer as post
from tests.treasury.contracts.fake_circle import FakeCircle
from tests.treasury.purchases import (
    FINN,
    MINUTE,
    add_payee,
    approve,
    carry_on,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.rail_accounts import stand_in, switch_on
from tests.treasury.rails.circle_rails import add_wallets
from treasury import services as treasury
from treasury.models import Account, ExchangeRate, Payee, Purchase, PurchasePolicy, Transfer
from treasury.rails.base import Answer, Outcome
from treasury.refusals import WrongExchange, WrongPayee

pytestmark = pytest.mark.django_db
CREDIT, TRANSIT, RAIL = "credit:openai", "transit:openai", "rail:wallets"
SOLD, BOUGHT = "play-exchange:usdc", "play-exchange:usd"
TODAY = NOON.date()
DAY = timedelta(days=1)
# 40 USD cost this much where one USDC is 0.9995 USD, rounded up to six places.
COST = Decimal("40.020011")


@pytest.fixture(scope="module")
def server():
    vendor = FakeCircle()
    with vendor.serve():
        yield vendor


@pytest.fixture
def circle(server, settings, people):
    """A wallet with 1,000 USDC that pays OpenAI, whose credit is in USD."""
    server.clear()
    server.next_state = "INITIATED"
    stand_in(settings, "circle-wallets", server.url)
    make_decider()
    switch_on(add_wallets())
    rate("0.9995")
    add_payee("coins", rail="wallets", destination="0xbeef", currency="USD")
    set_policy(payee="coins", is_automatic=False)
    usdc("1000")
    yield server
    assert broken() == []


def rate(figure: str, *, day=TODAY) -> ExchangeRate:
    by = {"reason": "the exchange", "actor": FINN, "now": NOON + 60 * DAY}
    return treasury.record_rate("USDC", "USD", Decimal(figure), day=day, **by)


def usdc(amount: str) -> None:
    treasury.record_funding(
        Account.objects.get(name=RAIL),
        Decimal(amount),
        reference="faucet",
        key=UUID(int=1),
        actor=FINN,
        now=NOON,
    )


def on(name: str) -> Decimal:
    return balances(name)[0]


def paid(circle) -> Purchase:
    purchase = carry_on(propose())
    circle.payments[purchase.vendor_id]["state"] = "COMPLETE"
    return carry_on(purchase, now=NOON + 5 * MINUTE)


def confirmed(circle) -> Purchase:
    return treasury.confirm_purchase(paid(circle).pk, receipt="R-1", actor=FINN, now=NOON + DAY)


def test_the_rail_is_asked_for_its_own_amount_and_credit_grows_in_its_currency(circle):
    purchase = carry_on(propose())
    assert (purchase.status, purchase.amount, purchase.currency) == ("accepted", 40, "USD")
    (sent,) = circle.payments.values()
    assert sent["amounts"] == [str(COST)]
    assert balances(RAIL) == (1000, 1000 - COST) and on(TRANSIT) == 0
    # Another rate of a later day changes nothing.
    rate("0.5", day=TODAY + DAY)
    circle.payments[purchase.vendor_id]["state"] = "COMPLETE"
    purchase = carry_on(purchase, now=NOON + DAY)
    assert purchase.status == "settled"
    assert (on(RAIL), on(TRANSIT), on(SOLD)) == (1000 - COST, 40, COST)
    treasury.confirm_purchase(purchase.pk, receipt="R-1", actor=FINN, now=NOON + DAY)
    assert (on(CREDIT), on(TRANSIT)) == (40, 0)
    # Both exchanges are worth the same by the rate, with what was lost by rounding.
    assert on(BOUGHT) == -round(COST * Decimal("0.9995"), 9)
    assert on("play-rounding:usd") == -on(BOUGHT) - 40
    exchanged = Transfer.objects.filter(journal=purchase.pending.journal, rate__isnull=False)
    assert {each.rate.rate for each in exchanged} == {Decimal("0.9995")}
    assert exchanged.filter(phase="post").count() == 3


def test_a_lost_answer_is_sent_again_with_the_same_amount(circle):
    circle.faults = ["lost_request"]
    purchase = carry_on(propose(), steps=2)
    assert purchase.status == "unknown"
    # That the rate of the day is corrected changes nothing either.
    rate("0.5")
    carry_on(purchase, now=NOON + 5 * MINUTE)
    (sent,) = circle.payments.values()
    assert sent["amounts"] == [str(COST)]


def test_what_is_declined_frees_both_amounts(circle):
    purchase = carry_on(propose())
    circle.payments[purchase.vendor_id]["state"] = "FAILED"
    purchase = carry_on(purchase, now=NOON + 5 * MINUTE)
    assert purchase.status == "declined"
    assert balances(RAIL) == (1000, 1000) and balances(BOUGHT) == balances(SOLD) == (0, 0)


def test_a_person_frees_both_amounts(circle):
    purchase = propose()
    purchase = carry_on(purchase, steps=1)
    assert purchase.status == "reserved" and balances(RAIL)[1] == 1000 - COST
    treasury.cancel_purchase(purchase.pk, reason="no", actor=FINN, now=NOON)
    assert balances(RAIL) == (1000, 1000)


def test_another_amount_than_the_rail_was_asked_for_waits_for_a_person(circle):
    purchase = carry_on(propose())
    told = Answer(outcome=Outcome.SETTLED, vendor_id=purchase.vendor_id, amount=Decimal(40))
    assert treasury.apply_answer(purchase.pk, told, now=NOON).status == "needs_person"


def test_bounds_and_second_persons_count_in_the_currency_of_the_credit(circle):
    # 200 USD cost more than 200 USDC, and 200 are the most of one purchase.
    purchase = carry_on(propose("200.00"))
    assert purchase.status == "accepted" and balances(RAIL)[1] < 800
    set_policy(payee="coins", is_automatic=False, approval_above=Decimal("39.99"))
    circle.payments[purchase.vendor_id]["state"] = "FAILED"
    carry_on(purchase, now=NOON + 5 * MINUTE)
    asked = propose()
    assert asked.status == "proposed"
    assert ", in USDC: about 40.020011 by the rate of" in asked.approval.effect
    approve(asked.approval)
    assert carry_on(asked).status == "accepted"


def test_less_on_the_rail_than_the_rate_asks_for_is_refused(circle):
    post(entry("play-funding:usdc", RAIL, "960.00"))
    assert carry_on(propose()).status == "refused" and balances(RAIL) == (40, 40)


def test_without_a_rate_of_the_week_nothing_is_bought(circle):
    with pytest.raises(WrongExchange, match="Record one first"):
        propose(now=NOON + 7 * DAY)
    purchase = propose()
    assert carry_on(purchase, now=NOON + 7 * DAY).status == "refused"
    assert balances(RAIL) == (1000, 1000)


def test_refunds_give_back_by_the_rate_of_the_purchase_all_of_what_was_paid(circle):
    purchase = confirmed(circle)
    rate("0.5", day=TODAY + DAY)
    for number, amount in enumerate(("13.33", "13.33", "13.34")):
        refund = treasury.ask_refund(
            Decimal(amount), purchase_id=purchase.pk, reason="x", actor=FINN, now=NOON + DAY
        )
        refund = treasury.advance_refund(refund.pk, now=NOON + DAY)
        assert refund.status == "needs_person" and "makes no refunds" in refund.note
        treasury.confirm_refund(refund.pk, reference=f"C-{number}", actor=FINN, now=NOON + DAY)
    assert (on(CREDIT), on(RAIL), on(SOLD)) == (0, 1000, 0)
    # The last one fails later.
    told = Answer(outcome=Outcome.DECLINED, code="failed")
    refund = treasury.apply_refund_answer(refund.pk, told, now=NOON + 2 * DAY)
    assert refund.status == "declined" and on(CREDIT) == Decimal("13.34")
    assert Decimal("986.65") < on(RAIL) < Decimal("986.66")


def test_money_that_came_back_as_a_whole_is_all_that_the_rail_paid(circle):
    purchase = paid(circle)
    back = Answer(outcome=Outcome.SETTLED, vendor_id=purchase.vendor_id, is_reversed=True)
    purchase = treasury.apply_answer(purchase.pk, back, now=NOON + DAY)
    assert purchase.reversed_at and (on(RAIL), on(TRANSIT), on(SOLD)) == (1000, 0, 0)


def test_a_credit_keeps_its_currency(circle):
    with pytest.raises(WrongPayee, match="in USD already"):
        add_payee("more", rail="wallets", destination="0xfeed", currency="USDC")
    add_payee("more", rail="wallets", destination="0xfeed")
    assert Payee.objects.get(pk="more").is_exchanged


def test_the_check_finds_a_rail_that_did_not_end_with_its_purchase(circle):
    purchase = carry_on(propose())
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE treasury_transfer SET rate_id = NULL WHERE journal = %s",
            [purchase.pending.journal],
        )
        assert "21 exchanged-purchases" in {each.check.name for each in broken()}
        cursor.execute(
            "UPDATE treasury_transfer SET rate_id = %s WHERE journal = %s",
            [ExchangeRate.objects.get().pk, purchase.pending.journal],
        )
        cursor.execute("SET session_replication_role = origin")


def test_the_pages_say_by_which_rate(circle, monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    fay = signed_in("fay", role="finance")
    policy = PurchasePolicy.objects.get()
    shown = fay.get(f"/treasury/policies/{policy.pk}").content.decode()
    assert "100 USD cost 100.050026 USDC: 1 USDC = 0.9995 USD on" in shown
    purchase = carry_on(propose())
    shown = fay.get(f"/treasury/purchases/{purchase.pk}").content.decode()
    assert "40.020011 USDC" in shown and "1 USDC = 0.9995 USD" in shown
