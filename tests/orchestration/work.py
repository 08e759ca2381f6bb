"""Submit tasks as ada, run them in this process, and check what came of them."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from orchestration import services, task_texts
from orchestration.models import Attempt, SubTask, Task
from orchestration.queries.tasks_check import tasks_check
from orchestration.runners.base import Failed
from orchestration.worker import work_until_done
from tests.books import assert_books_balance
from tests.keys.builders import report
from tests.moments import NOON


def task_request(
    *sub_tasks: dict[str, Any] | str, budget: int = 100_000, **changes: Any
) -> services.TaskRequest:
    """A request for these sub-tasks; a string is the description of one."""
    given = tuple(one if isinstance(one, dict) else {"description": one} for one in sub_tasks)
    usual = {"name": "test", "total_budget": budget, "sub_tasks": given}
    return services.TaskRequest(**{**usual, **changes})


def submit(
    *sub_tasks: dict[str, Any] | str,
    agent: str = "ada",
    idempotency_key: str | None = None,
    **changes: Any,
) -> Task:
    """Submit a task now, as ada unless another agent is named."""
    task, _ = services.submit(
        agent=agent,
        request=task_request(*sub_tasks, **changes),
        idempotency_key=idempotency_key,
        now=timezone.now(),
    )
    return task


def submit_at_noon(*sub_tasks: dict[str, Any] | str, **changes: Any) -> Task:
    """Submit a task as ada, at noon."""
    return services.submit(agent="ada", request=task_request(*sub_tasks, **changes), now=NOON)[0]


def start_attempts(now: datetime = NOON, *, most: int = 100) -> list[Attempt]:
    """Start all attempts that can start at `now`, and lend each its tokens."""
    attempts = services.claim(worker="one", most=most, now=now)
    for attempt in attempts:
        services.lend(attempt, now=now)
        attempt.refresh_from_db()
    return attempts


def finish_attempt(
    attempt: Attempt, kind: str = "", *, used: int = 0, now: datetime = NOON, **outcome: Any
) -> None:
    """Finish an attempt that used so many tokens: it succeeds, or fails with this kind."""
    if used:
        attempt.refresh_from_db()
        report(attempt.allocation, used, now=now)
    status = "failed" if kind else "succeeded"
    fields = {"kind": kind, "says": kind} | outcome
    ended = services.AttemptOutcome(attempt.pk, attempt.fence, status, **fields)
    assert services.finish_many([ended], now=now) == [True]
    services.finalize(now=now)


def turns(number: int, *, begin: datetime = NOON, seconds: int = 2, most: int = 5) -> list[Attempt]:
    """Turns of a worker with few places as it makes them: what cannot be lent ends at once."""
    started = []
    for turn in range(number):
        now = begin + timedelta(seconds=turn * seconds)
        for attempt in services.claim(worker="one", most=most, now=now):
            try:
                services.lend(attempt, now=now)
            except Failed as failed:
                outcome = {"retry_after": failed.retry_after, "says": failed.says}
                finish_attempt(attempt, failed.kind, now=now, **outcome)
            else:
                started.append(attempt)
        services.sweep(now=now)
    return started


def run_until_done(task: Task) -> Task:
    """Run a worker until it finds nothing more to do. Returns the task as it is then."""
    work_until_done()
    task.refresh_from_db()
    return task


def statuses(task: Task) -> list[str]:
    """The statuses of its sub-tasks, in the order of the plan."""
    return list(SubTask.objects.filter(task=task, position__gt=0).values_list("status", flat=True))


def description_of(sub_task: SubTask) -> str:
    """The text of its description."""
    place = task_texts.description_of(sub_task.position)
    return task_texts.texts_of(sub_task.task).unseal(sub_task.sealed_description, place=place)


def result_of(sub_task: SubTask) -> str:
    """The text of its result."""
    place = task_texts.result_of(sub_task.position)
    return task_texts.texts_of(sub_task.task).unseal(sub_task.sealed_result, place=place)


def kinds(task: Task) -> list[str]:
    """The kinds of failure of its attempts, in the order in which they started."""
    return list(
        Attempt.objects.filter(task=task).order_by("pk").values_list("error_kind", flat=True)
    )


def assert_finalized(task: Task) -> None:
    """Every token of every attempt is finalized, and the books balance."""
    assert not Attempt.objects.filter(task=task, finalized_at=None).exists()
    task.refresh_from_db()
    used = sum(Attempt.objects.filter(task=task).values_list("used_tokens", flat=True))
    in_books = sum(Attempt.objects.filter(task=task).values_list("allocation__used", flat=True))
    assert (task.lent, task.used) == (0, used) == (0, in_books)
    assert task.used <= task.budget or task.overrun
    assert_tasks_balance()


def assert_tasks_balance() -> None:
    """Every invariant of the tasks and of the books holds."""
    for finding in tasks_check():
        assert finding.count == 0, f"{finding.check.name}: {finding.check.says}: {finding.rows}"
    assert_books_balance()


def say(words: str = "", **directive: Any) -> str:
    """A description that tells the sandbox how to answer."""
    settings = " ".join(f"{name}={value}" for name, value in directive.items())
    return f"{words} [[sandbox {settings}]]"
