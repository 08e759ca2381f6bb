"""Consumption: the charges of a day as transfers, with revisions."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.actors import ACTOR
from tests.keys.builders import PAID, add_key, adjust, allocate, make_people, report
from tests.moments import NOON
from tests.treasury.builders import balances, broken
from tests.treasury.purchases import add_payee, make_decider
from treasury import services as treasury
from treasury.models import Account, Consumption, ConsumptionRun, Transfer

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
EXPENSE = "expense:research"


@pytest.fixture(autouse=True)
def office(settings):
    settings.SIMULATOR_URL = "http://127.0.0.1:1"
    make_people()
    add_key("openai-1", rates=PAID, provider="openai")
    make_decider()
    add_payee()
    yield
    post(now=NOON + 40 * DAY)
    assert broken() == []


def post(*, now=NOON) -> int:
    return treasury.post_consumption(Account.objects.get(name="credit:openai"), now=now)


def spend(tokens=1000, *, now=NOON):
    return report(allocate(tokens=100_000, now=now), tokens, now=now)


def test_the_charges_of_a_day_are_one_transfer():
    charges = [spend(), spend(500)]
    assert post() == 1
    cost = sum(charge.cost for charge in charges)
    assert cost > 0
    assert balances(EXPENSE) == (cost, cost)
    assert balances("credit:openai") == (-cost, -cost)
    posted = Transfer.objects.get()
    assert (posted.effective_on, posted.reference) == (
        NOON.date(),
        "2026-03-10 openai-1 research",
    )


def test_what_is_posted_is_not_posted_again():
    spend()
    assert (post(), post()) == (1, 0)


def test_late_charges_are_another_revision():
    first = spend()
    post()
    later = spend(2000)
    assert post() == 1
    amounts = dict(Consumption.objects.values_list("revision", "amount"))
    assert amounts == {1: first.cost, 2: later.cost}


def test_an_adjustment_gives_credit_back():
    charge = spend(1000)
    post()
    adjust(charge, 400, now=NOON + DAY)
    post(now=NOON + DAY)
    last = Consumption.objects.get(revision=2)
    assert last.amount < 0
    assert last.transfer.debit.name == "credit:openai"
    assert balances(EXPENSE)[0] == charge.cost + last.amount


def test_what_belongs_to_a_closed_period_is_posted_after_it():
    spend()
    treasury.close_period(NOON.date(), reason="month end", actor=ACTOR, now=NOON + DAY)
    post(now=NOON + DAY)
    posted = Consumption.objects.get()
    assert (posted.day, posted.transfer.effective_on) == (NOON.date(), NOON.date() + DAY)


def test_what_was_consumed_before_the_credit_was_opened_is_not_posted():
    spend()
    Account.objects.filter(name="credit:openai").update(created_at=NOON + DAY)
    assert post() == 0


def test_days_are_those_of_utc():
    midnight = NOON.replace(hour=0) + DAY
    spend(now=midnight - timedelta(minutes=1))
    spend(now=midnight)
    assert post(now=midnight) == 2
    assert {row.day for row in Consumption.objects.all()} == {NOON.date(), midnight.date()}


def test_the_check_finds_a_charge_that_was_not_posted():
    spend()
    post()
    spend(7)
    ConsumptionRun.objects.update(posted_at=NOON + DAY)
    assert [finding.check.name for finding in broken()] == ["10 consumption"]


def test_only_figures_of_its_provider_count():
    add_key("nvidia-1", rates=PAID)
    charge = report(allocate(tokens=1000, provider="nvidia"), 100)
    assert charge.cost > Decimal(0)
    assert post() == 0
