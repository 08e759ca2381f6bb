"""After an import of any well-formed files, the books balance and the round trip loses nothing."""

import copy
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interchange import services as interchange
from interchange.state_files import usage_periods
from interchange.state_files.merge import merge
from keys import services as keys
from keys.limits.periods import bounds
from keys.models import Window
from tests.actors import ACTOR
from tests.books import assert_books_balance
from tests.interchange.exported import exported_documents
from tests.moments import NOON

pytestmark = pytest.mark.django_db

SLUGS = ["nvidia-1", "groq-1", "x"]
tokens = st.integers(0, 10**9)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
# Members that Butler does not know: all begin with a letter that none of its own begins with.
unknown = st.dictionaries(st.text(max_size=6).map(lambda name: f"z{name}"), anything, max_size=2)
moments = st.integers(-40 * 24 * 60, 0).map(lambda minutes: iso(NOON + timedelta(minutes=minutes)))
resets = st.integers(-30, 40 * 24).map(
    lambda hours: iso(NOON + timedelta(hours=hours))
) | st.integers(-3000, 60_000).map(lambda minutes: iso(NOON + timedelta(minutes=minutes)))


def iso(moment):
    """As JavaScript writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry(required, optional=None):
    """An object with some of the optional members, and some that the schema does not have."""
    known = st.fixed_dictionaries(required, optional=optional or {})
    return st.builds(lambda one, other: one | other, known, unknown)


usage = entry({"used": tokens}, {"limit": st.none() | tokens, "resetAt": st.none() | resets})
statuses = st.sampled_from(["active", "inactive", "exhausted", "cooling", "broken"])
key_states = entry(
    {},
    {
        "usage": entry(
            {},
            {
                **dict.fromkeys(("daily", "monthly", "hourly", "weekly", "quarterly"), usage),
                "total": tokens,
                "carriedOver": entry(
                    {}, {"daily": tokens, "weekly": tokens, "monthlyUsd": st.floats(0, 9)}
                ),
            },
        ),
        "status": statuses,
    },
)
allocations = entry(
    {
        "keyId": st.sampled_from(SLUGS),
        "allocated": st.integers(1, 10**8),
        "createdAt": moments,
    },
    {
        "used": st.integers(0, 10**8),
        "status": st.sampled_from(["active", "completed", "failed", "expired", "exhausted"]),
        "expiresAt": resets,
        "closedAt": moments,
        "autoRotate": st.booleans(),
    },
)
alerts = entry(
    {
        "type": st.text(min_size=1, max_size=5),
        "severity": st.sampled_from(["info", "warning", "critical"]),
        "message": st.text(max_size=300),
        "timestamp": moments,
    },
    {"keyId": st.none() | st.text(max_size=5), "resolved": st.booleans()},
)
events = entry(
    {
        "type": st.sampled_from(["allocation", "rotation", "usage_update", "reset"]),
        "timestamp": moments,
    },
    {"keyId": st.sampled_from(SLUGS), "before": anything, "reason": st.text(max_size=20)},
)
states = entry(
    {
        "timestamp": moments,
        "keys": st.dictionaries(st.sampled_from(SLUGS), key_states),
    },
    {
        "allocations": st.dictionaries(st.from_regex(r"\As-[a-z]{1,3}\Z"), allocations, max_size=5),
        "alerts": st.lists(alerts, max_size=3),
        "history": st.lists(events, max_size=3),
    },
)
limits = entry(
    {},
    {
        "daily": st.none() | tokens,
        "monthly": st.none() | tokens,
        "total": st.none() | tokens,
        "dailyUsd": st.none() | st.floats(0, 1000),
        "hourly": st.none() | tokens,
        "weekly": tokens,
        "weeklyUsd": st.floats(0, 1000),
        "quarterly": tokens,
        "carryOver": entry(
            {}, {"daily": st.none() | tokens, "weekly": tokens, "monthlyUsd": st.floats(0, 9)}
        ),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]),
        "resetHour": st.integers(0, 23),
    },
)
rates = st.floats(0, 1)
api_keys = st.tuples(
    *(
        entry(
            {
                "id": st.just(slug),
                "provider": st.sampled_from(["nvidia", "groq"]),
                "model": st.text(min_size=1, max_size=9),
                "costPer1kTokens": rates | st.fixed_dictionaries({"input": rates, "output": rates}),
            },
            {"priority": st.integers(-5, 5), "limits": limits, "status": statuses},
        )
        for slug in SLUGS
    )
).flatmap(st.permutations)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(state=states, listed=api_keys, root=unknown, has_secrets=st.booleans())
def test_any_well_formed_files_survive_a_round_trip(state, listed, root, has_secrets):
    given_files = {"state": state, "api_keys": {**root, "keys": listed}}
    with_secrets = copy.deepcopy(given_files)
    for each in with_secrets["api_keys"]["keys"] if has_secrets else ():
        each["apiKey"] = "canary"
    # Services refuse to run inside another transaction's block: a bare savepoint undoes them.
    before = transaction.savepoint()
    try:
        interchange.import_state(**with_secrets, actor=ACTOR, now=NOON)
        _check(given_files)
    finally:
        transaction.savepoint_rollback(before)


def _check(given_files):
    assert_books_balance()
    state, listed = exported_documents(now=NOON)
    assert {"state": state, "api_keys": listed} == given_files
    keys.open_windows(now=NOON)
    keys.open_windows(now=NOON + timedelta(days=40))
    assert_books_balance()
    used = Window.objects.filter(closed_at=None, used__gt=0)
    assert not used.exclude(limit__period="total").exists()


day = usage_periods.Period(0, NOON, NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1))
month = usage_periods.Period(
    0, NOON, day.starts_at.replace(day=1), day.starts_at.replace(month=4, day=1)
)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 999), st.lists(st.integers(0, 99)))
def test_nothing_is_booked_twice_and_nothing_is_left_out(of_day, of_month, total, sessions):
    booked = usage_periods.portions(
        day=day._replace(used=of_day),
        month=month._replace(used=of_month),
        total=total,
        today=day.starts_at,
    )
    everything = sum(portion.tokens for portion in booked)
    assert everything == max(of_day, of_month, total)
    assert sum(p.tokens for p in booked if day.has(p.at)) == of_day
    assert sum(p.tokens for p in booked if month.has(p.at)) == max(of_day, of_month)
    charged = 0
    for used in sessions:
        charges, booked = usage_periods.take(booked, used, until=NOON)
        assert sum(charge.tokens for charge in charges) == used
        charged += used
    left = sum(portion.tokens for portion in booked)
    assert left == max(everything - charged, 0)


def period_of(name):
    starts_at, ends_at = bounds(period=name, at=NOON, zone="UTC", reset_hour=0)
    return usage_periods.Period(0, NOON, starts_at, ends_at)


PERIODS = {name: period_of(name) for name in ("hour", "day", "week", "month", "quarter", "year")}
HOURS = st.integers(0, 30) | st.integers(0, 400 * 24)


@given(st.lists(st.tuples(HOURS, st.integers(1, 99)), max_size=12), st.integers(0, 9))
def test_sums_of_calls_that_agree_are_booked_as_they_are(calls, back):
    at = NOON - timedelta(days=back)
    calls = [(at - timedelta(hours=hours), tokens) for hours, tokens in calls]
    sums = {}
    for name in PERIODS:
        starts_at, ends_at = bounds(period=name, at=at, zone="UTC", reset_hour=0)
        period = usage_periods.Period(0, at, starts_at, ends_at)
        used = sum(tokens for moment, tokens in calls if period.has(moment))
        sums[name] = period._replace(used=used)
    total = sum(tokens for _, tokens in calls)
    day, month = sums.pop("day"), sums.pop("month")
    booked = usage_periods.portions(day=day, month=month, total=total, today=day.starts_at)
    booked = usage_periods.fit(booked, to=list(sums.values()), within=[day, month])
    assert sum(portion.tokens for portion in booked) == total
    for period in (day, month, *sums.values()):
        assert sum(p.tokens for p in booked if period.has(p.at)) == period.used
    assert all(p.at <= at and p.since <= p.at for p in booked)
    assert [p.at for p in booked] == sorted((p.at for p in booked), reverse=True)


@given(st.tuples(*[st.integers(0, 99)] * 7))
def test_of_sums_that_contradict_each_other_none_counts_less(sums):
    hour, of_day, week, of_month, quarter, year, total = sums
    wanted = {"hour": hour, "week": week, "quarter": quarter, "year": year}
    given_sums = [PERIODS[name]._replace(used=used) for name, used in wanted.items()]
    days = [PERIODS["day"]._replace(used=of_day), PERIODS["month"]._replace(used=of_month)]
    booked = usage_periods.portions(
        day=days[0], month=days[1], total=total, today=days[0].starts_at
    )
    booked = usage_periods.fit(booked, to=given_sums, within=days)
    for period in (*days, *given_sums):
        assert sum(p.tokens for p in booked if period.has(p.at)) >= period.used
    assert sum(p.tokens for p in booked) >= total


known = st.recursive(
    st.integers(0, 3), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from("abcxyz"), known), known)
def test_merging_no_change_changes_nothing(original, rendered):
    assert merge(original, rendered, copy.deepcopy(rendered)) == original


@given(
    st.dictionaries(st.sampled_from("abc"), known), st.dictionaries(st.sampled_from("abc"), known)
)
def test_merging_every_change_is_the_new_rendering_with_what_it_does_not_know(then, now):
    original = {**then, "x": "unknown"}
    assert merge(original, then, now) == {**now, "x": "unknown"}
