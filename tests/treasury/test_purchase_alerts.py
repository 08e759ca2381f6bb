"""What people are told of purchases and of credit that runs low."""

from decimal import Decimal

import pytest

from alerts.models import Alert
from tests.moments import NOON
from tests.treasury.purchases import (
    FINN,
    SIMULATED_CREDIT,
    add_payee,
    carry_on,
    fund,
    make_decider,
    propose,
    set_policy,
)
from tests.treasury.simulator import simulator
from treasury import services as treasury
from treasury.models import PurchasePolicy

pytestmark = pytest.mark.django_db


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


def standing() -> dict[str, str]:
    """The unresolved alerts: detail by kind."""
    return dict(Alert.objects.unresolved().values_list("kind", "detail"))


def test_the_first_decline_is_told_and_the_next_payment_resolves_it(vendor):
    """akash-network/console #3769: silence for seven hours while a card declined."""
    vendor.faults.plan({"kind": "decline"})
    carry_on(propose())
    assert "card_declined" in standing()["purchase_declined"]
    assert "0.00 USD of credit are left" in standing()["purchase_declined"]
    carry_on(propose())
    assert standing() == {}


def test_what_waits_for_a_person_is_told_until_it_is_known(vendor):
    vendor.faults.plan({"kind": "action"})
    purchase = carry_on(propose())
    assert set(standing()) == {"purchase_waits"}
    treasury.deny_purchase(purchase.pk, reason="no", actor=FINN, now=NOON)
    assert set(standing()) == {"purchase_declined"}


def test_a_policy_that_pauses_itself_is_told_until_it_is_resumed(vendor):
    set_policy(declines_max=1)
    vendor.faults.plan({"kind": "decline"})
    carry_on(propose())
    assert "purchases_paused" in standing()
    treasury.resume_policy(PurchasePolicy.objects.get().pk, reason="x", actor=FINN, now=NOON)
    assert "purchases_paused" not in standing()


def test_credit_that_cannot_be_bought_is_told_until_there_is_enough():
    """akash-network/console #3814: nobody saw that a bound was reached again and again."""
    set_policy(per_purchase_max=Decimal(1), daily_max=Decimal(1))
    carry_on(propose("1.00"))
    policy_id = PurchasePolicy.objects.get().pk
    PurchasePolicy.objects.update(next_at=None)
    treasury.buy_credit(policy_id, now=NOON)
    assert standing() == {"credit_low": "No more is allowed today."}
    fund("500.00", SIMULATED_CREDIT)
    treasury.buy_credit(policy_id, now=NOON)
    assert standing() == {}
