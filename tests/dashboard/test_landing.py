"""Where a month lands: the run rate with the shape of the week, and a band."""

from datetime import date, timedelta
from decimal import Decimal

from reports.landing import landing

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
