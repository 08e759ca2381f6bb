"""Many workers at once: each part is begun once, no limit is passed, one end is heard."""

from collections import Counter
from datetime import timedelta
from itertools import count

import pytest
from django.conf import settings
from django.utils import timezone

from keys.models import Allocation
from orchestration import services
from orchestration.models import Attempt, Concurrency, SubTask, Task
from orchestration.refusals import TooManyOpenTasks
from orchestration.runners.base import Failed
from orchestration.services import AttemptOutcome
from orchestration.services.finalize import _finalize
from tests.actors import ADA
from tests.gateway.server import supply
from tests.orchestration.work import (
    assert_finalized,
    assert_tasks_balance,
    statuses,
    submit,
    task_request,
)
from tests.threads import overtaken, refused

pytestmark = pytest.mark.django_db(transaction=True)

CLAIMERS = 50
_WORKERS = count(1)


@pytest.fixture(autouse=True)
def _office():
    supply("nvidia-1", "nvidia-2")


def _parts(number: int) -> list[dict]:
    return [{"description": f"part {n}"} for n in range(number)]


def _claim(most: int = 5) -> list[Attempt]:
    return services.claim(worker=f"w-{next(_WORKERS)}", most=most, now=timezone.now())


def _claim_at_once(at_once, *, most: int = 5) -> list[Attempt]:
    answers = at_once(lambda _: _claim(most), times=CLAIMERS)
    assert not refused(answers)
    return [attempt for answer in answers for attempt in answer]


def _finish(attempt: Attempt, **changes) -> bool:
    ended = AttemptOutcome(
        attempt.pk, attempt.fence, **{"status": "succeeded", "text": "done"} | changes
    )
    return services.finish_many([ended], now=timezone.now())[0]


def test_fifty_claimers_begin_twenty_parts_once_each(at_once):
    task = submit(*_parts(20), max_concurrent=100)
    claimed = _claim_at_once(at_once)
    assert len(claimed) == len({attempt.sub_task_id for attempt in claimed}) == 20
    assert set(SubTask.objects.values_list("attempts_made", flat=True)) == {1}
    task.refresh_from_db()
    assert task.lent == sum(attempt.tokens for attempt in claimed) <= task.budget
    assert_tasks_balance()


def test_no_more_of_a_task_run_than_it_allows(at_once):
    submit(*_parts(40), max_concurrent=7)
    assert len(_claim_at_once(at_once)) == 7
    assert_tasks_balance()


@pytest.mark.parametrize(
    "scope", ["all", "agent:ada", "centre:org", "provider:nvidia", "runner:model"]
)
def test_no_more_run_than_a_limit_of_all_tasks_allows(at_once, scope):
    Concurrency.objects.create(scope=scope, attempts_max=9)
    for _ in range(5):
        submit(*_parts(10), max_concurrent=10, provider="nvidia")
    assert len(_claim_at_once(at_once)) == 9
    assert Attempt.objects.filter(status="running").count() == 9


def test_without_a_limit_in_a_row_the_setting_holds(at_once, monkeypatch):
    monkeypatch.setattr(settings, "ATTEMPTS_MAX", 4)
    submit(*_parts(20), max_concurrent=20)
    assert len(_claim_at_once(at_once)) == 4


def test_agents_get_equal_numbers_of_slots_from_claims_at_once(at_once, monkeypatch):
    monkeypatch.setattr(settings, "ATTEMPTS_MAX", 20)
    submit(*_parts(60), max_concurrent=100)
    services.submit(
        agent="bob", request=task_request(*_parts(60), max_concurrent=100), now=timezone.now()
    )
    started = _claim_at_once(at_once, most=1)
    assert Counter(attempt.task.agent_id for attempt in started) == {"ada": 10, "bob": 10}


def test_tasks_submitted_at_once_stay_within_the_most_of_an_agent(at_once, monkeypatch):
    monkeypatch.setattr(settings, "AGENT_OPEN_TASKS_MAX", 3)
    answers = at_once(lambda _: submit("gather"), times=12)
    assert refused(answers, TooManyOpenTasks) == 9
    assert Task.objects.count() == 3


def test_tokens_lent_at_once_stay_within_the_budget(at_once):
    tasks = [submit(*_parts(20), max_concurrent=20, budget=20_000) for _ in range(3)]
    _claim_at_once(at_once)
    for task in tasks:
        task.refresh_from_db()
        assert task.lent <= task.budget
    assert_tasks_balance()


def test_of_many_ends_with_one_fence_one_is_heard(at_once):
    task = submit("gather")
    (attempt,) = _claim()
    heard = at_once(lambda _: _finish(attempt), times=8)
    assert sorted(heard) == [False] * 7 + [True]
    assert statuses(task) == ["succeeded"]
    assert_tasks_balance()


def test_an_end_that_says_otherwise_at_once_changes_nothing(at_once):
    task = submit("gather", retry_on_failure=False)
    (attempt,) = _claim()
    ends = [{}, {"status": "failed", "text": "", "kind": "failed", "says": "no"}]
    heard = at_once(lambda n: _finish(attempt, **ends[n % 2]), times=8)
    assert sum(heard) == 1
    attempt.refresh_from_db()
    assert statuses(task) == [attempt.status]
    assert_tasks_balance()


def test_who_was_taken_over_is_not_heard_and_who_took_over_is():
    task = submit("gather")
    (silent,) = _claim()
    later = timezone.now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS + 1)
    (taken,) = services.take_over(worker="other", most=5, now=later)
    assert (taken.pk, taken.fence) == (silent.pk, silent.fence + 1)
    assert not _finish(silent)
    assert statuses(task) == ["running"]
    assert _finish(taken)
    assert statuses(task) == ["succeeded"]


