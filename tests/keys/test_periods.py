"""Hours, days, … and fiscal years begin where the wall clock of their zone says so."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keys.limits.periods import EPOCH, FOREVER, Calendar, bounds, check_zone, phrase

ZONES = sorted(available_timezones() - {"Factory", "localtime"})
MOMENTS = st.integers(70_000_000, 2_900_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))
HOURS = st.integers(0, 23)
PERIODS = st.sampled_from(["day", "week", "month", "quarter", "year"])
LONGEST = {"day": 3, "week": 9, "month": 34, "quarter": 95, "year": 369}
CALENDARS = st.builds(Calendar, st.integers(0, 6), st.integers(1, 12))
# Zone, and a day around which its clock does something odd.
ODD_DAYS = [
    ("Pacific/Apia", date(2011, 12, 30)),  # left out a whole day
    ("Pacific/Fakaofo", date(2011, 12, 30)),
    ("Pacific/Kwajalein", date(1993, 8, 21)),
    ("Pacific/Kiritimati", date(1994, 12, 31)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour back
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # midnight is missing
    ("America/Sao_Paulo", date(2018, 2, 18)),  # midnight goes back to 23:00
    ("Africa/Cairo", date(2026, 4, 24)),
    ("Asia/Beirut", date(2026, 3, 29)),
    ("America/Havana", date(2026, 11, 1)),  # 01:00 goes back to 00:00
    ("America/St_Johns", date(2006, 10, 29)),  # 00:01 goes back to 23:01 of the day before
    ("America/St_Johns", date(2006, 4, 2)),
    ("Africa/Monrovia", date(1972, 1, 7)),  # seconds in the offset
    ("Antarctica/Troll", date(2026, 3, 29)),  # two hours
    ("Africa/Casablanca", date(2026, 3, 22)),
    ("Europe/Dublin", date(2026, 10, 25)),
    ("Asia/Pyongyang", date(2018, 5, 5)),
    ("America/Caracas", date(2016, 5, 1)),  # on the first of a month
]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def wall(moment, zone):
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def day(zone, at, reset_hour=0):
    return bounds(period="day", at=at, zone=zone, reset_hour=reset_hour)


def month(zone, at, reset_hour=0):
    return bounds(period="month", at=at, zone=zone, reset_hour=reset_hour)


def begins(day, period, calendar):
    """Whether a period begins on the day, read from the calendar on the wall."""
    months = [(calendar.fiscal_year_starts - 1 + n) % 12 + 1 for n in range(0, 12, 3)]
    return {
        "day": True,
        "week": day.isoweekday() - 1 == calendar.week_starts,
        "month": day.day == 1,
        "quarter": day.day == 1 and day.month in months,
        "year": day.day == 1 and day.month == calendar.fiscal_year_starts,
    }[period]


def is_a_beginning(moment, zone, reset_hour, period, calendar=Calendar()):  # noqa: B008 - a constant
    """Without the code's own arithmetic: at `moment` the clock first reads a reset or passes it."""
    clock, before = wall(moment, zone), wall(moment - timedelta(seconds=1), zone)
    resets = [
        datetime.combine(d, time(reset_hour))
        for d in (clock.date() - timedelta(days=n) for n in range(3))
        if begins(d, period, calendar)
    ]
    return any(before < reset <= clock for reset in resets)


def transitions(zone, year):
    """The moments of two years at which the clock of the zone is set."""
    at, end = utc(year, 1, 1), utc(year + 2, 1, 1)
    found, tz = [], ZoneInfo(zone)
    while at < end:
        later = at + timedelta(days=7)
        if at.astimezone(tz).utcoffset() != later.astimezone(tz).utcoffset():
            low, high = at, later
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // timedelta(seconds=2) * timedelta(seconds=1)
                is_before = middle.astimezone(tz).utcoffset() == at.astimezone(tz).utcoffset()
                low, high = (middle, high) if is_before else (low, middle)
            found.append(high)
        at = later
    return found


