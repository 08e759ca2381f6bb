"""What children say and what budgets come to, at its worst: nothing hangs, nothing is lost."""

import json
from datetime import timedelta

import pytest

from keys import services as keys
from keys.models import Allocation, CostCentre
from keys.refusals import WrongValue
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from orchestration.planning import UnusablePlan
from orchestration.planning.model_planner import plan_of_answer
from orchestration.refusals import TaskNotEnded
from orchestration.runners.base import Failed
from tests.actors import ACTOR, ADA
from tests.keys.builders import add_key, limit, report
from tests.moments import NOON
from tests.orchestration.work import assert_finalized, assert_tasks_balance, statuses, task_request
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOON + timedelta(minutes=5)
MIDNIGHT = NOON + timedelta(hours=12)


@pytest.fixture
def ada(people):
    """ada, with a key."""
    add_key("nvidia-1", per_day=10_000_000)


def task_of(*sub_tasks, **changes) -> Task:
    """A task submitted at noon."""
    return services.submit(agent="ada", request=task_request(*sub_tasks, **changes), now=NOON)[0]


def limit_all(amount: int) -> None:
    """Everybody together may use so many tokens a day."""
    limit(CostCentre.objects.get(pk="org"), amount=amount)


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
    end = services.AttemptOutcome(attempt.pk, attempt.fence, status, kind=kind, **said)
    heard = services.finish_many([end], now=now)
    services.finalize(now=now)
    return heard == [True]


@pytest.mark.parametrize(
    "text", [r"NUL is \u0000 in C#", r"\\u0000", "a\0b", "half \ud800", "\x1b[31m<script>"]
)
def test_whatever_a_child_says_is_kept(ada, text):
    task = task_of("gather")
    (attempt,) = begun()
    assert ended(attempt, text=text, facts={"said": text, text: [text]})
    assert statuses(task) == ["succeeded"]
    kept = text.replace("\0", "\ufffd").replace("\ud800", "?")
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
    assert_finalized(task)


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
    services.retry_failed(task_id=task.pk, actor=ADA, now=NOON)
    for _ in range(3):
        for attempt in begun(LATER):
            assert ended(attempt, used=attempt.tokens, now=LATER)
    assert statuses(task) == ["succeeded"] * 3


def test_a_part_of_an_agent_that_was_switched_off_is_refused(ada):
    task = task_of("gather", retry_on_failure=False)
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    keys.disable_agent(task.agent, actor=ACTOR, reason="stolen", now=NOON)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=NOON)
    assert failed.value.kind == "refused"
    assert failed.value.says == "The agent ada is switched off. Ask an operator to switch it on."
    assert not Allocation.objects.exists()


@pytest.mark.parametrize(
    ("now", "seconds"), [(MIDNIGHT - timedelta(seconds=10), 10.0), (NOON, 60.0)]
)
def test_a_part_at_a_limit_waits_until_it_resets_but_a_minute_at_most(ada, now, seconds):
    limit(CostCentre.objects.get(pk="org"), amount=500, now=now)
    services.submit(agent="ada", request=task_request("gather", budget=1_000), now=now)
    (attempt,) = services.claim(worker="one", most=1, now=now)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=now)
    assert (failed.value.kind, failed.value.retry_after) == ("no_capacity", seconds)


def test_a_part_at_a_limit_that_never_resets_is_put_off_as_usual(ada):
    limit(CostCentre.objects.get(pk="org"), amount=500, period="total")
    task_of("gather", budget=1_000)
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=NOON)
    assert (failed.value.kind, failed.value.retry_after) == ("no_capacity", None)


def test_a_cost_centre_at_its_limit_makes_parts_wait_until_it_is_raised(ada):
    limit_all(500)
    task = task_of("gather", budget=1_000)
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=NOON)
    assert failed.value.kind == "no_capacity"
    says, after = failed.value.says, failed.value.retry_after
    assert ended(attempt, "no_capacity", says=says, retry_after=after)
    assert (statuses(task), SubTask.objects.get(task=task).retries) == (["waiting"], 0)
    limit_all(5_000)
    (again,) = begun(LATER)
    assert ended(again, used=10, now=LATER)
    assert statuses(task) == ["succeeded"]
    assert_tasks_balance()


def test_what_is_retried_twice_at_once_gets_more_budget_once(ada, at_once):
    task = task_of("gather", budget=1_000, retry_on_failure=False)
    (attempt,) = begun()
    assert ended(attempt, "failed", used=500, says="no")
    answers = at_once(
        lambda _: services.retry_failed(
            task_id=task.pk, additional_budget=700, actor=ADA, now=NOON
        ),
        times=4,
    )
    assert refused(answers, TaskNotEnded) == 3
    task.refresh_from_db()
    assert (task.budget, task.free) == (1_700, 1_200)
    (second,) = begun(LATER)
    assert second.tokens <= 1_200


def test_a_clock_that_goes_back_neither_doubles_nor_stops_an_attempt(ada):
    task = task_of("gather", max_retries=5)
    (first,) = begun(LATER)
    assert ended(first, "failed", now=LATER, says="no")
    SubTask.objects.filter(task=task).update(not_before=NOON - timedelta(hours=2))
    (second,) = begun(NOON - timedelta(hours=1))
    assert second.session_id != first.session_id
    assert ended(second, now=NOON - timedelta(hours=1))
    assert statuses(task) == ["succeeded"]


def test_an_allocation_lent_and_not_written_down_is_found_by_who_takes_over(ada):
    task = task_of("gather")
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    first = services.lend(attempt, now=NOON)
    Attempt.objects.update(allocation=None, api_key=None, provider="")
    (taken,) = services.take_over(worker="two", most=1, now=LATER)
    work = services.lend(taken, now=LATER)
    assert (work.allocation_id, work.again) == (first.allocation_id, True)
    taken.refresh_from_db()
    assert ended(taken, used=20, now=LATER)
    task.refresh_from_db()
    assert (task.lent, task.used) == (0, 20)
    assert_finalized(task)


@pytest.mark.parametrize("text", ["a\0b", "half \ud800"])
def test_an_order_that_no_column_could_keep_is_refused(ada, text):
    for field, order_ in {
        "name": {"name": text},
        "model": {"model": text},
        "description": {"description": text, "sub_tasks": ()},
        "sub_tasks": {"sub_tasks": ({"description": "gather", "name": text},)},
    }.items():
        with pytest.raises(WrongValue) as wrong:
            task_of("gather", **order_)
        assert wrong.value.field == field
    assert not Task.objects.exists()


def test_a_model_may_plan_with_words_of_what_cannot_be_kept():
    answer = json.dumps({"sub_tasks": [{"description": r"replace \u0000 by a blank"}]})
    (part,) = plan_of_answer(answer)
    assert part.description == r"replace \u0000 by a blank"
    with pytest.raises(UnusablePlan):
        plan_of_answer(answer.replace(r"\\u", r"\u"))
