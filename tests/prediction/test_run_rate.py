"""The run rate: which forecaster is taken, when something is used up, and how sure that is."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from keys.books.queries.pages import Meter
from prediction.run_rate import pace
from prediction.run_rate.exhaustion import Burn, LearnedPace, first_out, lasts, runs_out, used_ahead
from prediction.services.watch_limits import is_told

DAYS = pace.HISTORY_DAYS
# A Monday.
TODAY = date(2026, 3, 9)
MORNING = datetime(2026, 3, 9, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OFFICE_DAY = np.array([0.0] * 8 + [100.0] * 10 + [0.0] * 6)


def office(days=DAYS, *, spread=0.0, hour=9, seed=0):
    """1,000 a day in office hours, and little at weekends; the last day is at `hour`."""
    chance = np.random.default_rng(seed)
    weekdays = [(TODAY - (DAYS - 1 - number) * DAY).weekday() for number in range(days)]
    level = np.array([0.1 if weekday >= 5 else 1.0 for weekday in weekdays])
    used = OFFICE_DAY * (level * chance.lognormal(0, spread, days))[:, None]
    whole = used.copy()
    used[DAYS - 1, hour:] = 0
    return used[:DAYS], whole


def learned(used, hour=9, zone="UTC"):
    return LearnedPace(pace.learn(used, hour=hour), TODAY, ZoneInfo(zone))


def meter(amount, *, hours=15, used=0, unit="tokens", **changes):
    facts = {
        "limit_id": 1,
        "window_id": 1,
        "scope": "key:nvidia-1",
        "period": "day",
        "committed": Decimal(0),
        "zone": "UTC",
        "starts_at": MORNING - 9 * HOUR,
        "resets_at": MORNING + hours * HOUR,
    }
    return Meter(amount=Decimal(amount), used=Decimal(used), unit=unit, **(facts | changes))


def test_a_usage_with_hours_of_its_own_follows_them():
    known = learned(office()[0])
    assert (known.pace.day.method, known.pace.long.method) == ("hour_class", "hour_class")
    assert known.pace.day.missed["hour_class"] == 0 < known.pace.day.missed["last_hour"]
    # At nine, 100 an hour until six o'clock: of 350 half of an hour is left at half past twelve.
    assert lasts(350, known, now=MORNING, until=MORNING + DAY).at == MORNING + 3.5 * HOUR
    # What is left at six o'clock lasts until nine in the morning, less what eight o'clock takes.
    evening = lasts(1_000, known, now=MORNING, until=MORNING + 2 * DAY).at
    assert evening == MORNING + DAY


def test_a_usage_that_stays_as_it_is_follows_its_last_hour():
    chance = np.random.default_rng(3)
    used = np.repeat(chance.lognormal(5, 1.5, 2 * DAYS), 12).reshape(DAYS, 24)
    used[-1, 9:] = 0
    known = learned(used)
    assert known.pace.day.method == "last_hour"
    ahead = used_ahead(known, np.array([0.0, 24.0]), last_hour=50.0, now=MORNING)
    assert ahead.low[-1] <= ahead.mid[-1] <= ahead.high[-1]
    # Most days end as they began: the middle is close to the pace.
    assert 600 < ahead.mid[-1] < 2_400


@pytest.mark.parametrize("hours", [24, 144])
def test_four_times_in_five_as_much_is_used_as_is_said(hours):
    inside = []
    for seed in range(60):
        hour = seed % 24
        used, whole = office(DAYS + 8, spread=0.5, hour=hour, seed=seed)
        now = datetime(2026, 3, 9, hour, tzinfo=UTC)
        ahead = used_ahead(learned(used, hour), np.arange(hours + 1.0), now=now)
        start = (DAYS - 1) * 24 + hour
        came = whole.reshape(-1)[start : start + hours].sum()
        inside.append(ahead.low[-1] <= came <= ahead.high[-1])
    assert 0.68 <= np.mean(inside) <= 0.92


def test_a_week_of_days_that_are_alike_is_covered_four_times_in_five():
    # A busy day is followed by another: one stretch of six days says little of the next one.
    inside = []
    for seed in range(500, 600):
        chance = np.random.default_rng(seed)
        level = np.zeros(DAYS + 8)
        for day in range(1, DAYS + 8):
            level[day] = 0.7 * level[day - 1] + chance.normal(0, 0.4)
        whole = OFFICE_DAY * np.exp(level)[:, None]
        used = whole[:DAYS].copy()
        used[DAYS - 1, 9:] = 0
        ahead = used_ahead(learned(used), np.arange(145.0), now=MORNING)
        came = whole.reshape(-1)[(DAYS - 1) * 24 + 9 :][:144].sum()
        inside.append(ahead.low[-1] <= came <= ahead.high[-1])
    assert 0.74 <= np.mean(inside) <= 0.9


def test_before_eight_days_nothing_is_learned_and_before_three_weeks_no_hours():
    used, _ = office()
    for known, expected in ((7, None), (8, "last_hour"), (20, "last_hour"), (22, "hour_class")):
        young = used.copy()
        # The first day of usage is a weekday in each case.
        young[: DAYS - 1 - known] = 0
        found = pace.learn(young, hour=9)
        assert (found and found.day.method) == expected
    assert pace.learn(np.zeros((DAYS, 24)), hour=9) is None


def test_what_has_not_come_yet_is_not_known():
    used, whole = office()
    assert pace.learn(whole[:DAYS], hour=9) == pace.learn(used, hour=9)


def test_a_pace_is_the_same_after_it_was_kept():
    found = pace.learn(office(spread=0.3)[0], hour=9)
    assert pace.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_the_interval_is_around_the_moment_and_open_where_it_may_last():
    known = learned(office(spread=0.4)[0])
    out = runs_out(meter(500), Decimal(100), known, now=MORNING)
    assert MORNING < out.earliest < out.at < out.latest and out.is_sure
    late = max(
        (
            runs_out(meter(amount), Decimal(100), known, now=MORNING)
            for amount in range(100, 1100, 20)
        ),
        key=lambda each: each.at if each else MORNING,
    )
    assert late.latest is None and not late.is_sure


def test_a_pace_follows_the_clock_of_its_zone():
    used, _ = office()
    # Nine o'clock in New York, where the day has begun at four o'clock UTC since the day before.
    known = learned(used, zone="America/New_York")
    now = datetime(2026, 3, 9, 13, tzinfo=UTC)
    assert lasts(200, known, now=now, until=now + DAY).at == now + 2 * HOUR
    # The same was learned five days ago: it is the weekend of that week.
    before = known._replace(day=TODAY - 5 * DAY)
    assert lasts(200, before, now=now, until=now + DAY) != lasts(
        200, known, now=now, until=now + DAY
    )


def test_the_first_limit_that_is_used_up_counts_by_the_pace_of_its_unit():
    known = learned(office()[0])
    meters = [meter(500), meter(2, unit="usd")]
    found = first_out(meters, Burn(Decimal(1), Decimal(1)), {"tokens": known}, now=MORNING)
    assert found == (MORNING + 2 * HOUR, None, None)
    assert first_out(meters[:1], Burn(), {"tokens": known}, now=MORNING).at == MORNING + 5 * HOUR
    assert first_out(meters, Burn(), {}, now=MORNING) is None
    over = meter(500, hours=-1)
    assert first_out([over], Burn(Decimal(1)), {"tokens": known}, now=MORNING) is None


def test_people_are_told_early_and_when_it_is_sure():
    known = learned(office(spread=0.1)[0])
    sure = runs_out(meter(400), Decimal(100), known, now=MORNING)
    assert is_told(meter(400), sure, now=MORNING)
    assert not is_told(meter(400), sure._replace(latest=None), now=MORNING)
    assert not is_told(meter(400), sure._replace(at=MORNING + 14.9 * HOUR), now=MORNING)
    assert not is_told(meter(400, used=400), sure, now=MORNING)
    # Without an interval, half of it is used and the window is well under way.
    plain = sure._replace(earliest=None, latest=None)
    assert not is_told(meter(400, used=199), plain, now=MORNING)
    assert is_told(meter(400, used=200), plain, now=MORNING)
    begun = replace(meter(400, used=200), starts_at=MORNING - HOUR)
    assert not is_told(begun, plain, now=MORNING)
