"""Where a month lands: the run rate with the shape of the week, and a band."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from prediction.run_rate.landing import landing, landing_of_meter

TODAY, LAST = date(2026, 11, 18), date(2026, 11, 30)
DAY = timedelta(days=1)


def spent(days, cost, *, today=TODAY):
    """`cost(day)` on each of the `days` before today."""
    before = (today - number * DAY for number in range(1, days + 1))
    return {day: Decimal(cost(day)) for day in before}


def weekly(day):
    """30 a day, and 9 at a weekend."""
    return 9 if day.weekday() >= 5 else 30


def test_a_month_of_even_days_lands_at_the_sum_of_them():
    found = landing(spent(40, lambda day: 10), today=TODAY, last_day=LAST)
    assert found.cost == found.low == found.high == 300


def test_a_weekend_is_expected_to_cost_what_weekends_cost():
    found = landing(spent(56, weekly), today=TODAY, last_day=LAST)
    whole = [date(2026, 11, 1) + number * DAY for number in range(30)]
    assert abs(found.cost - sum(weekly(day) for day in whole)) < Decimal("0.000001")
    assert abs(found.rest[date(2026, 11, 22)] - 9) < Decimal("0.000001")


def test_what_is_spent_today_is_not_expected_again():
    history = spent(40, lambda day: 10)
    found = landing(history | {TODAY: Decimal(4)}, today=TODAY, last_day=LAST)
    assert found.rest[TODAY] == 6
    assert found.cost == 300


def test_a_day_that_costs_more_than_expected_raises_the_landing():
    history = spent(40, lambda day: 10)
    found = landing(history | {TODAY: Decimal(25)}, today=TODAY, last_day=LAST)
    assert found.rest[TODAY] == 0
    assert found.cost == 315


def test_the_band_is_wider_the_more_days_differ_and_never_below_what_is_spent():
    calm = landing(spent(56, lambda day: 10 + day.day % 2), today=TODAY, last_day=LAST)
    wild = landing(spent(56, lambda day: 20 * (day.day % 2)), today=TODAY, last_day=LAST)
    assert calm.low < calm.cost < calm.high
    assert wild.high - wild.low > 5 * (calm.high - calm.low)
    one_peak = spent(56, lambda day: 900 if day.day == 17 else 0)
    assert landing(one_peak, today=TODAY, last_day=LAST).low == 900


def test_four_weeks_decide_the_level():
    found = landing(
        spent(56, lambda day: 10 if (TODAY - day).days <= 28 else 1000), today=TODAY, last_day=LAST
    )
    assert found.cost == 300


def test_without_two_weeks_of_spend_there_is_no_landing():
    assert landing({}, today=TODAY, last_day=LAST) is None
    assert landing(spent(13, lambda day: 10), today=TODAY, last_day=LAST) is None
    assert landing(spent(14, lambda day: 10), today=TODAY, last_day=LAST)


def test_days_without_spend_count_from_the_first_day_with_some():
    sparse = {TODAY - 20 * DAY: Decimal(40)}
    found = landing(sparse, today=TODAY, last_day=LAST)
    assert found.cost > 0


def test_on_the_last_day_only_that_day_is_expected():
    found = landing(spent(40, lambda day: 10, today=LAST), today=LAST, last_day=LAST)
    assert found.rest == {LAST: 10}
    assert found.cost == 300


@dataclass
class Metered:
    """What a landing reads of a meter."""

    period: str
    resets_at: datetime
    used: Decimal = Decimal(0)
    unit: str = "usd"


def lands(period, resets_at, at, *, used=0, today=0, zone="UTC", usual=24):
    """Where a budget lands at the moment `at`, after weeks of days that cost `usual`."""
    zone = ZoneInfo(zone)
    day = at.astimezone(zone).date()
    history = spent(40, lambda _: usual, today=day) | {day: Decimal(today)}
    meter = Metered(period, resets_at, Decimal(used))
    return landing_of_meter(meter, history, zone=zone, now=at)


MIDNIGHT = datetime(2026, 11, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hour", "used", "cost"), [(0, 0, 24), (12, 20, 32), (18, 3, 9), (23, 30, 31)]
)
def test_a_day_lands_at_what_is_spent_and_the_hours_that_are_left(hour, used, cost):
    at = datetime(2026, 11, 18, hour, tzinfo=UTC)
    assert lands("day", MIDNIGHT, at, used=used, today=used).cost == cost


def test_a_day_of_another_zone_is_no_longer_than_a_day():
    # Of Tokyo, from 15:00 UTC on: nine hours of today and fifteen of tomorrow are to come.
    begins = datetime(2026, 11, 18, 15, tzinfo=UTC)
    found = lands("day", begins + DAY, begins, today=20)
    assert (found.cost, found.rest) == (24, {date(2026, 11, 18): 9, date(2026, 11, 19): 15})


def test_the_last_day_of_a_week_that_ends_within_it_counts_in_part():
    at = datetime(2026, 11, 18, 12, tzinfo=UTC)
    ends = datetime(2026, 11, 22, 6, tzinfo=UTC)
    # What is left of an expected day, three days and six hours of the last one.
    assert lands("week", ends, at, used=50, today=4).cost == 50 + 20 + 3 * 24 + 6


def test_a_day_on_which_the_clock_is_set_has_its_own_hours():
    at = datetime(2026, 10, 24, 22, tzinfo=UTC)
    ends = datetime(2026, 10, 25, 23, tzinfo=UTC)
    # Midnight in Berlin; the day has 25 hours.
    found = lands("day", ends, at, zone="Europe/Berlin", usual=25)
    assert found.cost == 25
    an_hour_later = lands("day", ends, at + timedelta(hours=1), zone="Europe/Berlin", usual=25)
    assert an_hour_later.cost == 24


def test_the_band_of_a_day_narrows_as_it_passes():
    def width(hour):
        at = datetime(2026, 11, 18, hour, tzinfo=UTC)
        history = spent(40, lambda day: 20 + 8 * (day.day % 2))
        meter = Metered("day", MIDNIGHT, Decimal(9))
        found = landing_of_meter(meter, history, zone=ZoneInfo("UTC"), now=at)
        return found.high - found.cost

    assert width(0) > width(12) > width(23) > 0
