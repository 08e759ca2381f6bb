"""`kill -9` of anything while tasks run: every task ends, and nothing is lost or done twice.

`BUTLER_TASK_KILLS=30` is the full size; `BUTLER_TASK_SEED` repeats a run.
"""

import os
import random
import time
from collections import Counter

import pytest
from django.core.management import call_command
from django.utils import timezone

from keys import services as keys
from keys.models import Allocation, Charge
from orchestration.models import Attempt, SubTask, Task
from orchestration.queries.results import results
from tests.database_template import copy_template
from tests.flows.chaos import Chaos, Database, running
from tests.gateway.server import supply
from tests.orchestration.work import assert_finalized, say, submit

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("races")]

KILLS = int(os.environ.get("BUTLER_TASK_KILLS", "6"))
SEED = int(os.environ.get("BUTLER_TASK_SEED", random.SystemRandom().randrange(10**6)))
TASKS = 20
PAUSE_SECONDS = 1.5
HOLD_SECONDS = 4
ENVIRON = {
    "BUTLER_HOLD_SECONDS": str(HOLD_SECONDS),
    "BUTLER_ATTEMPT_LEASE_SECONDS": "3",
    "BUTLER_ATTEMPT_RECOVERIES_MAX": "50",
    "BUTLER_TASK_WORKERS": "2",
}


@pytest.fixture
def database(tmp_path, django_db_blocker):
    """A PostgreSQL of its own, which may be killed."""
    with django_db_blocker.unblock():
        copy_template(tmp_path / "postgres")
    with django_db_blocker.unblock(), Database(tmp_path / "postgres").running() as database:
        supply("nvidia-1", "nvidia-2", "nvidia-3", tokens=10**9)
        call_command("install_schedules", verbosity=0)
        yield database


def test_every_task_ends_and_nothing_is_lost_or_doubled_whatever_is_killed(database):
    """O01."""
    print(f"seed {SEED}")  # noqa: T201 - to repeat it
    dice = random.Random(SEED)
    with running(("sandbox", "web", "queue", "work"), ENVIRON) as processes:
        tasks = [_submit(number, dice) for number in range(TASKS)]
        chaos = Chaos(processes, database, seed=SEED)
        for _ in range(KILLS):
            time.sleep(PAUSE_SECONDS)
            chaos.strike()
            assert _open(tasks), "nothing runs any more: nothing was tested"
        ended = chaos.until(lambda: not _open(tasks), seconds=180)
        finalized = chaos.until(_all_finalized, seconds=HOLD_SECONDS + 20)
        print(Counter(chaos.killed), _summary(tasks))  # noqa: T201 - what it was
    assert (ended, finalized) == (True, True)
    for task in tasks:
        _assert_nothing_lost_or_doubled(task)


def _submit(number: int, dice: random.Random) -> Task:
    """A chain that is longer than the kills take, a fan, or parts side by side."""
    shape = (_chain, _fan, _side_by_side)[number % 3]
    parts = shape(dice, max(2 * KILLS, 6))
    return submit(
        *parts,
        name=f"{shape.__name__} {number}",
        # A call that is lost costs all that was held for it, some 16,000 tokens.
        budget=len(parts) * 200_000,
        max_concurrent=dice.randrange(2, 5),
        max_retries=10,
        idempotency_key=f"chaos-{number}",
    )


def _part(dice: random.Random, *needs: int) -> dict:
    says = say("part", output=50, latency_ms=dice.randrange(100, 2000))
    return {"description": says, "depends_on": [str(need) for need in needs]}


def _chain(dice: random.Random, parts: int) -> list[dict]:
    return [_part(dice, *([number] if number else [])) for number in range(parts)]


def _fan(dice: random.Random, parts: int) -> list[dict]:
    middle = range(2, parts)
    return [_part(dice), *(_part(dice, 1) for _ in middle), _part(dice, *middle)]


def _side_by_side(dice: random.Random, parts: int) -> list[dict]:
    return [_part(dice) for _ in range(parts)]


def _open(tasks: list[Task]) -> int:
    return Task.objects.filter(pk__in=[task.pk for task in tasks], ended_at=None).count()


def _all_finalized() -> bool:
    """What is held of calls that broke off is given back by the queue's sweep, which may be away
    for a minute; the workers finalize the rest."""
    keys.expire_charges(now=timezone.now())
    return not Attempt.objects.filter(finalized_at=None).exists()


def _summary(tasks: list[Task]) -> str:
    attempts = Attempt.objects.values_list("error_kind", flat=True)
    return f"tasks {_statuses(tasks)}, attempts by why they failed {dict(Counter(attempts))}"


def _statuses(tasks: list[Task]) -> dict[str, int]:
    pks = [task.pk for task in tasks]
    return dict(Counter(Task.objects.filter(pk__in=pks).values_list("status", flat=True)))


def _assert_nothing_lost_or_doubled(task: Task) -> None:
    assert_finalized(task)
    assert not Attempt.objects.filter(task=task, status="running").exists()
    for part in SubTask.objects.filter(task=task):
        assert part.status in ("succeeded", "failed")
        winners = part.attempts.filter(status="succeeded").count()
        assert (winners, bool(part.sealed_result)) == (
            (1, True) if part.status == "succeeded" else (0, False)
        )
    found = results(task)
    assert found.successful > 0
    assert found.tokens == task.used
    lent = Allocation.objects.filter(attempt__task=task)
    assert not lent.filter(status="active").exists()
    assert not lent.exclude(held=0).exists()
    assert not Charge.objects.filter(allocation__in=lent, status="held").exists()
