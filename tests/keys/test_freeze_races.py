"""After a freeze has committed nothing is held for its scope, however many run at once."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from keys import services as keys
from keys.models import Allocation, Charge
from keys.refusals import AllocationClosed, Frozen, RotationRefused, StoppedByFreeze
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, complete, rotate
from tests.moments import NOON
from tests.threads import is_waiting, overtaken, refused, run_and_close, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
every_scope = pytest.mark.parametrize(
    "scope", ["key:key-1", "provider:nvidia", "agent:ada", "centre:org", "all"]
)
# One hold goes another way than several.
single_and_batch = pytest.mark.parametrize("times", [1, 3])


@pytest.fixture
def lent(people):
    """A session of ada's on the only key."""
    add_key("key-1", rates=PAID, per_day=None)
    return allocate(tokens=100_000)


def freeze(scope):
    """Freeze a scope; returns the charges that were held until then."""
    keys.freeze(scope, reason="race", actor=ACTOR, now=NOON)
    return set(Charge.objects.values_list("pk", flat=True))


def hold(*lent, times=1, dice=random):
    """Hold for these sessions in one batch."""
    wanted = [
        keys.HoldRequest(one.pk, 10, 10, f"{dice.random()}", fresh=True)
        for one in lent
        for _ in range(times)
    ]
    return keys.hold_many(wanted, now=NOON)


@every_scope
@single_and_batch
def test_a_hold_that_waits_for_its_allocation_sees_what_is_frozen_meanwhile(lent, scope, times):
    with ThreadPoolExecutor(2) as threads:
        with transaction.atomic():
            Allocation.objects.select_for_update().get(pk=lent.pk)
            held = threads.submit(run_and_close, lambda: hold(lent, times=times))
            wait_until(is_waiting)
            threads.submit(run_and_close, lambda: freeze(scope)).result(timeout=60)
        answers = held.result(timeout=60)
    assert all(isinstance(answer, StoppedByFreeze) for answer in answers)
    assert not Charge.objects.exists()


@single_and_batch
def test_a_freeze_waits_for_holds_that_did_not_see_it(lent, times):
    charges = overtaken(first=lambda: hold(lent, times=times), then=lambda: freeze("all"))
    assert len(charges) == times


@single_and_batch
def test_a_hold_waits_for_a_freeze_that_commits(lent, times):
    def commit_freeze():
        keys.freeze.__wrapped__("all", reason="race", actor=ACTOR, now=NOON)

    answers = overtaken(first=commit_freeze, then=lambda: hold(lent, times=times))
    assert {type(answer) for answer in answers} == {Frozen}


@every_scope
def test_no_hold_comes_after_a_freeze_that_races_with_everything_else(people, at_once, scope):
    add_key("key-1", per_day=None)
    lent = [allocate(tokens=50_000) for _ in range(6)]
    for number in (2, 3):
        add_key(f"key-{number}", provider="openai", per_day=None)

    def settle_some(dice):
        held = [one for one in hold(*lent[:2], dice=dice) if isinstance(one, keys.HoldResult)]
        usage = keys.Usage(input_tokens=5)
        keys.settle_many([keys.Settlement(one, "settled", usage) for one in held], now=NOON)

    acts = [
        lambda dice: hold(*dice.sample(lent, 3), dice=dice),
        lambda dice: hold(dice.choice(lent), dice=dice),
        lambda dice: hold(allocate(tokens=1_000, provider="nvidia"), dice=dice),
        lambda dice: rotate(dice.choice(lent)),
        lambda dice: complete(lent[0]),
        settle_some,
    ]

    def act(number):
        dice = random.Random(number)
        return acts[number % len(acts)](dice) if number else freeze(scope)

    answers = at_once(act, times=61)
    refused(answers, AllocationClosed, Frozen, RotationRefused)
    later = Charge.objects.exclude(pk__in=answers[0])
    if scope in ("key:key-1", "provider:nvidia"):
        later = later.filter(api_key="key-1")
    assert not later.exists()
    assert_books_balance()
