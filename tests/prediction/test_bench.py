"""What the bench shows on recorded work, on made-up work of the same form."""

import subprocess
import sys

import numpy as np
import pytest

from bench.prediction import (
    anomalies,
    censoring,
    drift,
    recordings,
    replay,
    texts,
    waste,
    within_run,
)
from bench.prediction.recordings import Work
from prediction.learning.rows import Group

GROUP = Group("model-1", "ada", "report")


def work(count=80):
    random = np.random.default_rng(1)
    return [
        Work(f"Report {n} on {'ledgers' if n % 2 else 'invoices'}", GROUP, (tokens,) * 5)
        for n, tokens in enumerate(random.lognormal(8, 0.8, count))
    ]


def test_no_text_is_in_two_folds():
    twice = work(30) * 2
    fold = texts.folds(twice, 1)
    assert len(set(fold)) == texts.FOLDS
    assert (fold[:30] == fold[30:]).all()


def test_forecasts_do_not_shrink_themselves_where_those_without_cut_work_do():
    kept = censoring.shrinking(work(), "lower bound", seed=1, rounds=5)
    left_out = censoring.shrinking(work(), "left out", seed=1, rounds=5)
    assert left_out[-1] < 0.75 * left_out[0]
    assert kept[-1] > 0.8 * kept[0]


def test_coverage_holds_in_any_calls_in_a_row_when_answers_double():
    random = np.random.default_rng(2)
    inputs, outputs = random.lognormal(6, 1, 6_000), random.lognormal(5, 0.8, 6_000)
    outputs[3_500:] *= 2
    fixed, _ = drift.followed(inputs, outputs, adaptive=False)
    adaptive, _ = drift.followed(inputs, outputs, adaptive=True)
    assert drift.rolling(fixed)[0] < 0.8
    least, most = drift.rolling(adaptive)
    assert least >= 0.87
    assert most <= 0.93


def test_the_interval_of_a_run_covers_its_total_from_the_third_call_on():
    random = np.random.default_rng(3)
    runs = [np.cumsum(random.lognormal(8, 1, random.integers(4, 60))) for _ in range(300)]
    for calls in (3, 10):
        _, covered, width = within_run.interval(runs, calls, seed=1)
        assert covered >= 0.87
        assert width > 1


def test_waste_counts_what_was_not_used_and_budgets_that_were_not_enough():
    assert waste.waste(np.array([10.0, 10.0]), np.array([5.0, 20.0])) == (0.2, 0.5)


def test_a_replay_learns_of_tasks_that_had_ended_only(monkeypatch):
    done = [replay.Task(10.0 * n, 10.0 * n + 95, each) for n, each in enumerate(work(100))]
    ends = {task.work.text: task.ended for task in done}
    begins = {task.work.text: task.began for task in done}
    learned = replay._learned

    def seen(known, asked):
        assert max(ends[each.text] for each in known) < min(begins[each.text] for each in asked)
        assert len(known) >= replay.HISTORY - 10
        return learned(known, asked)

    monkeypatch.setattr(replay, "_learned", seen)
    found = replay.budgets_in_order(done, seed=1)
    assert found["learned, with probes"][0] >= found["learned"][0] > 0
    assert found["learned"][1] < 0.3


@pytest.mark.parametrize("arguments", [(), ("--data", "/nowhere")])
def test_the_bench_says_what_it_lacks(arguments, monkeypatch):
    monkeypatch.delenv("BUTLER_BENCH_DATA", raising=False)
    ended = subprocess.run(
        [sys.executable, "-m", "bench.prediction", *arguments], capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "BUTLER_BENCH_DATA" in ended.stderr
    assert recordings.RecordingsMissing


def test_what_is_planted_is_found_and_quiet_weeks_have_few_alarms():
    chance = np.random.default_rng(4)
    runs = [
        [
            anomalies.sessions.Call(20.0 * step, "model", 5_000 + int(chance.integers(9_000)), 300)
            for step in range(30)
        ]
        for _ in range(60)
    ]
    agent = anomalies.agent_of("ada", runs, chance)
    assert sum(anomalies.false_alarms([agent]).values()) <= 2
    for kind in ("spike", "loop", "stuck", "storm"):
        found = anomalies.planted(kind, [agent], chance)
        assert sum(each.hours is not None for each in found) >= anomalies.EACH - 1
