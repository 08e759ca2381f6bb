"""Failures that others have had in public with buying credit by themselves, one test for each.

Each names the pull request or issue in which it is described.
"""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from alerts.models import Alert
from tests.moments import NOON
from tests.threads import refused
from tests.treasury.builders import balances, broken
from tests.treasury.purchases import (
    SIMULATED_CREDIT,
    add_payee,
    carry_on,
    fund,
    make_decider,
    pending_on,
    propose,
    propose_policy,
    set_policy,
)
from tests.treasury.simulator import rail_of, simulator
from treasury import refusals
from treasury import services as treasury
from treasury.models import Payee, Purchase, PurchasePolicy

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


@pytest.fixture
def vendor(settings):
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        yield server


@pytest.fixture(autouse=True)
def office(vendor):
    make_decider()
    add_payee()
    set_policy()
    fund("1000.00")
    yield
    assert broken() == []


def paid(vendor) -> Decimal:
    return 1000 - vendor.vendor.balance()


def test_a_webhook_that_races_the_request_credits_once(vendor, at_once):
    """Significant-Gravitas/AutoGPT #10672: the check was outside the lock, and 50 USD counted
    twice."""
    purchase = carry_on(propose("50.00"), steps=2)
    answer = rail_of(vendor).find(str(purchase.key))
    at_once(lambda _: treasury.apply_answer(purchase.pk, answer, now=NOON), times=8)
    assert balances(SIMULATED_CREDIT) == (50, 50)


def test_several_needs_at_once_are_one_purchase(vendor, at_once):
    """Significant-Gravitas/AutoGPT #9426: one run of an agent topped up several times."""
    answers = at_once(lambda _: propose("50.00"), times=8)
    assert refused(answers, refusals.PurchaseOpen) == 7
    carry_on(Purchase.objects.get())
    assert paid(vendor) == 50


def test_three_replicas_pay_once(vendor, at_once):
    """doublewordai/control-layer #1371: three replicas without a leader charged a customer each."""
    purchase = propose("50.00")
    at_once(lambda _: carry_on(purchase), times=3)
    carry_on(purchase)
    purchase.refresh_from_db()
    assert (purchase.status, paid(vendor)) == ("credited", 50)
    assert purchase.attempts.count() == 1
    assert len(vendor.vendor.payments("")) == 1


def test_no_amount_is_part_of_a_key(vendor):
    """antiwork/gumroad #7109: a key with the amount of an old snapshot was another payment for the
    same need."""
    vendor.faults.plan({"kind": "action"})
    first = carry_on(propose("100.00"))
    with pytest.raises(refusals.PurchaseOpen):
        propose("150.00")
    assert str(first.amount.normalize()) not in str(first.key)
    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        Purchase.objects.update(amount=150)


def test_a_decline_does_not_release_the_cool_off(vendor):
    """akash-network/console #3660, #3756: 486 declined attempts in four and a half hours."""
    vendor.faults.plan({"kind": "decline", "times": 9})
    pauses = []
    for _ in range(4):
        carry_on(propose("50.00"))
        pauses.append(PurchasePolicy.objects.get().next_at - NOON)
    assert pauses == [timedelta(hours=hours) for hours in (2, 4, 8, 16)]
    assert "card_declined" in PurchasePolicy.objects.get().paused_reason
    with pytest.raises(refusals.PolicyPaused):
        propose("50.00")
    assert len(vendor.vendor.payments("")) == 4


def test_what_waits_for_three_d_secure_counts_as_pending(vendor):
    """akash-network/console #3814: 78 reloads, one every 61 minutes, beside payments that nobody
    had confirmed."""
    vendor.faults.plan({"kind": "action", "times": 9})
    purchase = carry_on(propose("50.00"))
    for hours in range(1, 78):
        carry_on(purchase, now=NOON + timedelta(hours=hours), steps=1)
        with pytest.raises(refusals.PurchaseOpen):
            propose("50.00", now=NOON + timedelta(hours=hours))
    assert (len(vendor.vendor.payments("")), pending_on()) == (1, 50)


