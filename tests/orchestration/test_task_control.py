"""People and agents steer a task: cancel, pause, resume, approve, retry."""

import itertools
import threading
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from common.refusal import Refusal
from keys.refusals import ModelNotFound, ProviderNotFound
from orchestration import services
from orchestration.models import SubTask, Task
from orchestration.refusals import BudgetTooSmall, NothingToRetry, SubTaskNotFound, TaskEnded
from orchestration.worker import work_until_done
from security.models import AuditEntry
from tests.actors import ACTOR, CAROL
from tests.keys.builders import add_key
from tests.moments import NOON
from tests.orchestration.work import (
    assert_finalized,
    finish_attempt,
    result_of,
    say,
    start_attempts,
    statuses,
    submit,
    submit_at_noon,
)
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(people):
    """ada, with a key."""
    add_key("nvidia-1", per_day=10_000_000)


def test_cancelling_ends_what_runs_within_seconds_and_what_it_used_is_known(office):
    """O02."""
    task = submit(say("gather", latency_ms=6_500), {"description": "write", "depends_on": ["1"]})
    worker = threading.Thread(target=_work)
    worker.start()
    wait_until(lambda: office.under_way() == 1)
    services.cancel(task_id=task.pk, actor=ACTOR, now=timezone.now())
    wait_until(lambda: Task.objects.get(pk=task.pk).status == "cancelled", seconds=5)
    assert statuses(task) == ["cancelled", "cancelled"]
    worker.join(timeout=60)
    # The provider ended its answer; that is what is paid.
    (billed,) = office.log()
    task.refresh_from_db()
    assert task.used == billed["input"] + billed["output"]
    assert_finalized(task)


def _work():
    try:
        work_until_done()
    finally:
        connection.close()


def test_cancelling_twice_is_once_and_after_the_end_is_refused(ada):
    """O17."""
    task = submit_at_noon("gather")
    for _ in range(2):
        assert services.cancel(task_id=task.pk, actor=ACTOR, now=NOON).status == "cancelled"
    done = submit_at_noon("gather")
    finish_attempt(start_attempts()[0])
    with pytest.raises(TaskEnded):
        services.cancel(task_id=done.pk, actor=ACTOR, now=NOON)


def test_nothing_begins_while_a_task_is_paused_and_its_time_stands_still(ada):
    """O41."""
    task = submit_at_noon("gather", "write", max_concurrent=1, timeout=600)
    (running,) = start_attempts()
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON)
    finish_attempt(running)
    assert start_attempts() == []
    later = NOON + timedelta(hours=1)
    assert services.sweep(now=later) == 0
    resumed = services.resume(task_id=task.pk, actor=ACTOR, now=later)
    assert resumed.deadline_at == later + timedelta(seconds=600)
    assert len(start_attempts(later)) == 1


def test_steps_in_any_order_end_in_a_consistent_task(ada):
    """O41."""
    steps = {
        "pause": services.pause,
        "resume": services.resume,
        "cancel": services.cancel,
        "retry": services.retry_failed,
    }
    for order in itertools.product([*steps, "deadline"], repeat=2):
        task = submit_at_noon("gather", {"description": "write", "depends_on": ["1"]}, timeout=600)
        (running,) = start_attempts()
        now = NOON
        for step in order:
            if step == "deadline":
                now += timedelta(seconds=700)
            else:
                with suppress(Refusal):
                    steps[step](task_id=task.pk, actor=ACTOR, now=now)
            services.sweep(now=now)
        finish_attempt(running)
        services.finalize(now=now)
        task.refresh_from_db()
        if task.status in ("active", "paused"):
            assert "cancel" not in order
            services.cancel(task_id=task.pk, actor=ACTOR, now=now)
            services.finalize(now=now)
            task.refresh_from_db()
        assert_finalized(task)


def test_a_gate_waits_for_a_person(ada):
    task = submit_at_noon("gather", {"description": "deploy", "needs_approval": True})
    assert statuses(task) == ["waiting", "gated"]
    assert [attempt.sub_task.key for attempt in start_attempts()] == ["1"]
    approved = services.approve(task_id=task.pk, key="2", actor=CAROL, now=NOON)
    assert (approved.status, approved.approved_by) == ("waiting", "carol")
    assert [attempt.sub_task.key for attempt in start_attempts()] == ["2"]


