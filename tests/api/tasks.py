"""Submit tasks over HTTP, and run them without a worker and a gateway."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from orchestration import services as orchestration
from orchestration.models import Attempt
from tests.api.caller import Caller
from tests.keys.builders import report
from tests.orchestration import work

# The keyword planner finds three sub-tasks in it.
THREE_SUB_TASKS = "Research market trends, analyze data, write report"


def submit(caller: Caller, *, idempotency_key: str | None = None, **changes: Any):
    """Submit a task, by default with three sub-tasks. Returns the response."""
    usual = {"name": "test", "total_budget": 100_000}
    if "sub_tasks" not in changes:
        usual["description"] = THREE_SUB_TASKS
    return caller.post("/tasks", idempotency_key=idempotency_key, **{**usual, **changes})


def parts(*ids: str, **changes: Any) -> list[dict[str, Any]]:
    """Sub-tasks with these ids."""
    return [{"id": key, "description": f"do {key}", **changes} for key in ids]


def start_attempts(*, most: int = 100) -> list[Attempt]:
    """Start all attempts that can start now, and lend each its tokens."""
    return work.start_attempts(timezone.now(), most=most)


def spend(attempt: Attempt, tokens: int) -> None:
    """Use so many tokens of the allocation of an attempt."""
    report(attempt.allocation, tokens, now=timezone.now())


def finish_attempt(attempt: Attempt, status: str = "succeeded", **outcome: Any) -> datetime:
    """Finish an attempt and finalize it. Returns when."""
    now = timezone.now()
    ended = orchestration.AttemptOutcome(attempt.pk, attempt.fence, status, **outcome)
    assert orchestration.finish_many([ended], now=now) == [True]
    orchestration.finalize(now=now)
    return now


def complete_task(caller: Caller, **changes: Any) -> int:
    """Submit a task and let each of its sub-tasks succeed with 100 tokens. Returns its id."""
    task = submit(caller, **changes).json()["id"]
    while attempts := start_attempts():
        for attempt in attempts:
            spend(attempt, 100)
            finish_attempt(attempt, text=f"did {attempt.sub_task.key}")
    return task
