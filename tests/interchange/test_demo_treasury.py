"""The treasury of the demo fleet: two persons set it up, and Butler buys within its bounds."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from interchange import demo_fleet, demo_treasury
from tests.treasury.simulator import simulator
from treasury import jobs
from treasury.models import Account, Payee, Purchase, PurchasePolicy
from treasury.queries.balances_of_credit import told_balance
from treasury.queries.ledger_check import ledger_check

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def paying(settings):
    demo_fleet.load(now=timezone.now())
    with simulator() as server:
        settings.SIMULATOR_URL = server.url
        yield server


def test_butler_buys_credit_once_within_the_bounds(paying):
    assert demo_treasury.load(now=timezone.now())
    assert not demo_treasury.load(now=timezone.now())
    policy = PurchasePolicy.objects.get()
    for _ in range(3):
        jobs.post_consumption()
        jobs.carry_on_purchases()
    purchase = Purchase.objects.get()
    assert purchase.status == "credited"
    assert purchase.amount <= policy.per_purchase_max
    assert Account.objects.get(name="rail:simulator").balance == Decimal(500) - purchase.amount
    assert jobs.take_balances() == 1
    told = told_balance(policy.credit_account)
    assert told is not None and not told.is_beyond
    assert not any(finding.count for finding in ledger_check())


def test_the_persons_of_the_demo_cannot_sign_in(paying):
    demo_treasury.load(now=timezone.now())
    people = get_user_model().objects.filter(username__startswith="demo-")
    assert {person.groups.get().name for person in people} == {"finance", "approver"}
    assert not any(person.has_usable_password() for person in people)


def test_without_the_simulator_nothing_is_set_up(people):
    with pytest.raises(CommandError):
        call_command("load_demo_treasury")
    assert not Payee.objects.exists()
