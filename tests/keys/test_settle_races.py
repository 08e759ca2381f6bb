"""Many threads hold and settle the same things."""

import random

import pytest

from keys import services as keys
from keys.models import Agent, Allocation, Charge
from keys.refusals import AllocationClosed, AllocationExhausted, ChargeEnded
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, complete, hold, limit, refuse, settle
from tests.moments import NOON
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)


def test_holds_race_for_the_last_tokens_and_exactly_what_fits_gets_them(people, at_once):
    add_key("nvidia-1")
    allocation = allocate(tokens=20_000)
    answers = at_once(lambda _: hold(allocation, 1_000), times=100)
    assert refused(answers, AllocationExhausted) == 80
    assert Allocation.objects.get().held == 20_000
    assert_books_balance()


def test_the_same_idempotency_key_fifty_times_is_one_hold(people, at_once):
    add_key("nvidia-1")
    allocation = allocate(tokens=20_000)
    answers = at_once(lambda _: hold(allocation, 15_000, idempotency_key="once"), times=50)
    assert refused(answers) == 0
    assert {answer.pk for answer in answers} == {Charge.objects.get().pk}
    assert Allocation.objects.get().held == 15_000
    assert_books_balance()


def test_settling_releasing_and_expiring_a_charge_at_once_ends_it_once(people, at_once):
    add_key("nvidia-1")
    allocation = allocate(tokens=20_000)
    charge = hold(allocation, 1_000)
    late = charge.expires_at

    def end(number):
        if number % 3 == 0:
            return settle(charge, 700, now=late)
        if number % 3 == 1:
            return keys.release(charge=charge, now=late)
        return keys.expire_charges(now=late)

    answers = at_once(end, times=60)
    charge.refresh_from_db()
    # Who comes to settle what was released hears it.
    refusals = [answer for answer in answers if isinstance(answer, ChargeEnded)]
    assert len(refusals) in ((20,) if charge.status == "released" else (0,))
    ended = sum(answer for answer in answers if isinstance(answer, int))
    # An expired charge may be settled after that, never released.
    assert ended == 1 or (ended, charge.status) == (2, "settled")
    assert Allocation.objects.get().used == {"settled": 700}.get(charge.status, 0)
    assert Allocation.objects.get().held == 0
    assert_books_balance()


def test_batches_that_overlap_in_random_order_never_deadlock(people, at_once):
    limit(Agent.objects.get(pk="ada"), 10_000_000)
    limit(Agent.objects.get(pk="carol").cost_centre, 10_000_000, period="month")
    for number in range(4):
        add_key(f"nvidia-{number}", per_day=150_000)
    allocations = [allocate(("ada", "carol")[n % 2], tokens=20_000) for n in range(20)]
    charges = [hold(allocation, 1_000) for allocation in allocations for _ in range(6)]

    def settle_some(number):
        mine = random.Random(number).sample(charges, 40)
        usage = keys.Usage(input_tokens=900)
        return keys.settle_many([keys.Settlement(c, "settled", usage) for c in mine], now=NOON)

    answers = at_once(settle_some, times=40)
    assert refused(answers) == 0
    settled = Charge.objects.filter(status="settled").count()
    assert sum(answers) == settled
    assert_books_balance()


def test_everything_at_once_on_few_rows_never_deadlocks(people, at_once):
    few = [add_key(f"nvidia-{number}", per_day=400_000) for number in range(3)]
    limit(Agent.objects.get(pk="ada"), 10_000_000)
    allocations = [allocate(tokens=20_000) for _ in range(6)]
    charges = [hold(allocation, 1_000) for allocation in allocations for _ in range(6)]
    late = allocations[0].expires_at

    def settle_some(dice):
        usage = keys.Usage(input_tokens=3_000)
        endings = [keys.Settlement(charge, "settled", usage) for charge in dice.sample(charges, 9)]
        return keys.settle_many(endings, now=NOON)

    acts = [
        settle_some,
        settle_some,
        lambda dice: limit(dice.choice(few), dice.randrange(400_000, 900_000)),
        lambda dice: keys.open_windows(now=NOON),
        lambda dice: refuse(dice.choice(few).pk, "rate_limited"),
        lambda dice: keys.revive_keys(now=NOON),
        lambda dice: keys.rotate_stranded(now=NOON),
        lambda dice: complete(dice.choice(allocations)),
        lambda dice: keys.expire_allocations(now=late),
    ]
    answers = at_once(lambda n: acts[n % len(acts)](random.Random(n)), times=90)
    refused(answers, AllocationClosed)
    assert_books_balance()
