"""Days of usage, made from slices."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from keys import services as keys
from keys.books.queries.spend import SpendFilter, spend_by, spend_over_time, spend_total
from keys.models import Organisation, StaleUsage, UsageDay, UsageRollup, UsageSlice
from tests.books import assert_books_balance
from tests.keys.builders import PAID, add_key, adjust, allocate, report
from tests.moments import NOON

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def in_zone(name):
    """Days of the zone."""
    Organisation.objects.update_or_create(pk=1, defaults={"reporting_zone": name})


def between(first, last, zone):
    """The filter of whole days of a zone."""
    since = datetime.combine(first, datetime.min.time(), ZoneInfo(zone))
    until = datetime.combine(last + DAY, datetime.min.time(), ZoneInfo(zone))
    return SpendFilter(since, until)


@pytest.fixture
def session(people):
    add_key("openai-1", rates=PAID, provider="openai", per_day=None)
    return allocate("ada", tokens=100_000)


def test_days_have_what_their_slices_have(session):
    report(session, 100)
    report(session, 10, now=NOON + DAY)
    assert keys.roll_up_usage() > 1
    assert [(day.day, day.tokens) for day in UsageDay.objects.order_by("day")] == [
        (date(2026, 3, 10), 100),
        (date(2026, 3, 11), 10),
    ]
    assert keys.roll_up_usage() == 0
    assert_books_balance()


def test_pages_read_days_where_they_are_made(session):
    """O66."""
    report(session, 100)
    keys.roll_up_usage()
    # Nothing in the books does this: it shows which rows are read.
    UsageDay.objects.update(tokens=1)
    whole = between(date(2026, 3, 9), date(2026, 3, 11), "UTC")
    assert spend_total(whole).tokens == 1
    assert spend_by(whole, by="agent")[0].spend.tokens == 1
    (day,) = spend_over_time(whole, step="day", zone=ZoneInfo("UTC"))
    assert (day.starts, day.spend.tokens) == (date(2026, 3, 10), 1)
    # Slices: a part of the day, quarters, days of another zone, labels.
    assert spend_total(whole._replace(since=NOON)).tokens == 100
    assert spend_total(whole._replace(labels=("",))).tokens == 100
    assert spend_by(whole, by="label")[0].spend.tokens == 100
    for step, zone in (("quarter", "UTC"), ("hour", "UTC"), ("day", "Asia/Kathmandu")):
        (period,) = spend_over_time(whole, step=step, zone=ZoneInfo(zone))
        assert period.spend.tokens == 100


def test_a_late_change_of_a_day_counts_at_once(session):
    charge = report(session, 100)
    report(session, 10, now=NOON + DAY)
    keys.roll_up_usage()
    adjust(charge, 60)
    whole = between(date(2026, 3, 10), date(2026, 3, 11), "UTC")
    assert StaleUsage.objects.count() == 1
    assert spend_total(whole).tokens == 70
    assert_books_balance()
    assert keys.roll_up_usage() == 1
    assert StaleUsage.objects.count() == 0
    assert UsageDay.objects.get(day=date(2026, 3, 10)).tokens == 60
    assert spend_total(whole).tokens == 70
    assert_books_balance()


def test_in_another_zone_all_days_are_made_again(session):
    report(session, 100, now=datetime(2026, 3, 10, 23, 40, tzinfo=NOON.tzinfo))
    keys.roll_up_usage()
    in_zone("Europe/Berlin")
    berlin = between(date(2026, 3, 11), date(2026, 3, 11), "Europe/Berlin")
    assert spend_total(berlin).tokens == 100
    keys.roll_up_usage()
    assert [day.day for day in UsageDay.objects.all()] == [date(2026, 3, 11)]
    assert UsageRollup.objects.get().zone == "Europe/Berlin"
    assert spend_total(berlin).tokens == 100
    assert_books_balance()


def test_a_day_is_made_an_hour_after_its_end(session):
    with connection.cursor() as cursor:
        cursor.execute("SELECT (clock_timestamp() - interval '1 hour')::date - 1")
        (last,) = cursor.fetchone()
    keys.roll_up_usage()
    assert UsageRollup.objects.get().through in (last, last + DAY)


def test_an_empty_installation(people):
    keys.roll_up_usage()
    assert (UsageDay.objects.count(), UsageSlice.objects.count()) == (0, 0)
    assert spend_total(between(date(2026, 3, 1), date(2026, 3, 31), "UTC")).cost == Decimal(0)
    assert_books_balance()
