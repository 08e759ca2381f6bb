"""What children say and what budgets come to, at its worst: nothing hangs, nothing is lost."""

from datetime import timedelta

import pytest

from keys import services as keys
from keys.models import Allocation
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from orchestration.runners.base import Failed
from tests.conftest import NOON
from tests.keys.conftest import add_key, report
from tests.orchestration.work import assert_accounted, order, statuses

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def ada(people):
    """ada, with a key."""
    add_key("nvidia-1", per_day=10_000_000)


def task_of(*sub_tasks, **changes) -> Task:
    """A task submitted at noon."""
    return services.submit(agent="ada", order=order(*sub_tasks, **changes), now=NOON)


def begun(now=NOON) -> list[Attempt]:
    """What can begin, begun and lent its tokens."""
    attempts = services.claim(worker="one", most=100, now=now)
    for attempt in attempts:
        services.lend(attempt, now=now)
    return attempts


def ended(attempt: Attempt, kind: str = "", *, used: int = 0, now=NOON, **said) -> bool:
    """It ends, having used so many tokens; whether it was heard."""
    if used:
        attempt.refresh_from_db()
        report(attempt.allocation, used, now=now)
    status = "failed" if kind else "succeeded"
    end = services.Ended(attempt.pk, attempt.fence, status, kind=kind, **said)
    heard = services.finish_many([end], now=now)
    services.account(now=now)
    return heard == [True]


@pytest.mark.parametrize(
    "text", [r"NUL is \u0000 in C#", r"\\u0000", "a\0b", "half \ud800", "\x1b[31m<script>"]
)
def test_whatever_a_child_says_is_kept(ada, text):
    task = task_of("gather")
    (attempt,) = begun()
    assert ended(attempt, text=text, facts={"said": text, text: [text]})
    assert statuses(task) == ["succeeded"]
    kept = text.replace("\0", "").replace("\ud800", "?")
    assert SubTask.objects.get(task=task).result == kept
    attempt.refresh_from_db()
    assert attempt.facts == {"said": kept, kept: [kept]}


def test_parts_that_nothing_is_left_for_fail_although_there_are_several(ada):
    task = task_of("gather", "write", budget=2_000)
    for attempt in begun():
        assert ended(attempt, "failed", used=attempt.tokens, says="no")
    assert statuses(task) == ["waiting"] * 2
    for turn in range(3):
        assert begun(LATER + turn * timedelta(minutes=1)) == []
    assert statuses(task) == ["failed"] * 2
    task.refresh_from_db()
    assert task.status == "failed"
    assert_accounted(task)


def test_a_retry_gives_tokens_to_all_although_some_are_a_reserve(ada):
    task = task_of(
        "gather",
        *({"description": f"write {n}", "depends_on": ["1"]} for n in range(2)),
        budget=3_000,
        reserve_percent=30,
        retry_on_failure=False,
    )
    (first,) = begun()
    assert ended(first, "failed", used=first.tokens, says="no")
    services.retry_failed(task_id=task.pk, who="ada", now=NOON)
    for _ in range(3):
        for attempt in begun(LATER):
            assert ended(attempt, used=attempt.tokens, now=LATER)
    assert statuses(task) == ["succeeded"] * 3


def test_a_part_of_an_agent_that_was_switched_off_is_refused(ada):
    task = task_of("gather", retry_on_failure=False)
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    keys.disable_agent(task.agent, who="bob", why="stolen", now=NOON)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=NOON)
    assert (failed.value.kind, failed.value.says) == ("refused", "The agent ada was switched off.")
    assert not Allocation.objects.exists()
