"""Settlements of the same slices at once, and the job of days beside them."""

import random
from datetime import timedelta

import pytest

from keys import services as keys
from keys.books.queries.spend import SpendFilter, spend_total
from keys.models import StaleUsage, UsageDay, UsageSlice
from tests.books import assert_books_balance
from tests.keys.builders import add_key, adjust, allocate, hold, report, settle
from tests.moments import NOON
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def test_batches_that_settle_in_the_same_slices_wait_for_each_other_and_never_deadlock(
    people, at_once
):
    """Without limits and on allocations of their own, the slices are all that they share."""
    for slug in ("nvidia-1", "openai-1", "groq-1", "mistral-1"):
        add_key(slug, provider=slug, per_day=None)
    batches = []
    for _ in range(12):
        lent = [
            allocate(agent, provider=provider, tokens=10_000)
            for agent in ("ada", "carol")
            for provider in ("nvidia-1", "openai-1", "groq-1", "mistral-1")
        ]
        batch = [hold(allocation, 10) for allocation in lent for _ in range(3)]
        random.shuffle(batch)
        batches.append(batch)

    def settle_batch(number):
        usage = keys.Usage(input_tokens=7)
        endings = [keys.Settlement(charge, "settled", usage) for charge in batches[number]]
        return keys.settle_many(endings, now=NOON)

    assert at_once(settle_batch, times=12) == [24] * 12
    assert UsageSlice.objects.count() == 8
    assert spend_total(SpendFilter(NOON, NOON + HOUR)).tokens == 12 * 24 * 7
    assert_books_balance()


def test_the_job_of_days_beside_late_changes_loses_none(people, at_once):
    add_key("nvidia-1")
    session = allocate(tokens=100_000)
    charges = [report(session, 100, now=NOON + number * HOUR) for number in range(20)]
    held = [hold(session, 100) for _ in range(20)]
    whole = SpendFilter(NOON - 12 * HOUR, NOON + 36 * HOUR)

    def work(number):
        if number % 3 == 0:
            return keys.roll_up_usage()
        if number % 3 == 1:
            return adjust(charges[number // 3], 90)
        return settle(held[number // 3], 80, now=NOON + 20 * HOUR)

    assert refused(at_once(work, times=60)) == 0
    expected = 20 * 90 + 20 * 80
    assert spend_total(whole).tokens == expected
    assert_books_balance()
    keys.roll_up_usage()
    assert StaleUsage.objects.count() == 0
    assert sum(UsageDay.objects.values_list("tokens", flat=True)) == expected
    assert_books_balance()
