"""Adjustments while the same session settles, rotates, ends and meets the next day."""

from datetime import timedelta

import pytest
from django.db.models import Sum

from keys import services as keys
from keys.models import Adjustment, Agent, Allocation, SettledUsage, Window
from keys.refusals import (
    AdjustmentRefused,
    AllocationClosed,
    ChargeNotSettled,
    RotationRefused,
    WrongValue,
)
from tests.books import assert_books_balance
from tests.keys.builders import (
    add_key,
    adjust,
    allocate,
    complete,
    hold,
    limit,
    report,
    rotate,
    settle,
)
from tests.moments import NOON
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def test_one_idempotency_key_twenty_times_is_one_adjustment(people, at_once):
    add_key("nvidia-1")
    charge = report(allocate(), 400)
    answers = at_once(lambda _: adjust(charge, 100, idempotency_key="invoice-7"), times=20)
    assert refused(answers) == 0
    assert {answer.pk for answer in answers} == {Adjustment.objects.get().pk}
    assert_books_balance()


def test_adjustments_of_one_charge_at_once_leave_one_of_their_figures(people, at_once):
    limit(add_key("nvidia-1"), 1_000_000, period="month")
    charge = report(allocate(), 400)
    assert refused(at_once(lambda n: adjust(charge, 100 + n), times=20)) == 0
    assert Allocation.objects.get().used - 100 in range(20)
    assert_books_balance()


def test_adjusting_settling_rotating_and_a_new_day_at_once_balance(people, at_once):
    for name in ("nvidia-1", "nvidia-2", "nvidia-3"):
        add_key(name)
    limit(Agent.objects.get(pk="ada"), 1_000_000)
    allocations = [allocate(tokens=20_000, ttl_seconds=500_000) for _ in range(2)]
    reported = [report(each, 300) for each in allocations for _ in range(2)]
    held = [hold(each, 500) for each in allocations for _ in range(2)]

    def one_of_six(number):
        now = NOON if number % 4 else NOON + DAY
        which = number // 6 % 4
        match number % 6:
            case 0:
                return settle(held[which], 200, now=now)
            case 1:
                return rotate(allocations[which % 2], now=now)
            case 2:
                return adjust(held[which], 100 + number, now=now)
            case 3 if number > 40:
                return complete(allocations[which % 2], now=now)
            case _:
                return adjust(reported[which], 100 + number, now=now)

    refused(
        at_once(one_of_six, times=48),
        AdjustmentRefused,
        AllocationClosed,
        ChargeNotSettled,
        RotationRefused,
        WrongValue,
    )
    keys.open_windows(now=NOON + DAY)
    assert Adjustment.objects.exists()
    used = SettledUsage.objects.aggregate(tokens=Sum("tokens"))["tokens"]
    per_agent = Window.objects.filter(scope="agent:ada").aggregate(used=Sum("used"))["used"]
    assert per_agent == used == sum(Allocation.objects.values_list("used", flat=True))
    assert_books_balance()
