"""What is found in usage and calls, and what is not."""

import numpy as np
import pytest

from prediction.anomalies import calls, series
from prediction.anomalies.calls import Call


def hours(*last, seed=0):
    """Four weeks of noisy hours at work, then these."""
    chance = np.random.default_rng(seed)
    used = np.tile([0.0] * 8 + [10.0] * 10 + [0.0] * 6, 29)[: series.SPIKE_HOURS]
    # The last hour is eleven o'clock.
    used = np.roll(used, -(24 - (series.SPIKE_HOURS - 1) % 24) + (11 - 24) % 24)
    used = used * chance.lognormal(0, 0.3, used.size)
    used[used.size - len(last) :] = last
    return used


@pytest.mark.parametrize(
    ("last", "length"),
    [
        ((120.0, 150.0), 2),
        ((10.0, 400.0), 1),
        # One such hour alone may be a large piece of work.
        ((10.0, 120.0), None),
        ((120.0, 10.0), None),
        ((15.0, 18.0), None),
    ],
)
def test_a_spike_is_two_hours_far_above_the_usual_or_one_of_twenty_times(last, length):
    found = series.spike(hours(*last), least=1)
    assert (found and found.length) == length
    if found:
        assert found.seen == last[-1] and found.usual < 20


def test_cents_and_new_agents_have_no_spikes():
    assert series.spike(hours(120.0, 150.0), least=1_000) is None
    new = hours(120.0, 150.0)
    new[: 3 * 168] = 0
    assert series.spike(new, least=1) is None
    assert series.spike(np.zeros(series.SPIKE_HOURS), least=1) is None


def test_a_spike_that_was_there_last_week_is_none():
    used = hours(120.0, 150.0)
    used[-170:-168] = 130.0, 160.0
    assert series.spike(used, least=1) is None


def days(growth, *, spread=0.2, seed=0):
    """Eight weeks, of which the last three grow each day."""
    chance = np.random.default_rng(seed)
    weekend = np.arange(series.CREEP_DAYS) % 7 >= 5
    used = np.where(weekend, 10.0, 100.0) * chance.lognormal(0, spread, series.CREEP_DAYS)
    used[-21:] *= (1 + growth) ** np.arange(1, 22)
    return used, weekend


def test_slow_creep_is_found_and_noise_and_weekends_are_not():
    found = series.creep(*days(0.05), least=1)
    assert found.seen > 1.3 * found.usual and found.length >= 5
    quiet = [series.creep(*days(0, seed=seed), least=1) for seed in range(40)]
    assert sum(each is not None for each in quiet) <= 2
    assert series.creep(*days(-0.05), least=1) is None
    assert series.creep(*days(0.05), least=10_000) is None


def test_a_change_of_prices_is_two_days_far_from_those_before():
    chance = np.random.default_rng(1)
    usual = 2 * chance.lognormal(0, 0.03, 30)
    assert series.shift(usual) is None
    for factor in (1.5, 0.6):
        moved = usual.copy()
        moved[-2:] *= factor
        assert series.shift(moved).usual == pytest.approx(2, rel=0.05)
        moved[-2] = usual[-2]
        assert series.shift(moved) is None
    few = usual.copy()
    few[-1] = np.nan
    assert series.shift(few) is None


def session(*inputs, gap=10.0, digest=None):
    return [
        Call(number * gap, "model-1", tokens, 50, digest) for number, tokens in enumerate(inputs)
    ]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (session(*[5_000] * 8), (8, False)),
        (session(100, 900, *[5_000, 5_003] * 4), (8, False)),
        (session(*range(1_000, 4_500, 500)), (7, True)),
        (session(*[5_000] * 5, digest=b"same"), (5, False)),
        (session(*[5_000] * 7), None),
        (session(*range(1_000, 4_000, 500)), None),
        # They are spread over hours, and the last one ended it.
        (session(*[5_000] * 8, gap=600), None),
        (session(*[5_000] * 9, 7_000), None),
        (session(1_000, 1_700, 2_600, 2_700, 4_000, 4_100, 6_000, 6_600), None),
        ([], None),
    ],
)
def test_a_loop_is_the_same_call_again_or_one_that_grows_by_the_same(made, expected):
    found = calls.loop(made)
    assert (found and (found.calls, found.is_growing)) == expected


def test_calls_of_other_models_are_other_calls():
    made = session(*[5_000] * 8)
    made[4] = made[4]._replace(model="model-2")
    assert calls.loop(made) is None


def test_a_session_is_stuck_by_the_gaps_of_its_agent():
    assert calls.stuck_after([]) == 900
    assert calls.stuck_after([5.0] * 100) == 900
    assert calls.stuck_after([1_000.0] * 100) == 3_000


@pytest.mark.parametrize(
    ("failed", "answered", "usual", "expected"),
    [(20, 10, 0, True), (19, 0, 0, False), (40, 50, 0, False), (40, 0, 14, False)],
)
def test_a_storm_is_many_failures_beside_few_answers(failed, answered, usual, expected):
    assert calls.is_storm(failed, answered, usual) is expected