@settings(max_examples=600)
@given(PERIODS, MOMENTS, st.sampled_from(ZONES), HOURS, CALENDARS)
@example("day", utc(2011, 12, 31, 1), "Pacific/Apia", 0, Calendar())
@example("week", utc(2011, 12, 31, 1), "Pacific/Apia", 0, Calendar(4))  # from a Friday left out
def test_a_moment_lies_in_its_period_which_begins_and_ends_at_the_reset_hour(
    period, at, zone, reset_hour, calendar
):
    starts_at, ends_at = bounds(
        period=period, at=at, zone=zone, reset_hour=reset_hour, calendar=calendar
    )
    assert starts_at <= at < ends_at
    assert starts_at.tzinfo is UTC
    assert ends_at.tzinfo is UTC
    assert is_a_beginning(starts_at, zone, reset_hour, period, calendar)
    assert is_a_beginning(ends_at, zone, reset_hour, period, calendar)
    assert timedelta(0) < ends_at - starts_at < timedelta(days=LONGEST[period])


@settings(max_examples=300)
@given(
    PERIODS | st.just("hour"),
    MOMENTS,
    st.sampled_from(ZONES),
    HOURS,
    CALENDARS,
    st.floats(0, 1),
)
@example("hour", utc(2026, 4, 4, 15, 20), "Australia/Lord_Howe", 0, Calendar(), 0.5)
@example("hour", utc(1972, 1, 7, 0, 44), "Africa/Monrovia", 0, Calendar(), 0.5)
def test_periods_tile_the_time_line(period, at, zone, reset_hour, calendar, share):
    def around(moment):
        return bounds(period=period, at=moment, zone=zone, reset_hour=reset_hour, calendar=calendar)

    starts_at, ends_at = here = around(at)
    assert around(starts_at) == here
    assert around(ends_at - timedelta(microseconds=1)) == here
    assert around(starts_at + (ends_at - starts_at) * share * 0.999) == here
    assert around(ends_at)[0] == ends_at
    assert around(starts_at - timedelta(microseconds=1))[1] == starts_at


@pytest.mark.parametrize(("zone", "odd_day"), ODD_DAYS)
def test_every_hour_tiles_the_days_around_an_odd_one(zone, odd_day):
    noon = utc(odd_day.year, odd_day.month, odd_day.day, 12)
    for reset_hour in range(24):
        starts_at, ends_at = day(zone, noon - timedelta(days=3), reset_hour)
        while ends_at < noon + timedelta(days=3):
            assert is_a_beginning(ends_at, zone, reset_hour, "day")
            assert no_reset_is_missed(starts_at, ends_at, zone, reset_hour)
            assert day(zone, ends_at, reset_hour)[0] == ends_at
            starts_at, ends_at = day(zone, ends_at, reset_hour)
            assert ends_at > starts_at


