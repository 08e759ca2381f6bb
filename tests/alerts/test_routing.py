"""Where an alert goes, and when: quiet hours and digests by the clocks of any zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import routing
from alerts.models import Alert, Route

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Chatham", "Australia/Lord_Howe")
_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (2026, 2028))
moments = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))
zones = st.sampled_from(ZONES).map(ZoneInfo)
clocks = st.times().map(lambda each: each.replace(second=0, microsecond=0))


def is_quiet(route, at, zone):
    clock = at.astimezone(zone).time()
    if route.quiet_from < route.quiet_until:
        return route.quiet_from <= clock < route.quiet_until
    return clock >= route.quiet_from or clock < route.quiet_until


@given(at=moments, zone=zones, begin=clocks, end=clocks)
def test_quiet_hours_end_within_a_day_or_are_not_now(at, zone, begin, end):
    if begin == end:
        return
    route = Route(quiet_from=begin, quiet_until=end)
    until = routing.quiet_end(route, at, zone=zone)
    if not is_quiet(route, at, zone):
        assert until == at
    else:
        assert at < until.astimezone(UTC) <= at + timedelta(hours=26)


@given(at=moments, zone=zones, clock=clocks)
def test_a_digest_is_later_and_at_most_a_day_away(at, zone, clock):
    daily = routing.digest_moment(Route(digest="daily", digest_at=clock), at, zone=zone)
    assert at < daily.astimezone(UTC) <= at + timedelta(hours=26)
    hourly = routing.digest_moment(Route(digest="hourly"), at, zone=zone)
    assert at < hourly <= at + timedelta(hours=1)


@pytest.mark.parametrize(
    ("zone", "at", "ends"),
    [
        ("UTC", "2026-03-27T23:00+00:00", "2026-03-28T06:00+00:00"),
        ("UTC", "2026-03-27T05:59+00:00", "2026-03-27T06:00+00:00"),
        ("UTC", "2026-03-27T06:00+00:00", "2026-03-27T06:00+00:00"),
        # The night in which clocks go forward, and the one in which they go back.
        ("Europe/Berlin", "2026-03-28T21:30+00:00", "2026-03-29T04:00+00:00"),
        ("Europe/Berlin", "2026-10-24T21:30+00:00", "2026-10-25T05:00+00:00"),
    ],
)
def test_quiet_hours_over_midnight(zone, at, ends):
    route = Route(quiet_from=time(22), quiet_until=time(6))
    found = routing.quiet_end(route, datetime.fromisoformat(at), zone=ZoneInfo(zone))
    assert found.timestamp() == datetime.fromisoformat(ends).timestamp()


def test_critical_alerts_wait_for_nothing_if_that_was_chosen():
    at = datetime(2026, 3, 27, 23, 10, tzinfo=UTC)
    route = Route(quiet_from=time(22), quiet_until=time(6), digest="hourly")
    critical, warning = Alert(severity="critical"), Alert(severity="warning")
    zone = ZoneInfo("UTC")
    assert routing.due(route, critical, zone=zone, now=at) == (at, False)
    later = datetime(2026, 3, 28, 6, tzinfo=UTC)
    assert routing.due(route, warning, zone=zone, now=at) == (later, True)
    route.critical_at_once = False
    assert routing.due(route, critical, zone=zone, now=at) == (later, True)


def test_a_route_matches_by_kind_severity_and_cost_centre():
    routes = [
        Route(name="any", severity_min="info"),
        Route(name="critical", severity_min="critical"),
        Route(name="broken", severity_min="info", kinds=["key_broken"]),
        Route(name="research", severity_min="info", cost_centre="research"),
    ]
    warning = Alert(kind="exhausted", severity="warning")
    broken = Alert(kind="key_broken", severity="critical")

    def names(alert, *centres):
        return [each.name for each in routing.matching(routes, alert, centres)]

    assert names(warning) == ["any"]
    assert names(warning, "org", "research") == ["any", "research"]
    assert names(broken, "org") == ["any", "critical", "broken"]
