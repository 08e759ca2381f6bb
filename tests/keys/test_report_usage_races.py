"""Two hundred reports at once."""

import pytest

from alerts.models import Alert
from keys.models import Agent, Allocation, Charge, Rotation, Window
from keys.refusals import AllocationClosed, RotationRefused
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, complete, limit, report, rotate
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)


def alerts_of(allocation):
    """The kinds of its alerts, sorted."""
    found = Alert.objects.filter(session_id=allocation.session_id)
    return sorted(found.values_list("kind", flat=True))


def test_two_hundred_reports_over_the_threshold_raise_one_alert(people, at_once):
    add_key("nvidia-1")
    allocation = allocate(tokens=20_000, auto_rotate=False)
    assert refused(at_once(lambda _: report(allocation, 80), times=200)) == 0
    assert alerts_of(allocation) == ["rotation_needed"]
    assert Allocation.objects.get().used == 16_000
    assert_books_balance()


def test_reports_where_nothing_is_limited_are_all_counted(people, at_once):
    add_key("nvidia-1", per_day=None)
    allocation = allocate(tokens=20_000, auto_rotate=False)
    assert refused(at_once(lambda _: report(allocation, 160), times=100)) == 0
    assert alerts_of(allocation) == ["rotation_needed"]
    assert Allocation.objects.get().used == 16_000
    assert_books_balance()


def test_two_hundred_reports_past_the_end_raise_one_of_each(people, at_once):
    limit(add_key("nvidia-1", per_day=None), 20_000)
    limit(Agent.objects.get(pk="ada"), 20_000)
    allocation = allocate(tokens=20_000, auto_rotate=False)
    assert refused(at_once(lambda _: report(allocation, 150), times=200)) == 0
    assert alerts_of(allocation) == ["exhausted", "rotation_needed"]
    assert Alert.objects.filter(kind="key_exhausted").count() == 1
    allocation.refresh_from_db()
    assert (allocation.used, allocation.status, allocation.overrun) == (30_000, "exhausted", True)
    assert Window.objects.filter(used=30_000, committed=0).count() == 2
    assert_books_balance()


def test_two_hundred_reports_over_the_threshold_rotate_once(people, at_once):
    for name in ("nvidia-1", "nvidia-2", "nvidia-3"):
        add_key(name)
    allocation = allocate(tokens=20_000)
    assert refused(at_once(lambda _: report(allocation, 80), times=200)) == 0
    assert Rotation.objects.count() == 1
    assert_books_balance()


def test_the_same_idempotency_key_fifty_times_is_one_charge(people, at_once):
    add_key("nvidia-1")
    allocation = allocate(tokens=20_000)
    answers = at_once(lambda _: report(allocation, 80, idempotency_key="once"), times=50)
    assert refused(answers) == 0
    assert {answer.pk for answer in answers} == {Charge.objects.get().pk}
    assert Allocation.objects.get().used == 80
    assert_books_balance()


def test_completing_reporting_and_rotating_one_session_at_once_loses_no_usage(people, at_once):
    for name in ("nvidia-1", "nvidia-2", "nvidia-3"):
        add_key(name)
    allocation = allocate(tokens=20_000)

    def one_of_three(number):
        if number % 10 == 0:
            return complete(allocation)
        if number % 10 == 1:
            return rotate(allocation)
        return report(allocation, 100)

    refused(at_once(one_of_three, times=50), AllocationClosed, RotationRefused)
    allocation.refresh_from_db()
    assert (allocation.used, allocation.status) == (4_000, "completed")
    assert not Window.objects.exclude(committed=0).exists()
    assert_books_balance()
