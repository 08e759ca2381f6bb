"""When scheduled reports are sent, also around changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.schedule_times import latest_time, next_time

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("terms", "after", "expected"),
    [
        (("daily", None, 7), "2026-11-28T05:59", "2026-11-28T06:00"),
        (("daily", None, 7), "2026-11-28T06:00", "2026-11-29T06:00"),
        (("weekly", 0, 7), "2026-11-28T12:00", "2026-11-30T06:00"),
        (("monthly", 28, 0), "2026-11-28T12:00", "2026-12-27T23:00"),
        # 02:00 does not exist on 29 March, and comes twice on 25 October.
        (("daily", None, 2), "2026-03-28T12:00", "2026-03-29T01:00"),
        (("daily", None, 2), "2026-10-24T12:00", "2026-10-25T00:00"),
        (("daily", None, 2), "2026-10-25T00:00", "2026-10-26T01:00"),
    ],
)
def test_the_next_moment(terms, after, expected):
    assert next_time(*terms, zone=BERLIN, after=at(after)) == at(expected)


def test_of_missed_moments_the_latest_counts():
    terms = ("daily", None, 7)
    since, now = at("2026-11-01T06:00"), at("2026-11-28T05:00")
    assert latest_time(*terms, zone=BERLIN, since=since, now=now) == at("2026-11-27T06:00")
    assert latest_time(*terms, zone=BERLIN, since=since, now=since) == since


@given(
    st.integers(0, 10 * 366 * 24 * 60),
    st.sampled_from(ZONES),
    st.sampled_from([("daily", None), ("weekly", 6), ("monthly", 28)]),
    st.integers(0, 23),
)
def test_moments_rise_and_each_day_has_one(minutes, zone, terms, hour):
    after = at("2020-01-01T00:00") + timedelta(minutes=minutes)
    zone = ZoneInfo(zone)
    moments = [after]
    for _ in range(4):
        moments.append(next_time(*terms, hour, zone=zone, after=moments[-1]))
    assert moments == sorted(set(moments))
    days = [moment.astimezone(zone).date() for moment in moments[1:]]
    assert len(set(days)) == len(days)