def test_the_first_decline_is_told_with_the_credit_that_is_left(vendor):
    """akash-network/console #3769: silence for seven hours while a card declined."""
    fund("12.34", SIMULATED_CREDIT)
    vendor.faults.plan({"kind": "decline"})
    carry_on(propose("50.00"))
    told = Alert.objects.unresolved().get(kind="purchase_declined")
    assert "card_declined" in told.detail
    assert "12.34 USD of credit are left" in told.detail


@pytest.mark.parametrize(
    "terms",
    [
        {"threshold": Decimal(300)},
        {"threshold": Decimal(301)},
        {"per_purchase_max": Decimal(401)},
        {"daily_max": Decimal(1001)},
        {"per_purchase_max": Decimal("Infinity")},
        {"cool_off_seconds": 0},
    ],
)
def test_bounds_that_contradict_each_other_are_refused(terms):
    """vm0-ai/vm0 #10695: a threshold at or above the amount bought for ever."""
    with pytest.raises(refusals.WrongPolicy):
        propose_policy(**terms)


def test_the_database_refuses_a_threshold_above_the_target():
    """vm0-ai/vm0 #10695, by SQL."""
    values = PurchasePolicy.objects.values().get() | {"threshold": Decimal(400)}
    with pytest.raises(IntegrityError, match="target_is_above_threshold"), transaction.atomic():
        PurchasePolicy.objects.bulk_create(
            [PurchasePolicy(**values)],
            update_conflicts=True,
            update_fields=["threshold"],
            unique_fields=["credit_account"],
        )


@pytest.mark.parametrize("by", ["answer", "poll"])
def test_credit_is_booked_by_what_learns_of_it_first(vendor, by):
    """elizaOS/eliza #9321: success was reported, and the credit left to a webhook that may never
    come."""
    purchase = carry_on(propose("50.00"), steps=2)
    answer = rail_of(vendor).find(str(purchase.key))
    if by == "answer":
        treasury.apply_answer(purchase.pk, answer, now=NOON)
        carry_on(purchase)
    else:
        carry_on(purchase)
        treasury.apply_answer(purchase.pk, answer, now=NOON)
    assert balances(SIMULATED_CREDIT) == (50, 50)


def test_a_failed_payment_does_not_block_the_next(vendor):
    """Helicone #5184: a moment served as lock, and a failed payment kept it."""
    vendor.faults.plan({"kind": "decline"})
    assert carry_on(propose("50.00")).status == "declined"
    assert carry_on(propose("50.00")).status == "credited"
    assert paid(vendor) == 50


def test_after_a_definite_no_the_next_purchase_has_another_key(vendor):
    """flexprice-front #1422: the same key was kept after a refusal, and each retry "already
    exists"."""
    vendor.faults.plan({"kind": "decline"})
    first, second = carry_on(propose("50.00")), carry_on(propose("50.00"))
    assert first.key != second.key
    assert (first.status, second.status) == ("declined", "credited")


def test_retries_of_one_purchase_have_one_key(vendor):
    """square/square-mcp-server #31: agents were told to use a key for each request, and charged
    twice."""
    vendor.faults.plan({"kind": "lost_answer"})
    purchase = carry_on(propose("50.00"), steps=2)
    # Worse than reading first: the same request again.
    again = rail_of(vendor).pay(purchase.body, key=str(purchase.key))
    assert again.vendor_id == rail_of(vendor).find(str(purchase.key)).vendor_id
    assert (carry_on(purchase).status, paid(vendor)) == ("credited", 50)


def test_a_retry_is_the_first_request_byte_for_byte(vendor):
    """KeeperHub #2208: each retry was signed again, so it was another payment."""
    vendor.faults.plan({"kind": "lost_request"})
    purchase = carry_on(propose("50.00"), steps=2)
    sent = purchase.body
    # The destination is another one now; what was begun is repeated as it was.
    add_payee("openai-2", destination="elsewhere")
    set_policy(payee="openai-2")
    assert Payee.objects.count() == 2
    purchase = carry_on(purchase)
    assert (purchase.status, purchase.body) == ("credited", sent)
    assert vendor.vendor.credit("openai") == 50
    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        Purchase.objects.update(body="another")
