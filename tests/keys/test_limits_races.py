"""Limits change while others commit, settle and count."""

import pytest

from keys import services as keys
from keys.models import Agent, ApiKey, Limit, Window
from keys.refusals import LimitReached, NoKeyCapacity
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, hold, limit, report, settle
from tests.moments import NOON
from tests.threads import limited, overtaken, refused

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_who_set_the_same_limit_make_one(people, at_once):
    add_key("nvidia-1", per_day=None)
    answers = at_once(lambda n: limit(ApiKey.objects.get(), 100_000 + n), times=50)
    assert refused(answers) == 0
    assert Window.objects.get().amount == Limit.objects.get().amount
    assert_books_balance()


def test_usage_that_waited_for_a_new_limit_is_counted_in_it_once(people):
    api_key = add_key("nvidia-1", per_day=None)
    allocation = allocate(tokens=20_000)
    report(allocation, 100)
    overtaken(first=lambda: limited(api_key, 50_000), then=lambda: report(allocation, 10))
    window = Window.objects.get()
    assert (window.used, window.committed) == (110, 19_890)
    assert_books_balance()


def test_a_settlement_that_waited_for_a_new_limit_is_counted_in_it_once(people):
    add_key("nvidia-1", per_day=None)
    charge = hold(allocate(tokens=20_000), 500)
    ada = Agent.objects.get(pk="ada")
    assert overtaken(first=lambda: limited(ada, 50_000), then=lambda: settle(charge, 400)) == 1
    window = Window.objects.get()
    assert (window.used, window.committed) == (400, 19_600)
    assert_books_balance()


def test_setting_moving_and_removing_limits_in_a_storm_balances(people, at_once):
    add_key("nvidia-1")
    add_key("nvidia-2", per_day=None)
    ada = Agent.objects.get(pk="ada")
    allocations = [allocate(tokens=20_000) for _ in range(4)]
    zones = ("UTC", "Asia/Tokyo", "America/New_York")

    def anything(number):
        if number % 5 == 0:
            return limit(ada, 900_000, zone=zones[number % 3])
        if number % 15 == 1:
            for in_force in Limit.objects.filter(removed_at=None, agent=ada):
                keys.remove_limit(in_force, reason="test", actor=ACTOR, now=NOON)
            return None
        if number % 5 == 2:
            return allocate(tokens=20_000)
        return report(allocations[number % 4], 50)

    refused(at_once(anything, times=75), LimitReached, NoKeyCapacity)
    assert_books_balance()
