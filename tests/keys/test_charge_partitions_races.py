"""Charges move to their months while others settle, adjust and read them."""

from datetime import date, timedelta

import pytest
from django.db.models import Sum

from common.statements import fetch
from keys import services as keys
from keys.books import sql
from keys.books.services import partition_charges
from keys.models import Allocation, Charge, ChargePartition, SettledUsage
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, adjust, allocate, complete, hold, settle
from tests.moments import NOON
from tests.threads import overtaken, refused

pytestmark = pytest.mark.django_db(transaction=True)

MARCH = date(2026, 3, 1)
LATER = NOON + keys.PARTITIONED_AFTER + timedelta(days=1)


@pytest.fixture
def charges(people):
    """Settled calls of closed sessions in two months, and a hold of each that has expired."""
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    found = []
    for day in (0, 0, 25, 25):
        at = NOON + timedelta(days=day)
        allocation = allocate("ada", tokens=20_000, now=at)
        calls = [hold(allocation, 500, now=at) for _ in range(6)]
        for charge in calls[1:]:
            settle(charge, 400, now=at)
        complete(allocation, now=at)
        found += calls
    keys.expire_charges(now=LATER)
    return found


def test_many_who_move_at_once_move_each_charge_once(charges, at_once):
    answers = at_once(lambda _: keys.partition_charges(now=LATER + timedelta(days=30)), times=12)
    assert refused(answers) == 0
    assert sum(answers) == 20
    assert ChargePartition.objects.count() == 2
    assert Charge.objects.count() == 24
    assert_books_balance()


def test_readers_see_each_charge_once_at_each_moment(charges, at_once):
    def read_or_move(number):
        if number == 0:
            return keys.partition_charges(now=LATER + timedelta(days=30)) and None
        return [
            SettledUsage.objects.filter(status="settled").aggregate(
                calls=Sum("calls"), tokens=Sum("tokens")
            )
            for _ in range(15)
        ]

    answers = at_once(read_or_move, times=8)
    assert refused(answers) == 0
    seen = [sums for answer in answers if answer for sums in answer]
    assert all(sums == {"calls": 20, "tokens": 8_000} for sums in seen)


def test_charges_are_adjusted_and_settled_late_while_they_move(charges, at_once):
    def act(number):
        charge = charges[number % len(charges)]
        if number >= 2 * len(charges):
            return keys.partition_charges(now=LATER + timedelta(days=30))
        if charge.pk in expired:
            return settle(charge, 300, now=LATER)
        return adjust(charge, 350, now=LATER, idempotency_key="once")

    expired = {charge.pk for charge in charges[::6]}
    answers = at_once(act, times=2 * len(charges) + 4)
    assert refused(answers) == 0
    assert Charge.objects.filter(status="settled").count() == 24
    assert sum(Allocation.objects.values_list("used", flat=True)) == 20 * 350 + 4 * 300
    assert_books_balance()


def test_an_adjustment_that_waits_for_the_move_finds_the_charge_in_its_month(charges):
    charge, page = charges[1], fetch(sql.SCAN, after_charge=0, most=5)
    partition_charges._create_partition(MARCH, now=LATER)
    adjustment = overtaken(
        first=lambda: partition_charges._move_to.__wrapped__(MARCH, page),
        then=lambda: adjust(charge, 350, now=LATER),
    )
    assert adjustment.tokens == -50
    assert_books_balance()
