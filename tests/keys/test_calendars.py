"""Limits per hour, week, quarter and fiscal year, also while the calendar changes."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from keys import services as keys
from keys.books.queries.pages import budget_meters
from keys.models import Agent, Limit, Window
from keys.refusals import LimitReached, NoKeyCapacity
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, allocate, limit, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def ada():
    return Agent.objects.get(pk="ada")


def change(*, now=NOON, **calendar):
    return keys.change_organisation(actor=ACTOR, reason="we moved", now=now, **calendar)


def bounds_of_windows():
    return list(Window.objects.order_by("pk").values_list("starts_at", "ends_at"))


@pytest.mark.parametrize(
    ("period", "starts_at", "ends_at"),
    [
        ("hour", (2026, 3, 10, 12), (2026, 3, 10, 13)),
        ("week", (2026, 3, 9), (2026, 3, 16)),
        ("quarter", (2026, 1, 1), (2026, 4, 1)),
        ("year", (2026, 1, 1), (2027, 1, 1)),
    ],
)
def test_a_limit_of_each_period_holds_and_begins_again(people, period, starts_at, ends_at):
    add_key("nvidia-1", per_day=None)
    limit(ada(), 10_000, period=period)
    report(allocate(tokens=8_000), 8_000)
    with pytest.raises(LimitReached) as refusal:
        allocate(tokens=8_000)
    assert f"per {period}" in str(refusal.value.detail) or period in repr(refusal.value)
    assert bounds_of_windows() == [(utc(*starts_at), utc(*ends_at))]
    assert allocate(tokens=8_000, now=utc(*ends_at))
    assert [window.used for window in Window.objects.order_by("pk")] == [8_000, 0]
    assert_books_balance()


def test_several_limits_count_at_once_and_the_tightest_holds(people):
    """O43."""
    add_key("nvidia-1", per_day=None)
    for period, amount in (("hour", 1_000), ("week", 1_500), ("year", 9_000)):
        limit(ada(), amount, period=period)
    report(allocate(tokens=1_000), 1_000)
    with pytest.raises(LimitReached):
        allocate(tokens=600)
    an_hour_later = NOON + timedelta(hours=1)
    report(allocate(tokens=500, now=an_hour_later), 500, now=an_hour_later)
    with pytest.raises(LimitReached):
        allocate(tokens=100, now=an_hour_later)
    assert {*Window.objects.values_list("limit__period", "used")} == {
        *{("hour", 1_000), ("hour", 500), ("week", 1_500), ("year", 1_500)}
    }
    assert_books_balance()


def test_a_key_with_limits_in_three_zones_is_lent_within_all_of_them(people):
    """O43."""
    api_key = add_key("openai-1", per_day=None, rates=PAID)
    limit(api_key, 60_000, zone="America/Havana")
    limit(api_key, "0.75", unit="usd", period="month", zone="Pacific/Chatham")
    limit(api_key, 40_000, period="hour", zone="Asia/Kathmandu")

    def lent(now):
        found = 0
        with pytest.raises(NoKeyCapacity):
            for _ in range(8):
                report(allocate(tokens=10_000, now=now), 0, now=now, output_tokens=10_000)
                found += 1
        return found

    # The hour, the month in USD at 0.15 each, and nothing before the month ends.
    moments = [NOON, utc(2026, 3, 10, 12, 14), utc(2026, 3, 10, 12, 15), utc(2026, 3, 30, 10)]
    assert [lent(now) for now in moments] == [4, 0, 1, 0]
    assert lent(utc(2026, 3, 31, 10, 15)) == 4
    assert_books_balance()


def test_an_open_week_keeps_its_end_and_the_next_follows_the_new_calendar(people):
    limit(ada(), 10_000, period="week")
    change(week_starts=6)
    assert bounds_of_windows() == [(utc(2026, 3, 9), utc(2026, 3, 16))]
    keys.open_windows(now=utc(2026, 3, 16, 9))
    keys.open_windows(now=utc(2026, 3, 22))
    assert bounds_of_windows() == [
        (utc(2026, 3, 9), utc(2026, 3, 16)),
        (utc(2026, 3, 16), utc(2026, 3, 22)),
        (utc(2026, 3, 22), utc(2026, 3, 29)),
    ]
    assert_books_balance()


def test_an_open_fiscal_year_keeps_its_end_and_the_next_is_a_short_one(people):
    limit(ada(), 10_000, period="year")
    limit(ada(), 10_000, period="quarter")
    change(fiscal_year_starts=2)
    keys.open_windows(now=utc(2026, 4, 1))
    keys.open_windows(now=utc(2027, 1, 1))
    years = Window.objects.filter(limit__period="year").order_by("pk")
    assert list(years.values_list("starts_at", "ends_at")) == [
        (utc(2026, 1, 1), utc(2027, 1, 1)),
        (utc(2027, 1, 1), utc(2027, 2, 1)),
    ]
    quarters = Window.objects.filter(limit__period="quarter").order_by("pk")
    assert list(quarters.values_list("starts_at", "ends_at"))[:2] == [
        (utc(2026, 1, 1), utc(2026, 4, 1)),
        (utc(2026, 4, 1), utc(2026, 5, 1)),
    ]
    assert_books_balance()


def test_the_meter_of_a_window_that_nothing_has_opened_yet_is_the_one_that_will_be(people):
    limit(ada(), 10_000, period="week")
    change(week_starts=6)
    now = utc(2026, 3, 17)
    [meter] = budget_meters(Window.objects.all(), now=now)
    assert (meter.starts_at, meter.resets_at) == (utc(2026, 3, 16), utc(2026, 3, 22))
    keys.open_windows(now=now)
    [opened] = budget_meters(Window.objects.all(), now=now)
    assert (opened.starts_at, opened.resets_at) == (meter.starts_at, meter.resets_at)


def test_meters_take_one_query_also_when_their_period_is_over(people, django_assert_num_queries):
    for period in ("day", "month", "week", "year"):
        limit(ada(), 10_000, period=period)
    for now in (NOON, NOON + timedelta(days=400)):
        with django_assert_num_queries(1):
            budget_meters(Window.objects.all(), now=now)


def test_windows_of_days_and_months_open_without_the_calendar(people):
    limit(ada(), 10_000, period="month")
    with CaptureQueriesContext(connection) as queries:
        keys.open_windows(now=NOON + timedelta(days=60))
    read = [each for each in queries.captured_queries if "week_starts" in each["sql"]]
    # The thresholds of the organisation are read, with its row.
    assert len(read) == 1


def test_the_database_keeps_limits_per_hour_on_the_hour(people):
    limit(ada(), 10_000, period="hour")
    with pytest.raises(IntegrityError, match="on_the_hour"), transaction.atomic():
        Limit.objects.update(reset_hour=3)
