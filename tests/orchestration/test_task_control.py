"""People and agents steer a task: cancel, pause, resume, approve, retry."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alerts.models import Alert
from keys.refusals import ModelNotFound, ProviderNotFound
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from orchestration.refusals import BudgetTooSmall, NothingToRetry, SubTaskNotFound, TaskEnded
from orchestration.worker import work_until_done
from tests.actors import ACTOR, CAROL
from tests.keys.builders import add_key, report
from tests.moments import NOON
from tests.orchestration.work import assert_finalized, say, statuses, submit, task_request
from tests.threads import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(people):
    """ada, with a key."""
    add_key("nvidia-1", per_day=10_000_000)


def task_of(*sub_tasks, **changes) -> Task:
    """A task submitted at noon."""
    return services.submit(agent="ada", request=task_request(*sub_tasks, **changes), now=NOON)[0]


def begin(now=NOON) -> list[Attempt]:
    """What can begin, begun and lent its tokens."""
    begun = services.claim(worker="one", most=100, now=now)
    for attempt in begun:
        services.lend(attempt, now=now)
    return begun


def end(attempt: Attempt, kind: str = "", *, used: int = 0, now=NOON, **failure) -> None:
    """It ends, having used so many tokens."""
    if used:
        attempt.refresh_from_db()
        report(attempt.allocation, used, now=now)
    status = "failed" if kind else "succeeded"
    ended = services.AttemptOutcome(
        attempt.pk, attempt.fence, status, kind=kind, says=kind, **failure
    )
    assert services.finish_many([ended], now=now) == [True]
    services.finalize(now=now)


def test_cancelling_ends_what_runs_within_seconds_and_what_it_used_is_known(office):
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
    task = task_of("gather")
    for _ in range(2):
        assert services.cancel(task_id=task.pk, actor=ACTOR, now=NOON).status == "cancelled"
    done = task_of("gather")
    end(begin()[0])
    with pytest.raises(TaskEnded):
        services.cancel(task_id=done.pk, actor=ACTOR, now=NOON)


def test_nothing_begins_while_a_task_is_paused_and_its_time_stands_still(ada):
    task = task_of("gather", "write", max_concurrent=1, timeout=600)
    (running,) = begin()
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON)
    end(running)
    assert begin() == []
    later = NOON + timedelta(hours=1)
    assert services.sweep(now=later) == 0
    resumed = services.resume(task_id=task.pk, actor=ACTOR, now=later)
    assert resumed.deadline_at == later + timedelta(seconds=600)
    assert len(begin(later)) == 1


def test_a_gate_waits_for_a_person(ada):
    task = task_of("gather", {"description": "deploy", "needs_approval": True})
    assert statuses(task) == ["waiting", "gated"]
    assert [attempt.sub_task.key for attempt in begin()] == ["1"]
    approved = services.approve(task_id=task.pk, key="2", actor=CAROL, now=NOON)
    assert (approved.status, approved.approved_by) == ("waiting", "carol")
    assert [attempt.sub_task.key for attempt in begin()] == ["2"]


def test_what_is_approved_early_still_waits_for_its_dependencies(ada):
    task = task_of("gather", {"description": "deploy", "needs_approval": True, "depends_on": ["1"]})
    services.approve(task_id=task.pk, key="2", actor=CAROL, now=NOON)
    assert statuses(task) == ["waiting", "blocked"]
    end(begin()[0])
    assert statuses(task) == ["succeeded", "waiting"]
    with pytest.raises(SubTaskNotFound):
        services.approve(task_id=task.pk, key="9", actor=CAROL, now=NOON)


def test_a_retry_runs_only_what_failed(ada):
    task = task_of("gather", "analyze", {"description": "write", "depends_on": ["2"]})
    first, second = begin()
    end(first, used=100)
    end(second, "refused", used=200)
    task.refresh_from_db()
    assert (task.status, statuses(task)) == ("partial", ["succeeded", "failed", "failed"])
    services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)
    assert statuses(task) == ["succeeded", "waiting", "blocked"]
    for _ in range(2):
        end(begin()[0], used=50)
    task.refresh_from_db()
    assert (task.status, task.used) == ("completed", 400)
    assert_finalized(task)
    with pytest.raises(NothingToRetry):
        services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)


def test_a_retry_splits_what_is_left_and_asks_for_more_when_that_is_too_little(ada):
    task = task_of("gather", "write", budget=1_000)
    for attempt in begin():
        end(attempt, "refused", used=460)
    with pytest.raises(BudgetTooSmall) as refused:
        services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON)
    assert refused.value.left == 80
    services.retry_failed(task_id=task.pk, additional_budget=320, actor=ACTOR, now=NOON)
    assert [attempt.tokens for attempt in begin()] == [200, 200]


def test_a_repeated_retry_is_the_same_retry_also_when_it_is_over(ada):
    task = task_of("gather", budget=1_000)
    for _ in range(2):
        if attempts := begin():
            end(attempts[0], "refused", used=10)
        asked = {"additional_budget": 500, "idempotency_key": "again"}
        services.retry_failed(task_id=task.pk, actor=ACTOR, now=NOON, **asked)
    task.refresh_from_db()
    assert (task.budget, statuses(task)) == (1_500, ["failed"])


def test_retries_are_paid_by_what_is_left_and_the_reserve_never_on_top(ada):
    task = task_of("gather", "write", budget=10_000, reserve_percent=20, max_concurrent=1)
    (first,) = begin()
    assert first.tokens == 4_000
    end(first, "failed", used=3_900)
    later = NOON + timedelta(minutes=5)
    second = begin(later)[0]
    # 100 that it left, and the reserve of 2,000; the other's share is not touched.
    assert (second.sub_task.key, second.tokens) == ("1", 2_100)
    end(second, "failed", used=2_100, now=later)
    later += timedelta(minutes=5)
    # Nothing is left for it; the other one may return something.
    assert begin(later) == []
    (other,) = begin(later)
    assert (other.sub_task.key, other.tokens) == ("2", 4_000)
    end(other, used=4_000, now=later)
    assert begin(later + timedelta(minutes=5)) == []
    failed = SubTask.objects.get(task=task, key="1")
    assert (failed.status, failed.error_kind) == ("failed", "budget_exhausted")


def test_what_a_finished_part_returns_is_given_to_those_that_wait(ada):
    task_of("gather", {"description": "write", "depends_on": ["1"]}, budget=10_000)
    end(begin()[0], used=1_000)
    (second,) = begin()
    assert second.tokens == 9_000


def test_at_its_soft_limit_a_task_pauses_and_asks(ada):
    task = task_of("gather", "write", budget=10_000, soft_limit_percent=30, max_concurrent=1)
    end(begin()[0], used=3_000)
    task.refresh_from_db()
    assert (task.status, begin()) == ("paused", [])
    assert Alert.objects.get().kind == "task_at_soft_limit"
    services.resume(task_id=task.pk, actor=CAROL, now=NOON)
    end(begin()[0], used=3_000)
    task.refresh_from_db()
    assert task.status == "completed"


def test_a_silent_workers_attempt_is_taken_over_and_its_late_answer_ignored(ada):
    task = task_of("gather")
    (lost,) = begin()
    later = NOON + timedelta(minutes=1)
    assert services.take_over(worker="other", most=5, now=NOON) == []
    (taken,) = services.take_over(worker="other", most=5, now=later)
    late = services.AttemptOutcome(lost.pk, lost.fence, "succeeded", text="late")
    assert services.finish_many([late], now=later) == [False]
    assert (taken.fence, taken.worker, statuses(task)) == (2, "other", ["running"])
    heard = services.AttemptOutcome(taken.pk, taken.fence, "succeeded", text="in time")
    assert services.finish_many([heard], now=later) == [True]
    assert SubTask.objects.get().result == "in time"


def test_what_loses_its_workers_again_and_again_is_quarantined(ada, settings):
    settings.ATTEMPT_RECOVERIES_MAX = 2
    task = task_of("gather", max_retries=0)
    for _ in range(3):
        end(begin()[0], "lost")
    task.refresh_from_db()
    sub_task = SubTask.objects.get()
    assert (task.status, sub_task.error_kind, sub_task.attempts_made) == (
        "failed",
        "quarantined",
        3,
    )
    assert Alert.objects.get().kind == "sub_task_quarantined"


def test_what_waits_for_a_limit_is_no_retry_and_ends_when_it_waits_too_long(ada):
    task = task_of("gather", max_retries=0, waiting_timeout=60)
    end(begin()[0], "no_capacity", retry_after=5)
    assert statuses(task) == ["waiting"]
    assert begin(NOON + timedelta(seconds=4)) == []
    again = begin(NOON + timedelta(seconds=6))[0]
    end(again, "no_capacity", now=NOON + timedelta(seconds=6))
    assert services.sweep(now=NOON + timedelta(seconds=61)) == 1
    task.refresh_from_db()
    assert (task.status, SubTask.objects.get().error_kind) == ("failed", "waited_too_long")


def test_a_task_that_takes_too_long_ends_with_what_it_has(ada):
    task = task_of("gather", "write", max_concurrent=1, timeout=600, running_timeout=60)
    end(begin()[0])
    assert services.sweep(now=NOON + timedelta(seconds=601)) == 1
    task.refresh_from_db()
    assert (task.status, statuses(task)) == ("partial", ["succeeded", "failed"])
    assert SubTask.objects.get(key="2").error_kind == "task_timeout"


def test_a_provider_or_model_that_nobody_has_is_refused_at_once(ada):
    with pytest.raises(ModelNotFound):
        task_of({"description": "gather", "model": "gpt-99"})
    with pytest.raises(ProviderNotFound):
        task_of("gather", provider="nobody")
    assert not Task.objects.exists()
