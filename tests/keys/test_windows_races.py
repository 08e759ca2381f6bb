"""A new day begins while threads commit and settle: all of them use the new window."""

from datetime import timedelta

import pytest

from keys import services as keys
from keys.limits.services import windows
from keys.models import Agent, Window
from keys.refusals import LimitReached, RotationRefused
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import add_key, allocate, limit, report
from tests.moments import NOON
from tests.threads import overtaken, refused

pytestmark = pytest.mark.django_db(transaction=True)

MIDNIGHT = NOON + timedelta(hours=12)
BEFORE = MIDNIGHT - timedelta(seconds=1)
AFTER = MIDNIGHT + timedelta(seconds=1)


def turn():
    """Open the windows of the new day, in the transaction of the caller."""
    windows.take_books_alone()
    assert windows.roll_over(Window.objects.all(), now=AFTER) > 0


def open_window(scope):
    """The open window of a scope with one limit."""
    return Window.objects.get(scope=scope, closed_at=None)


def test_fifty_at_midnight_open_one_window(people, at_once):
    add_key("nvidia-1")
    answers = at_once(lambda _: keys.open_windows(now=AFTER), times=50)
    assert sum(answers) == 1
    assert Window.objects.count() == 2
    assert_books_balance()


def test_fifty_at_the_turn_of_the_hour_open_one_window_of_each_limit(people, at_once):
    add_key("nvidia-1", per_day=None)
    for period in ("hour", "day", "week"):
        limit(Agent.objects.get(pk="ada"), 10_000_000, period=period)
    turn_at = NOON + timedelta(hours=1)
    allocate(now=NOON)
    assert refused(at_once(lambda _: allocate(now=turn_at), times=50)) == 0
    windows_of_hours = Window.objects.filter(limit__period="hour")
    assert windows_of_hours.count() == 2
    assert Window.objects.count() == 4
    assert {*Window.objects.filter(closed_at=None).values_list("committed", flat=True)} == {51_000}
    assert_books_balance()


def test_fifty_at_midnight_carry_over_once(people, at_once):
    add_key("nvidia-1", per_day=None)
    ada = Agent.objects.get(pk="ada")
    limit(ada, 10_000, carry_over_max=9_000)
    allocation = allocate(tokens=5_000, now=BEFORE)
    report(allocation, 2_000, now=BEFORE)
    # Of 10,000 tokens, 2,000 are used and 3,000 committed.
    answers = at_once(lambda _: allocate(tokens=300, now=AFTER), times=50)
    assert refused(answers, LimitReached) == 10
    window = open_window("agent:ada")
    assert (window.carried, window.amount, window.committed) == (5_000, 15_000, 15_000)
    assert Window.objects.count() == 2
    assert_books_balance()


def test_a_limit_lowered_while_its_window_turns_keeps_what_is_carried_over(people):
    add_key("nvidia-1", per_day=None)
    ada = Agent.objects.get(pk="ada")
    limit(ada, 10_000, carry_over_max=9_000)
    overtaken(first=turn, then=lambda: limit(ada, 4_000, now=AFTER))
    assert (open_window("agent:ada").amount, open_window("agent:ada").carried) == (13_000, 9_000)
    assert_books_balance()


def test_a_refusal_that_waited_for_the_new_window_knows_what_was_carried_over(people):
    add_key("nvidia-1", per_day=None)
    limit(Agent.objects.get(pk="ada"), 10_000, carry_over_max=9_000)
    with pytest.raises(LimitReached) as refusal:
        overtaken(first=turn, then=lambda: allocate(tokens=19_001, now=AFTER))
    assert [window.carried for window in refusal.value.windows] == [9_000]
    assert_books_balance()


def test_fifty_allocations_at_midnight_are_all_in_the_new_windows(people, at_once):
    limit(add_key("nvidia-1"), 10_000_000, period="month")
    limit(Agent.objects.get(pk="ada"), 10_000_000)
    allocate(now=BEFORE)
    assert refused(at_once(lambda _: allocate(now=AFTER), times=50)) == 0
    assert Window.objects.filter(starts_at=MIDNIGHT).count() == 2
    assert open_window("agent:ada").committed == 51_000
    assert_books_balance()


def test_an_allocation_that_waited_for_the_new_window_is_committed_in_it(people):
    add_key("nvidia-1")
    overtaken(first=turn, then=lambda: allocate(now=AFTER))
    assert open_window("key:nvidia-1").committed == 1000
    assert_books_balance()


def test_an_allocation_that_waited_for_the_new_window_must_fit_into_it(people):
    limit(Agent.objects.get(pk="ada"), 20_000)
    add_key("nvidia-1", per_day=20_000)
    allocate(tokens=15_000, now=BEFORE)
    with pytest.raises(LimitReached):
        overtaken(first=turn, then=lambda: allocate(tokens=15_000, now=AFTER))
    assert_books_balance()


def test_usage_that_waited_for_the_new_window_is_used_in_it(people):
    add_key("nvidia-1")
    allocation = allocate(now=BEFORE)
    charge = overtaken(first=turn, then=lambda: report(allocation, 10, now=BEFORE))
    assert charge.settled_at == MIDNIGHT
    assert open_window("key:nvidia-1").used == 10
    assert_books_balance()


def test_a_rotation_that_waited_for_the_new_window_finds_it_full(people):
    add_key("nvidia-1", priority=9)
    add_key("nvidia-2", per_day=20_000)
    allocation = allocate(tokens=15_000, now=BEFORE)
    assert allocate("bob", tokens=15_000, now=BEFORE, provider="nvidia").api_key_id == "nvidia-1"
    keys.rotate(allocation=allocation, key="nvidia-2", reason="", actor=ACTOR, now=BEFORE)
    other = allocate("carol", tokens=15_000, now=BEFORE)
    with pytest.raises(RotationRefused):
        overtaken(
            first=turn,
            then=lambda: keys.rotate(
                allocation=other, key="nvidia-2", reason="", actor=ACTOR, now=AFTER
            ),
        )
    assert_books_balance()


def test_a_limit_changed_while_its_window_turns_holds_for_the_new_window(people):
    api_key = add_key("nvidia-1", per_day=50_000)
    overtaken(first=turn, then=lambda: limit(api_key, 70_000, now=AFTER))
    assert open_window("key:nvidia-1").amount == 70_000
    assert_books_balance()


def test_a_calendar_changed_while_its_window_turns_has_one_open_window(people):
    api_key = add_key("nvidia-1", per_day=50_000)
    overtaken(first=turn, then=lambda: limit(api_key, 50_000, zone="Asia/Tokyo", now=AFTER))
    assert open_window("key:nvidia-1").starts_at == MIDNIGHT - timedelta(hours=9)
    assert_books_balance()


def test_a_limit_removed_while_its_window_turns_has_no_open_window(people):
    limit_ = limit(add_key("nvidia-1", per_day=None), 50_000)
    overtaken(
        first=turn,
        then=lambda: keys.remove_limit(limit_, reason="test", actor=ACTOR, now=AFTER),
    )
    assert not Window.objects.filter(closed_at=None).exists()
    assert_books_balance()