def test_what_is_approved_early_still_waits_for_its_dependencies(ada):
    task = submit_at_noon(
        "gather", {"description": "deploy", "needs_approval": True, "depends_on": ["1"]}
    )
    services.approve(task_id=task.pk, key="2", actor=CAROL, now=NOON)
    assert statuses(task) == ["waiting", "blocked"]
    finish_attempt(start_attempts()[0])
    assert statuses(task) == ["succeeded", "waiting"]
    with pytest.raises(SubTaskNotFound):
        services.approve(task_id=task.pk, key="9", actor=CAROL, now=NOON)


def test_a_retry_runs_only_what_failed(ada):
    task = submit_at_noon("gather", "analyze", {"description": "write", "depends_on": ["2"]})
    first, second = start_attempts()
    finish_attempt(first, used=100)
    finish_attempt(second, "refused", used=200)
    task.refresh_from_db()
    assert (task.status, statuses(task)) == ("partial", ["succeeded", "failed", "failed"])
    services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)
    assert statuses(task) == ["succeeded", "waiting", "blocked"]
    for _ in range(2):
        finish_attempt(start_attempts()[0], used=50)
    task.refresh_from_db()
    assert (task.status, task.used) == ("completed", 400)
    # Who retried it is not why it ended.
    assert task.status_reason == ""
    assert_finalized(task)
    with pytest.raises(NothingToRetry):
        services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)


def test_a_retry_of_one_part_takes_along_what_it_needs_and_what_only_waits_for_it(ada):
    """1 ◀─ 2 ◀─ 4 and 3 ◀─ 4, 2 ◀─ 5: with 2 come 1, which it needs, and 5, but not 4."""
    task = submit_at_noon(
        "gather",
        {"description": "analyze", "depends_on": ["1"]},
        "survey",
        {"description": "write", "depends_on": ["2", "3"]},
        {"description": "draw", "depends_on": ["2"]},
        "count",
    )
    first, third, other = start_attempts()
    finish_attempt(other)
    for attempt in (first, third):
        finish_attempt(attempt, "refused")
    assert statuses(task) == ["failed"] * 5 + ["succeeded"]
    for key, refusal in (("6", NothingToRetry), ("9", SubTaskNotFound)):
        with pytest.raises(refusal):
            services.retry_failed(task_id=task.pk, key=key, actor=ACTOR, now=NOON)
    services.retry_failed(task_id=task.pk, key="2", reason="again", actor=ACTOR, now=NOON)
    assert statuses(task) == ["waiting", "blocked", "failed", "failed", "blocked", "succeeded"]
    assert AuditEntry.objects.first().reason == "again"
    for _ in range(3):
        finish_attempt(start_attempts()[0])
    task.refresh_from_db()
    assert (task.status, statuses(task)[2:4]) == ("partial", ["failed", "failed"])
    services.retry_failed(task_id=task.pk, key="4", actor=ACTOR, now=NOON)
    for _ in range(2):
        finish_attempt(start_attempts()[0])
    task.refresh_from_db()
    assert task.status == "completed"
    assert_finalized(task)


def test_a_retry_splits_what_is_left_and_asks_for_more_when_that_is_too_little(ada):
    task = submit_at_noon("gather", "write", budget=1_400)
    for attempt in start_attempts():
        finish_attempt(attempt, "refused", used=660)
    with pytest.raises(BudgetTooSmall) as refused:
        services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)
    assert refused.value.left == 80
    services.retry_failed(task_id=task.pk, additional_budget=320, actor=ACTOR, now=NOON)
    assert [attempt.tokens for attempt in start_attempts()] == [200, 200]


def test_a_repeated_retry_is_the_same_retry_also_when_it_is_over(ada):
    task = submit_at_noon("gather", budget=1_000)
    for _ in range(2):
        if attempts := start_attempts():
            finish_attempt(attempts[0], "refused", used=10)
        asked = {"additional_budget": 500, "idempotency_key": "again"}
        services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON, **asked)
    task.refresh_from_db()
    assert (task.budget, statuses(task)) == (1_500, ["failed"])


