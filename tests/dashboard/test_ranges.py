"""The range of days of a page, from its query parameters."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from dashboard.ranges import PRESETS, date_range

BERLIN = ZoneInfo("Europe/Berlin")
# The day after is a Friday in Berlin already.
LATE = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)


def read(query, **changes):
    return date_range(query, **{"now": LATE, "zone": BERLIN, "fiscal_year_starts": 4} | changes)


@pytest.mark.parametrize(
    ("preset", "starts_on", "ends_on"),
    [
        ("today", date(2026, 11, 27), date(2026, 11, 27)),
        ("yesterday", date(2026, 11, 26), date(2026, 11, 26)),
        ("7d", date(2026, 11, 21), date(2026, 11, 27)),
        ("month", date(2026, 11, 1), date(2026, 11, 27)),
        ("last_month", date(2026, 10, 1), date(2026, 10, 31)),
        ("quarter", date(2026, 10, 1), date(2026, 11, 27)),
        ("year", date(2026, 4, 1), date(2026, 11, 27)),
    ],
)
def test_a_preset_is_days_of_the_reporting_zone(preset, starts_on, ends_on):
    days = read({"range": preset})
    assert (days.starts_on, days.ends_on) == (starts_on, ends_on)
    assert days.query == f"range={preset}"


def test_a_fiscal_year_began_in_the_year_before():
    march = datetime(2026, 3, 31, 12, tzinfo=UTC)
    assert read({"range": "year"}, now=march).starts_on == date(2025, 4, 1)
    assert read({"range": "year"}, now=march, fiscal_year_starts=1).starts_on == date(2026, 1, 1)


def test_days_begin_and_end_at_midnight_of_the_zone_also_where_clocks_change():
    days = read({"from": "2026-03-28", "to": "2026-03-29"})
    assert days.starts_at == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert days.ends_at == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert days.days == 2


def test_the_previous_range_has_as_many_days():
    days = read({"from": "2026-03-01", "to": "2026-03-31"})
    assert days.previous.label == "29 Jan – 28 Feb 2026"
    assert days.previous.days == days.days
    assert days.previous.ends_at == days.starts_at


@pytest.mark.parametrize(
    "query",
    [
        {"range": "fortnight"},
        {"range": ""},
        {"from": "yesterday"},
        {"from": "2026-11-31", "to": "2026-12-01"},
        {"from": "2026-11-26", "to": "2026-11-01"},
        {"from": "0001-01-01"},
        {"from": "2026-01-01", "to": "9999-12-31"},
        {"from": "\x00", "to": "2026-01-01"},
        {"month": "2026-13"},
        {"month": "2026-1"},
        {"month": "Oct 2026"},
        {"month": "0000-01"},
        {"month": "9999-12"},
        {"month": "\u0662026-01"},
        {"month": ""},
        {"from": "2000-01-01", "to": "2026-01-01"},
    ],
)
def test_nonsense_gives_this_month_and_says_so(query):
    days = read(query)
    assert days.preset == "month"
    assert days.message


def test_only_days_that_can_be_shown_are_shown_by_day():
    assert not read({"from": "2026-07-01", "to": "2026-09-30"}).is_by_month
    assert read({"from": "2026-07-01", "to": "2026-10-01"}).is_by_month


@pytest.mark.parametrize(
    ("month", "last"), [("2026-10", 31), ("2026-02", 28), ("2028-02", 29), ("2026-12", 31)]
)
def test_a_month_has_its_days(month, last):
    """O67: also one in which clocks change."""
    days = read({"month": month})
    assert (str(days.starts_on), days.ends_on.day) == (f"{month}-01", last)
    assert (days.message, days.ends_on.month) == ("", days.starts_on.month)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_query_of_a_range_selects_it_again(preset):
    days = read({"range": preset})
    other = read({"from": str(days.starts_on), "to": str(days.ends_on)})
    assert (other.starts_at, other.ends_at) == (days.starts_at, days.ends_at)


@pytest.mark.parametrize(
    ("first", "last", "label"),
    [
        ("2026-11-26", "2026-11-26", "26 Nov 2026"),
        ("2026-11-01", "2026-11-26", "1–26 Nov 2026"),
        ("2026-10-30", "2026-11-26", "30 Oct – 26 Nov 2026"),
        ("2025-12-30", "2026-01-02", "30 Dec 2025 – 2 Jan 2026"),
    ],
)
def test_a_range_is_said_shortly(first, last, label):
    assert read({"from": first, "to": last}).label == label