def test_of_many_who_would_take_over_one_does(at_once):
    submit("gather")
    _claim()
    later = timezone.now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS + 1)
    taken = at_once(lambda n: services.take_over(worker=f"t-{n}", most=5, now=later), times=20)
    assert sum(len(attempts) for attempts in taken) == 1
    assert Attempt.objects.get().fence == 2


def test_an_end_that_comes_while_it_is_taken_over_is_heard_or_not_but_once():
    submit("gather")
    (silent,) = _claim()
    later = timezone.now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS + 1)
    heard = overtaken(
        first=lambda: services.take_over.__wrapped__(worker="other", most=5, now=later),
        then=lambda: _finish(silent),
    )
    assert heard is False
    assert Attempt.objects.get().status == "running"


def test_what_is_claimed_while_it_is_cancelled_is_not_begun():
    task = submit("gather")
    claimed = overtaken(
        first=lambda: services.cancel.__wrapped__(task_id=task.pk, actor=ADA, now=timezone.now()),
        then=_claim,
    )
    assert claimed == []
    assert (statuses(task), Task.objects.get().status) == (["cancelled"], "cancelled")
    assert_tasks_balance()


def test_what_is_claimed_while_its_task_is_paused_is_not_begun():
    task = submit("gather")
    claimed = overtaken(
        first=lambda: services.pause.__wrapped__(task_id=task.pk, actor=ADA, now=timezone.now()),
        then=_claim,
    )
    assert (claimed, statuses(task)) == ([], ["waiting"])


def test_what_is_cancelled_while_it_is_claimed_is_stopped():
    task = submit("gather", "analyze", max_concurrent=1)
    overtaken(
        first=lambda: services.claim.__wrapped__(worker="w", most=5, now=timezone.now()),
        then=lambda: services.cancel(task_id=task.pk, actor=ADA, now=timezone.now()),
    )
    attempt = Attempt.objects.get()
    assert attempt.cancel_asked_at
    assert sorted(statuses(task)) == ["cancelled", "running"]
    assert _finish(attempt, status="cancelled", text="", kind="cancelled")
    assert Task.objects.get().status == "cancelled"
    assert_tasks_balance()


def test_claims_and_cancels_at_once_leave_nothing_waiting(at_once):
    tasks = [submit(*_parts(10), max_concurrent=10) for _ in range(4)]

    def either(number: int):
        if number % 5:
            return _claim()
        task = tasks[number // 5 % 4]
        return services.cancel(task_id=task.pk, actor=ADA, now=timezone.now())

    answers = at_once(either, times=40)
    assert not refused(answers)
    assert not SubTask.objects.filter(status__in=SubTask.TO_COME).exists()
    running = Attempt.objects.filter(status="running")
    assert not running.filter(cancel_asked_at=None).exists()
    assert_tasks_balance()


def test_of_many_who_lend_an_attempt_all_get_one_allocation(at_once):
    submit("gather")
    (attempt,) = _claim()
    # Each has a little less time left than the one before.
    now = timezone.now()
    works = at_once(lambda n: services.lend(attempt, now=now + timedelta(seconds=n)), times=20)
    assert not refused(works)
    assert {work.allocation_id for work in works} == {Allocation.objects.get().pk}
    assert_tasks_balance()


def test_who_was_taken_over_leaves_the_allocation_to_who_took_over():
    submit("gather")
    (silent,) = _claim()
    later = timezone.now() + timedelta(seconds=settings.ATTEMPT_LEASE_SECONDS + 1)
    (taken,) = services.take_over(worker="other", most=5, now=later)
    services.lend(taken, now=timezone.now())
    with pytest.raises(Failed, match="taken over"):
        services.lend(silent, now=timezone.now())
    assert Allocation.objects.get().status == "active"


def test_what_is_lent_too_late_is_closed():
    submit("gather", retry_on_failure=False)
    (attempt,) = _claim()
    assert _finish(attempt, status="failed", text="", kind="failed")
    services.finalize(now=timezone.now())
    with pytest.raises(Failed, match="taken over"):
        services.lend(attempt, now=timezone.now())
    assert Allocation.objects.get().status == "failed"
    assert_tasks_balance()


def test_finalized_at_once_counts_once(at_once):
    task = submit(*_parts(4), max_concurrent=4)
    attempts = _claim()
    for attempt in attempts:
        services.lend(attempt, now=timezone.now())
        _finish(attempt)
    done = at_once(lambda _: services.finalize(now=timezone.now()), times=8)
    assert not refused(done)
    assert_finalized(task)


def test_finalized_while_somebody_else_does_it_counts_once():
    task = submit("gather", retry_on_failure=False)
    (attempt,) = _claim()
    _finish(attempt, status="failed", text="", kind="failed")
    once = _finalize.__wrapped__
    overtaken(
        first=lambda: once([attempt.pk], now=timezone.now()),
        then=lambda: services.finalize(now=timezone.now()),
    )
    task.refresh_from_db()
    assert (task.lent, task.used) == (0, 0)
    assert_tasks_balance()


def test_the_same_request_fifty_times_at_once_is_one_task(at_once):
    tasks = at_once(lambda _: submit("gather", "analyze", idempotency_key="once"), times=50)
    assert {task.pk for task in tasks} == {Task.objects.get().pk}
    assert SubTask.objects.count() == 2