def test_retries_are_paid_by_what_is_left_and_the_reserve_never_on_top(ada):
    task = submit_at_noon("gather", "write", budget=10_000, reserve_percent=20, max_concurrent=1)
    (first,) = start_attempts()
    assert first.tokens == 4_000
    finish_attempt(first, "failed", used=3_900)
    later = NOON + timedelta(minutes=5)
    second = start_attempts(later)[0]
    # 100 that it left, and the reserve of 2,000; the other's share is not touched.
    assert (second.sub_task.key, second.tokens) == ("1", 2_100)
    finish_attempt(second, "failed", used=2_100, now=later)
    later += timedelta(minutes=5)
    # Nothing is left for it; the other one may return something.
    assert start_attempts(later) == []
    (other,) = start_attempts(later)
    assert (other.sub_task.key, other.tokens) == ("2", 4_000)
    finish_attempt(other, used=4_000, now=later)
    assert start_attempts(later + timedelta(minutes=5)) == []
    failed = SubTask.objects.get(task=task, key="1")
    assert (failed.status, failed.error_kind) == ("failed", "budget_exhausted")


def test_what_a_finished_part_returns_is_given_to_those_that_wait(ada):
    submit_at_noon("gather", {"description": "write", "depends_on": ["1"]}, budget=10_000)
    finish_attempt(start_attempts()[0], used=1_000)
    (second,) = start_attempts()
    assert second.tokens == 9_000


def test_at_its_soft_limit_a_task_pauses_and_asks(ada):
    task = submit_at_noon("gather", "write", budget=10_000, soft_limit_percent=30, max_concurrent=1)
    finish_attempt(start_attempts()[0], used=3_000)
    task.refresh_from_db()
    assert (task.status, start_attempts()) == ("paused", [])
    assert Alert.objects.get().kind == "task_at_soft_limit"
    services.resume(task_id=task.pk, actor=CAROL, now=NOON)
    finish_attempt(start_attempts()[0], used=3_000)
    task.refresh_from_db()
    assert task.status == "completed"


def test_a_silent_workers_attempt_is_taken_over_and_its_late_answer_ignored(ada):
    task = submit_at_noon("gather")
    (lost,) = start_attempts()
    later = NOON + timedelta(minutes=1)
    assert services.take_over(worker="other", most=5, now=NOON) == []
    (taken,) = services.take_over(worker="other", most=5, now=later)
    late = services.AttemptOutcome(lost.pk, lost.fence, "succeeded", text="late")
    assert services.finish_many([late], now=later) == [False]
    assert (taken.fence, taken.worker, statuses(task)) == (2, "other", ["running"])
    heard = services.AttemptOutcome(taken.pk, taken.fence, "succeeded", text="in time")
    assert services.finish_many([heard], now=later) == [True]
    assert result_of(SubTask.objects.get()) == "in time"


def test_what_loses_its_workers_again_and_again_is_quarantined(ada, settings):
    settings.ATTEMPT_RECOVERIES_MAX = 2
    task = submit_at_noon("gather", max_retries=0)
    for _ in range(3):
        finish_attempt(start_attempts()[0], "lost")
    task.refresh_from_db()
    sub_task = SubTask.objects.get()
    assert (task.status, sub_task.error_kind, sub_task.attempts_made) == (
        "failed",
        "quarantined",
        3,
    )
    assert Alert.objects.get().kind == "sub_task_quarantined"


def test_what_waits_for_a_limit_is_no_retry_and_ends_when_it_waits_too_long(ada):
    task = submit_at_noon("gather", max_retries=0, waiting_timeout=60)
    finish_attempt(start_attempts()[0], "no_capacity", retry_after=5)
    assert statuses(task) == ["waiting"]
    assert start_attempts(NOON + timedelta(seconds=4)) == []
    again = start_attempts(NOON + timedelta(seconds=6))[0]
    finish_attempt(again, "no_capacity", now=NOON + timedelta(seconds=6))
    assert services.sweep(now=NOON + timedelta(seconds=61)) == 1
    task.refresh_from_db()
    assert (task.status, SubTask.objects.get().error_kind) == ("failed", "waited_too_long")


def test_a_task_that_takes_too_long_ends_with_what_it_has(ada):
    task = submit_at_noon("gather", "write", max_concurrent=1, timeout=600, running_timeout=60)
    finish_attempt(start_attempts()[0])
    assert services.sweep(now=NOON + timedelta(seconds=601)) == 1
    task.refresh_from_db()
    assert (task.status, statuses(task)) == ("partial", ["succeeded", "failed"])
    assert SubTask.objects.get(key="2").error_kind == "task_timeout"


def test_a_provider_or_model_that_nobody_has_is_refused_at_once(ada):
    with pytest.raises(ModelNotFound):
        submit_at_noon({"description": "gather", "model": "gpt-99"})
    with pytest.raises(ProviderNotFound):
        submit_at_noon("gather", provider="nobody")
    assert not Task.objects.exists()
