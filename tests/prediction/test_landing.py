"""Where a month lands: the run rate with the shape of the week, and a band."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prediction.run_rate.landing import landing, landing_of_meter
from prediction.run_rate.trend import NO_TREND, trend

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


def random_days(seed, change=1.0, changed=12, growth=1.0):
    """Eight weeks with weekends and chance, and what the twelve days from today on cost; the last
    `changed` days and those to come cost `change` times as much, and each `growth` times as much
    as the one before."""
    dice = np.random.default_rng(seed)
    days = [TODAY + number * DAY for number in range(-56, 12)]
    cost = [
        weekly(day)
        * dice.lognormal(0, 0.3)
        * (change if (TODAY - day).days <= changed else 1)
        * growth ** (day - TODAY).days
        for day in days
    ]
    known = {day: Decimal(f"{each:.2f}") for day, each in zip(days[:56], cost, strict=False)}
    return known, sum(cost[56:])


def rest_of(seed, **changes):
    """The low end, the middle and the high end of what is still to come, and what came."""
    known, came = random_days(seed, **changes)
    found = landing(known, today=TODAY, last_day=LAST - DAY, so_far=Decimal(0))
    return float(found.low), float(found.cost), float(found.high), came


def test_after_a_change_the_last_week_decides_the_level():
    for change in (0.25, 4.0):
        ends = [rest_of(seed, change=change) for seed in range(40)]
        assert np.median([cost / came for _, cost, _, came in ends]) == pytest.approx(1, abs=0.1)
    # For chance alone, four weeks go on to decide.
    known, _ = random_days(3)
    weeks = sum(known[TODAY - number * DAY] for number in range(1, 29)) / 28
    found = landing(known, today=TODAY, last_day=TODAY + 6 * DAY, so_far=Decimal(0))
    assert found.cost == pytest.approx(7 * weeks, rel=Decimal("1e-9"))


@pytest.mark.parametrize(
    ("changes", "least", "most"),
    [
        ({}, 0.78, 0.92),
        ({"change": 3.0}, 0.8, 1.0),
        ({"growth": 1.02}, 0.78, 0.95),
        ({"growth": 1 / 1.02}, 0.78, 0.95),
    ],
)
def test_four_of_five_months_land_within_the_band(changes, least, most):
    ends = [rest_of(seed, **changes) for seed in range(200)]
    covered = np.mean([low <= came <= high for low, _, high, came in ends])
    assert least <= covered <= most


def test_growth_goes_on_for_a_while_and_what_may_be_chance_does_not():
    grown = landing(
        spent(56, lambda day: 100 * 1.02 ** (day - TODAY).days), today=TODAY, last_day=LAST
    )
    assert float(grown.rest[TODAY]) == pytest.approx(100, rel=0.01)
    assert float(grown.rest[LAST]) == pytest.approx(100 * 1.02**12, rel=0.03)
    far = landing(
        {TODAY - DAY * n: Decimal(100) / Decimal("1.02") ** n for n in range(1, 57)},
        today=TODAY,
        last_day=TODAY + 365 * DAY,
        so_far=Decimal(0),
    )
    # It does not double each month for a year.
    assert far.rest[TODAY + 365 * DAY] < 280
    # For chance alone there is an error, but no growth.
    flat = trend(np.array([float(cost) for cost in random_days(3)[0].values()][:56]))
    assert flat.growth == 0 and flat.error > 0


def test_a_step_is_not_a_trend_and_few_or_empty_weeks_have_none():
    days = np.arange(56.0)
    for changed in (20, 30, 37, 45):
        assert trend(np.where(days < changed, 100.0, 250.0)) == NO_TREND
    assert trend(100 * 1.02**days).growth == pytest.approx(np.log(1.02), rel=1e-6)
    assert trend(100 * 1.02 ** days[:35]) == NO_TREND
    assert trend(np.where(days < 7, 0.0, 1.02**days)) == NO_TREND
