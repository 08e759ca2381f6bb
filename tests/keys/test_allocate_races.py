"""Two hundred agents ask at once."""

import pytest

from keys.models import Agent, Allocation, ApiKey, Limit, Window
from keys.refusals import Busy, LimitReached, NoKeyCapacity
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, limit
from tests.threads import limited, overtaken, refused

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_limit_for_twenty_lends_to_exactly_twenty_of_two_hundred(people, at_once):
    add_key("nvidia-1", per_day=400_000)
    answers = at_once(lambda _: allocate(tokens=20_000), times=200)
    assert refused(answers, NoKeyCapacity) == 180
    assert Allocation.objects.count() == 20
    assert Window.objects.get().committed == 400_000
    assert_books_balance()


def test_the_limit_of_a_cost_centre_over_many_keys_lends_to_exactly_twenty(people, at_once):
    for number in range(5):
        add_key(f"nvidia-{number}")
    limit(Agent.objects.get(pk="ada").cost_centre, 400_000)
    answers = at_once(lambda n: allocate(("ada", "bob")[n % 2], tokens=20_000), times=100)
    assert refused(answers, LimitReached, NoKeyCapacity) == 80
    assert Allocation.objects.count() == 20
    assert_books_balance()


def test_two_keys_that_fit_ten_each_lend_to_exactly_twenty(people, at_once):
    add_key("nvidia-1", per_day=200_000, priority=9)
    add_key("groq-1", per_day=200_000, provider="groq")
    answers = at_once(lambda _: allocate(tokens=20_000), times=60)
    assert refused(answers, NoKeyCapacity) == 40
    assert {
        key: Allocation.objects.filter(api_key=key).count() for key in ("nvidia-1", "groq-1")
    } == {
        "nvidia-1": 10,
        "groq-1": 10,
    }
    assert_books_balance()


def test_the_same_idempotency_key_fifty_times_is_one_allocation(people, at_once):
    add_key("nvidia-1")
    answers = at_once(lambda _: allocate(idempotency_key="once"), times=50)
    assert refused(answers) == 0
    assert {answer.pk for answer in answers} == {Allocation.objects.get().pk}
    assert_books_balance()


def test_a_repeated_request_is_not_refused_for_the_room_its_first_one_took(people, at_once):
    add_key("nvidia-1", per_day=20_000)
    limit(Agent.objects.get(pk="bob"), 20_000)
    answers = at_once(lambda _: allocate(tokens=20_000, idempotency_key="once"), times=50)
    assert refused(answers) == 0
    assert {answer.pk for answer in answers} == {Allocation.objects.get().pk}
    assert_books_balance()


def test_limits_that_change_in_a_storm_are_kept(people, at_once):
    api_key = add_key("nvidia-1", per_day=2_000_000)

    def allocate_or_change(number):
        if number % 10:
            return allocate(tokens=20_000)
        return limit(api_key, 200_000 + number * 1000)

    answers = at_once(allocate_or_change, times=100)
    refused(answers, NoKeyCapacity, Busy)
    window = Window.objects.get(closed_at=None)
    assert window.amount == Limit.objects.get().amount
    assert_books_balance()


def test_a_limit_added_during_allocations_counts_the_earlier_ones(people, at_once):
    add_key("nvidia-1", per_day=None)
    subjects = [ApiKey.objects.get(), *Agent.objects.all()]

    def allocate_or_add(number):
        if number % 10:
            return allocate(("ada", "bob", "carol")[number % 3], tokens=20_000)
        return limit(
            subjects[number // 10 % 4], 300_000, period=("day", "month")[number % 20 // 10]
        )

    refused(at_once(allocate_or_add, times=80), NoKeyCapacity, LimitReached, Busy)
    assert_books_balance()


def test_a_limit_lowered_while_an_allocation_waits_refuses_it(people):
    api_key = add_key("nvidia-1", per_day=100_000)
    with pytest.raises(NoKeyCapacity):
        overtaken(
            first=lambda: limited(api_key, 10_000),
            then=lambda: allocate(tokens=50_000),
        )
    assert not Allocation.objects.exists()
    assert_books_balance()