def no_reset_is_missed(starts_at, ends_at, zone, reset_hour):
    """Minute by minute, the clock never reads a later day's reset inside a period."""
    highest = max(
        wall(starts_at + timedelta(minutes=n), zone)
        for n in range(int((ends_at - starts_at).total_seconds() // 60))
    )
    first = wall(starts_at, zone) - timedelta(hours=reset_hour)
    return (highest - timedelta(hours=reset_hour)).date() == first.date()


def test_a_day_in_utc_is_the_calendar_day(noon):
    assert day("UTC", noon) == (utc(2026, 3, 10), utc(2026, 3, 11))
    assert day("UTC", noon, 13) == (utc(2026, 3, 9, 13), utc(2026, 3, 10, 13))
    assert month("UTC", utc(2026, 3, 1, 5), 6) == (utc(2026, 2, 1, 6), utc(2026, 3, 1, 6))


def test_a_day_has_23_or_25_hours_when_the_clock_changes():
    assert day("Europe/Berlin", utc(2026, 3, 29, 12)) == (
        utc(2026, 3, 28, 23),
        utc(2026, 3, 29, 22),
    )
    assert day("Europe/Berlin", utc(2026, 10, 25, 12)) == (
        utc(2026, 10, 24, 22),
        utc(2026, 10, 25, 23),
    )


def test_an_hour_that_the_clock_skips_begins_right_after_the_gap():
    assert day("Europe/Berlin", utc(2026, 3, 29, 12), 2)[0] == utc(2026, 3, 29, 1)
    assert day("America/Sao_Paulo", utc(2018, 11, 4, 12))[0] == utc(2018, 11, 4, 3)
    assert day("Australia/Lord_Howe", utc(2026, 10, 4, 5), 2)[0] == utc(2026, 10, 3, 15, 30)


def test_an_hour_that_comes_twice_begins_at_the_first():
    assert day("Europe/Berlin", utc(2026, 10, 25, 12), 2)[0] == utc(2026, 10, 25, 0)
    assert day("America/Havana", utc(2026, 11, 1, 5, 30))[0] == utc(2026, 11, 1, 4)


def test_a_clock_that_goes_back_over_midnight_does_not_bring_yesterday_back():
    began = utc(2006, 10, 29, 2, 30)
    assert day("America/St_Johns", began)[0] == began
    assert wall(began + timedelta(minutes=30), "America/St_Johns").day == 28
    assert day("America/St_Johns", began + timedelta(minutes=30))[0] == began


def test_a_day_that_a_zone_left_out_has_no_period():
    before, after = utc(2011, 12, 30, 9), utc(2011, 12, 30, 10)
    assert day("Pacific/Apia", before) == (utc(2011, 12, 29, 10), after)
    assert day("Pacific/Apia", after) == (after, utc(2011, 12, 31, 10))


def test_a_left_out_day_with_a_later_reset_hour_begins_right_after_the_gap():
    assert day("Pacific/Apia", utc(2011, 12, 30, 11), 5) == (
        utc(2011, 12, 30, 10),
        utc(2011, 12, 30, 15),
    )


@pytest.mark.parametrize(
    ("at", "days"),
    [
        ((2026, 1, 31), 31),
        ((2026, 2, 28), 28),
        ((2028, 2, 29), 29),
        ((2026, 4, 30), 30),
        ((2100, 2, 1), 28),
        ((2000, 2, 1), 29),
        ((2026, 12, 31), 31),
    ],
)
def test_months_have_their_days(at, days):
    starts_at, ends_at = month("UTC", utc(*at))
    assert ends_at - starts_at == timedelta(days=days)


def test_a_month_of_a_zone_turns_at_its_own_midnight():
    assert month("Asia/Kolkata", utc(2026, 3, 31, 18, 29))[1] == utc(2026, 3, 31, 18, 30)
    assert month("Asia/Kolkata", utc(2026, 3, 31, 18, 30))[0] == utc(2026, 3, 31, 18, 30)


def test_a_total_has_no_reset(noon):
    assert bounds(period="total", at=noon, zone="UTC", reset_hour=0) == (EPOCH, FOREVER)


def test_a_moment_in_another_zone_is_the_same_moment(noon):
    there = noon.astimezone(ZoneInfo("Asia/Tokyo"))
    assert day("Europe/Berlin", there) == day("Europe/Berlin", noon)


@pytest.mark.parametrize("zone", ["", "Mars/Base", "America", "../etc/passwd", "berlin", "x" * 300])
def test_an_unknown_zone_is_refused_in_a_sentence(zone, noon):
    with pytest.raises(ValueError, match="Use an IANA name"):
        check_zone(zone)
    with pytest.raises(ValueError, match="Use an IANA name"):
        day(zone, noon)


@pytest.mark.parametrize("reset_hour", [-1, 24, 2.5, "3", None])
def test_a_wrong_reset_hour_is_refused_in_a_sentence(reset_hour, noon):
    with pytest.raises(ValueError, match="full hour from 0 to 23"):
        day("UTC", noon, reset_hour)


@pytest.mark.parametrize(
    "at",
    [utc(2026, 3, 10).replace(tzinfo=None), utc(1969, 12, 31), utc(9999, 1, 1)],
)
def test_a_moment_out_of_reach_is_refused(at):
    with pytest.raises(ValueError, match="1970 to 9998"):
        day("UTC", at)


def test_an_unknown_period_is_refused(noon):
    with pytest.raises(ValueError, match="day, week, month, quarter, year, total"):
        bounds(period="decade", at=noon, zone="UTC", reset_hour=0)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize("at", [EPOCH, FOREVER - timedelta(microseconds=1)])
def test_the_ends_of_time_have_periods_too(zone, at):
    for reset_hour in (0, 23):
        assert day(zone, at, reset_hour)[0] <= at < day(zone, at, reset_hour)[1]
        for period in ("hour", "week", "month", "quarter", "year"):
            for calendar in (Calendar(), Calendar(3, 12), Calendar(6, 7)):
                starts_at, ends_at = bounds(
                    period=period, at=at, zone=zone, reset_hour=reset_hour, calendar=calendar
                )
                assert starts_at <= at < ends_at


def hour(zone, at):
    return bounds(period="hour", at=at, zone=zone, reset_hour=0)


def is_a_full_hour(moment, zone):
    """The clock reads a full hour, or it was just set by a part of an hour."""
    clock, before = moment.astimezone(ZoneInfo(zone)), moment - timedelta(seconds=1)
    was_set = clock.utcoffset() - before.astimezone(ZoneInfo(zone)).utcoffset()
    return (clock.minute, clock.second) == (0, 0) or was_set % timedelta(hours=1) != timedelta(0)


def test_hours_and_days_tile_two_years_of_clock_changes_in_every_zone():
    """O13."""
    changes = [(zone, at) for zone in ZONES for at in transitions(zone, 2025)]
    assert len(changes) > 600
    for zone, at in changes:
        starts_at, ends_at = hour(zone, at - timedelta(hours=2))
        while starts_at < at + timedelta(hours=2):
            assert is_a_full_hour(starts_at, zone)
            minutes = (starts_at + timedelta(minutes=n) for n in range(1, 60))
            assert not any(is_a_full_hour(each, zone) for each in minutes if each < ends_at)
            assert timedelta(0) < ends_at - starts_at <= timedelta(hours=1)
            assert hour(zone, ends_at)[0] == ends_at
            starts_at, ends_at = hour(zone, ends_at)
        for period in ("day", "week", "month", "quarter", "year"):
            here = bounds(period=period, at=at, zone=zone, reset_hour=2)
            following = bounds(period=period, at=here[1], zone=zone, reset_hour=2)
            assert here[1] == following[0]
            assert is_a_beginning(here[1], zone, 2, period)


@settings(max_examples=200)
@given(MOMENTS, st.sampled_from(ZONES), HOURS)
def test_an_hour_begins_on_the_hour_and_has_no_use_for_the_reset_hour(at, zone, reset_hour):
    starts_at, ends_at = hour(zone, at)
    assert starts_at <= at < ends_at
    assert is_a_full_hour(starts_at, zone)
    assert is_a_full_hour(ends_at, zone)
    assert bounds(period="hour", at=at, zone=zone, reset_hour=reset_hour) == (starts_at, ends_at)


def test_an_hour_that_comes_twice_is_two_hours():
    first, second = (hour("Europe/Berlin", utc(2026, 10, 25, n, 30)) for n in (0, 1))
    assert first == (utc(2026, 10, 25, 0), utc(2026, 10, 25, 1))
    assert second == (utc(2026, 10, 25, 1), utc(2026, 10, 25, 2))


def test_an_hour_of_a_zone_with_half_hours_begins_on_its_own_clock(noon):
    assert hour("Asia/Kolkata", noon)[0] == noon - timedelta(minutes=30)


def test_a_clock_set_by_half_an_hour_ends_the_hour():
    # At 02:00 the clock goes back to 01:30.
    set_at = utc(2026, 4, 4, 15)
    assert hour("Australia/Lord_Howe", set_at - timedelta(minutes=1))[1] == set_at
    assert hour("Australia/Lord_Howe", set_at) == (set_at, set_at + timedelta(minutes=30))


@pytest.mark.parametrize(
    ("starts", "first", "after"),
    [
        (0, (2026, 3, 9), (2026, 3, 16)),
        (1, (2026, 3, 10), (2026, 3, 17)),
        (6, (2026, 3, 8), (2026, 3, 15)),
    ],
)
def test_a_week_begins_on_the_day_that_the_organisation_says(noon, starts, first, after):
    week = bounds(period="week", at=noon, zone="UTC", reset_hour=0, calendar=Calendar(starts))
    assert week == (utc(*first), utc(*after))


@pytest.mark.parametrize(
    ("period", "starts", "first", "after"),
    [
        ("quarter", 1, (2026, 1, 1), (2026, 4, 1)),
        ("quarter", 2, (2026, 2, 1), (2026, 5, 1)),
        ("quarter", 6, (2026, 3, 1), (2026, 6, 1)),
        ("year", 1, (2026, 1, 1), (2027, 1, 1)),
        ("year", 3, (2026, 3, 1), (2027, 3, 1)),
        ("year", 4, (2025, 4, 1), (2026, 4, 1)),
    ],
)
def test_fiscal_periods_are_counted_from_the_first_month(noon, period, starts, first, after):
    calendar = Calendar(fiscal_year_starts=starts)
    found = bounds(period=period, at=noon, zone="UTC", reset_hour=0, calendar=calendar)
    assert found == (utc(*first), utc(*after))


def test_periods_are_said_in_words():
    assert [phrase(each) for each in ("hour", "day", "total")] == ["an hour", "a day", "in total"]
