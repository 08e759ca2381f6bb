"""Fifty rotations of one session, and what races with them."""

import pytest

from keys.models import Agent, Allocation, Rotation, Window
from keys.refusals import AllocationExhausted, RotationRefused
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, hold, limit, rotate, settle
from tests.threads import limited, overtaken, refused

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_rotations_of_a_session_are_one(people, at_once):
    for number in range(4):
        add_key(f"nvidia-{number}")
    allocation = allocate()
    answers = at_once(lambda _: rotate(allocation), times=50)
    assert refused(answers) == 0
    assert {answer.pk for answer in answers} == {Rotation.objects.get().pk}
    assert_books_balance()


def test_the_same_idempotency_key_fifty_times_is_one_rotation(people, at_once):
    for number in range(3):
        add_key(f"nvidia-{number}")
    allocation = allocate()
    answers = at_once(lambda _: rotate(allocation, "nvidia-2", idempotency_key="once"), times=50)
    assert refused(answers) == 0
    assert {answer.pk for answer in answers} == {Rotation.objects.get().pk}
    assert_books_balance()


def test_what_is_left_fits_the_other_key_exactly_as_often_as_it_has_room(people, at_once):
    add_key("nvidia-1", priority=9)
    allocations = [allocate(tokens=20_000) for _ in range(40)]
    add_key("nvidia-2", per_day=200_000)
    answers = at_once(lambda n: rotate(allocations[n]), times=40)
    assert refused(answers, RotationRefused) == 30
    assert Window.objects.get(scope="key:nvidia-2").committed == 200_000
    assert_books_balance()


def test_rotations_in_opposite_directions_never_deadlock(people, at_once):
    limit(Agent.objects.get(pk="ada"), 10_000_000)
    one, two = add_key("nvidia-1", priority=9), add_key("nvidia-2")
    allocations = [allocate(tokens=10_000) for _ in range(30)]
    for allocation in allocations[::2]:
        rotate(allocation, two.pk)
        allocation.refresh_from_db()

    def there_and_back(number):
        allocation = Allocation.objects.get(pk=allocations[number % 30].pk)
        return rotate(allocation, (one.pk, two.pk)[allocation.api_key_id == one.pk])

    refused(at_once(there_and_back, times=60), RotationRefused)
    assert_books_balance()


def test_holding_settling_and_rotating_between_prices_balances(people, at_once):
    limit(Agent.objects.get(pk="ada"), 1000, unit="usd")
    for name, rates in (("openai-1", PAID), ("nvidia-1", None), ("nvidia-2", None)):
        limit(add_key(name, **({"rates": rates} if rates else {})), 500, unit="usd", period="month")
    allocation = allocate(tokens=20_000)

    def one_of_three(number):
        if number % 3 == 0:
            return rotate(Allocation.objects.get())
        charge = hold(allocation, 300)
        return settle(charge, 200 + number) if number % 3 == 1 else charge

    refused(at_once(one_of_three, times=60), RotationRefused, AllocationExhausted)
    assert_books_balance()


def test_a_limit_set_while_a_rotation_waits_refuses_it(people):
    add_key("nvidia-1", priority=9)
    allocation = allocate(tokens=20_000)
    target = add_key("nvidia-2", per_day=None)
    with pytest.raises(RotationRefused):
        overtaken(
            first=lambda: limited(target, 10_000),
            then=lambda: rotate(allocation, "nvidia-2"),
        )
    assert_books_balance()
