"""Tasks of ada's over HTTP, worked on by hand: no worker and no gateway is needed."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from orchestration import services as orchestration
from orchestration.models import Attempt
from tests.api.caller import Caller
from tests.keys.builders import report

SEED = "Research market trends, analyze data, write report"


def submit(caller: Caller, *, idempotency_key: str | None = None, **changes: Any):
    """The answer to a task: the one of the specification, unless told."""
    usual = {"name": "test", "total_budget": 100_000}
    if "sub_tasks" not in changes:
        usual["description"] = SEED
    return caller.post("/tasks", idempotency_key=idempotency_key, **{**usual, **changes})


def parts(*ids: str, **changes: Any) -> list[dict[str, Any]]:
    """Sub-tasks with these ids."""
    return [{"id": key, "description": f"do {key}", **changes} for key in ids]


def begun(*, most: int = 100) -> list[Attempt]:
    """What a worker claims now, each lent its budget."""
    now = timezone.now()
    attempts = orchestration.claim(worker="test", most=most, now=now)
    for attempt in attempts:
        orchestration.lend(attempt, now=now)
        attempt.refresh_from_db()
    return attempts


def spend(attempt: Attempt, tokens: int) -> None:
    """A call of its sub-agent."""
    report(attempt.allocation, tokens, now=timezone.now())


def end(attempt: Attempt, status: str = "succeeded", **said: Any) -> datetime:
    """Its worker says how it ended, and finalizes it."""
    now = timezone.now()
    ended = orchestration.AttemptOutcome(attempt.pk, attempt.fence, status, **said)
    assert orchestration.finish_many([ended], now=now) == [True]
    orchestration.finalize(now=now)
    return now


def do(caller: Caller, **changes: Any) -> int:
    """Submit a task and have each of its parts succeed, using 100 tokens; its id."""
    task = submit(caller, **changes).json()["id"]
    while attempts := begun():
        for attempt in attempts:
            spend(attempt, 100)
            end(attempt, text=f"did {attempt.sub_task.key}")
    return task
