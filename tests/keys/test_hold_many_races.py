"""Batches of holds from many connections, against everything else that locks the same rows."""

import random
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from common.refusal import Refusal
from keys import services as keys
from keys.models import Agent, Allocation, Charge, RateLease
from keys.refusals import AllocationClosed, HeldBefore, RotationRefused
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, complete, limit, refuse, rotate
from tests.moments import NOON
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)


def wanted(allocation, least, most, key):
    """A hold asked for."""
    return keys.HoldRequest(allocation.pk, least, most, key)


def given(answers):
    """Everything that was held, of many batches."""
    return [answer for batch in answers for answer in batch if isinstance(answer, keys.HoldResult)]


def test_200_threads_hold_what_there_is_and_not_one_token_more(people, at_once):
    add_key("key-1", rates=PAID, per_day=10_000_000)
    lent = [allocate(tokens=10_000) for _ in range(3)]

    def hold_some(number):
        dice = random.Random(number)
        asked = [
            wanted(dice.choice(lent), 10, dice.choice([10, 100, 1_000]), f"{number}-{n}")
            for n in range(dice.randrange(1, 6))
        ]
        return keys.hold_many(asked, now=NOON)

    answers = at_once(hold_some, times=200)
    assert refused(answers) == 0
    held = Counter()
    for one in given(answers):
        held[one.allocation_id] += one.tokens
    for allocation in Allocation.objects.all():
        assert allocation.held == held[allocation.pk] <= 10_000
        # Somebody was refused, so less than the least that was asked for is left.
        assert allocation.left < 10
    assert_books_balance()


def test_one_idempotency_key_in_many_batches_of_many_threads_is_one_charge(people, at_once):
    add_key("key-1")
    lent = allocate(tokens=100_000)

    def hold_all(number):
        names = [f"call-{n}" for n in range(8)] * 2
        random.Random(number).shuffle(names)
        return keys.hold_many([wanted(lent, 50, 50, name) for name in names], now=NOON)

    answers = at_once(hold_all, times=40)
    assert refused(answers) == 0
    assert len(given(answers)) == len({one.pk for one in given(answers)}) == 8
    rest = [a for batch in answers for a in batch if isinstance(a, Refusal)]
    assert {type(refusal) for refusal in rest} == {HeldBefore}
    assert Charge.objects.count() == 8
    assert_books_balance()


@pytest.mark.parametrize("terms", [{"requests_per_minute": 20}, {"tokens_per_minute": 2_000}])
def test_20_places_in_a_minute_are_given_20_times(people, at_once, terms):
    add_key("key-1", **terms)
    lent = [allocate(tokens=100_000) for _ in range(2)]

    def hold_two(number, now):
        asked = [wanted(one, 100, 100, f"{now}-{number}") for one in lent]
        return keys.hold_many(asked, now=now)

    for minute in range(2):
        now = NOON + timedelta(minutes=minute)
        answers = at_once(partial(hold_two, now=now), times=50)
        assert refused(answers) == 0
        assert len(given(answers)) == 20
        assert keys.forget_leases(now=now) == 20 * minute
    assert RateLease.objects.count() == 20
    assert_books_balance()


def test_holds_settlements_rotations_and_closings_at_once_never_deadlock(people, at_once):
    limit(Agent.objects.get(pk="ada"), 10_000_000)
    for number in range(3):
        add_key(f"key-{number}", per_day=2_000_000, requests_per_minute=100 * number or None)
    lent = [allocate(tokens=50_000) for _ in range(8)]
    first = keys.hold_many(
        [wanted(a, 500, 500, f"first-{n}") for n, a in enumerate(lent)], now=NOON
    )

    def hold_some(dice):
        some = dice.sample(lent, 5)
        return keys.hold_many([wanted(a, 10, 900, str(dice.random())) for a in some], now=NOON)

    def settle_some(dice):
        usage = keys.Usage(input_tokens=400)
        some = [one for one in [*first, *hold_some(dice)] if isinstance(one, keys.HoldResult)]
        return keys.settle_many([keys.Settlement(one, "settled", usage) for one in some], now=NOON)

    def extend(dice):
        keys.extend_holds([one.pk for one in first], ttl_seconds=600, now=NOON)

    acts = [
        hold_some,
        hold_some,
        settle_some,
        settle_some,
        extend,
        lambda dice: rotate(dice.choice(lent)),
        lambda dice: complete(dice.choice(lent)),
        lambda dice: refuse("key-1", dice.choice(["rate_limited", "doubtful"])),
        lambda dice: keys.expire_charges(now=NOON + timedelta(minutes=9)),
        lambda dice: keys.forget_leases(now=NOON + timedelta(minutes=2)),
    ]
    answers = at_once(lambda n: acts[n % len(acts)](random.Random(n)), times=120)
    refused(answers, AllocationClosed, RotationRefused)
    assert_books_balance()
