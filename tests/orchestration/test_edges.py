"""What children say and what budgets come to, at its worst: nothing hangs, nothing is lost."""

import json
from datetime import timedelta

import pytest

from keys import services as keys
from keys.models import Allocation, Charge, CostCentre
from keys.refusals import WrongValue
from orchestration import services
from orchestration.models import Attempt, SubTask, Task
from orchestration.planning import UnusablePlan
from orchestration.planning.model_planner import plan_of_answer
from orchestration.refusals import TaskNotEnded
from orchestration.runners.base import Failed
from tests.actors import ACTOR, ADA
from tests.keys.builders import PAID, add_key, adjust, allocate, limit
from tests.moments import NOON
from tests.orchestration.work import (
    assert_finalized,
    assert_tasks_balance,
    finish_attempt,
    result_of,
    start_attempts,
    statuses,
    submit_at_noon,
    task_request,
)
from tests.threads import refused

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOON + timedelta(minutes=5)
MIDNIGHT = NOON + timedelta(hours=12)


@pytest.fixture
def ada(people):
    """ada, with a key."""
    add_key("nvidia-1", per_day=10_000_000)


def limit_all(amount: int) -> None:
    """Everybody together may use so many tokens a day."""
    limit(CostCentre.objects.get(pk="org"), amount=amount)


@pytest.mark.parametrize(
    "text", [r"NUL is \u0000 in C#", r"\\u0000", "a\0b", "half \ud800", "\x1b[31m<script>"]
)
def test_whatever_a_child_says_is_kept(ada, text):
    task = submit_at_noon("gather")
    (attempt,) = start_attempts()
    finish_attempt(attempt, text=text, facts={"said": text, text: [text]})
    assert statuses(task) == ["succeeded"]
    kept = text.replace("\0", "\ufffd").replace("\ud800", "?")
    assert result_of(SubTask.objects.get(task=task)) == kept
    attempt.refresh_from_db()
    assert attempt.facts == {"said": kept, kept: [kept]}


def test_a_task_keeps_its_figures_when_a_charge_is_adjusted_after_it(ada):
    task = submit_at_noon("gather")
    (attempt,) = start_attempts()
    finish_attempt(attempt, used=400)
    adjust(Charge.objects.get(), 100)
    assert Allocation.objects.get().used == 100
    task.refresh_from_db()
    assert task.used == 400
    assert_tasks_balance()


def test_parts_that_nothing_is_left_for_fail_although_there_are_several(ada):
    task = submit_at_noon("gather", "write", budget=2_000)
    for attempt in start_attempts():
        finish_attempt(attempt, "failed", used=attempt.tokens, says="no")
    assert statuses(task) == ["waiting"] * 2
    for turn in range(3):
        assert start_attempts(LATER + turn * timedelta(minutes=1)) == []
    assert statuses(task) == ["failed"] * 2
    task.refresh_from_db()
    assert task.status == "failed"
    assert_finalized(task)


def test_a_retry_gives_tokens_to_all_although_some_are_a_reserve(ada):
    task = submit_at_noon(
        "gather",
        *({"description": f"write {n}", "depends_on": ["1"]} for n in range(2)),
        budget=3_000,
        reserve_percent=30,
        retry_on_failure=False,
    )
    (first,) = start_attempts()
    finish_attempt(first, "failed", used=first.tokens, says="no")
    services.retry_failed(task_id=task.pk, actor=ADA, now=NOON)
    for _ in range(3):
        for attempt in start_attempts(LATER):
            finish_attempt(attempt, used=attempt.tokens, now=LATER)
    assert statuses(task) == ["succeeded"] * 3


def test_a_part_of_an_agent_that_was_switched_off_is_refused(ada):
    task = submit_at_noon("gather", retry_on_failure=False)
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
    limit(CostCentre.objects.get(pk="org"), amount=1_500, now=now)
    allocate("bob", 1_000, now=now)
    services.submit(agent="ada", request=task_request("gather", budget=1_000), now=now)
    (attempt,) = services.claim(worker="one", most=1, now=now)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=now)
    assert (failed.value.kind, failed.value.retry_after) == ("no_capacity", seconds)


def test_a_part_at_a_limit_that_never_resets_is_put_off_as_usual(ada):
    limit(CostCentre.objects.get(pk="org"), amount=1_500, period="total")
    allocate("bob", 1_000)
    submit_at_noon("gather", budget=1_000)
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=NOON)
    assert (failed.value.kind, failed.value.retry_after) == ("no_capacity", None)


def test_a_cost_centre_at_its_limit_makes_parts_wait_until_it_is_raised(ada):
    limit_all(1_500)
    allocate("bob", 1_000)
    task = submit_at_noon("gather", budget=1_000)
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    with pytest.raises(Failed) as failed:
        services.lend(attempt, now=NOON)
    assert failed.value.kind == "no_capacity"
    says, after = failed.value.says, failed.value.retry_after
    finish_attempt(attempt, "no_capacity", says=says, retry_after=after)
    assert (statuses(task), SubTask.objects.get(task=task).retries) == (["waiting"], 0)
    limit_all(5_000)
    (again,) = start_attempts(LATER)
    finish_attempt(again, used=10, now=LATER)
    assert statuses(task) == ["succeeded"]
    assert_tasks_balance()


def test_what_is_retried_twice_at_once_gets_more_budget_once(ada, at_once):
    task = submit_at_noon("gather", budget=1_000, retry_on_failure=False)
    (attempt,) = start_attempts()
    finish_attempt(attempt, "failed", used=500, says="no")
    answers = at_once(
        lambda _: services.retry_failed(
            task_id=task.pk, additional_budget=700, actor=ADA, now=NOON
        ),
        times=4,
    )
    assert refused(answers, TaskNotEnded) == 3
    task.refresh_from_db()
    assert (task.budget, task.free) == (1_700, 1_200)
    (second,) = start_attempts(LATER)
    assert second.tokens <= 1_200


def test_a_clock_that_goes_back_neither_doubles_nor_stops_an_attempt(ada):
    task = submit_at_noon("gather", max_retries=5)
    (first,) = start_attempts(LATER)
    finish_attempt(first, "failed", now=LATER, says="no")
    SubTask.objects.filter(task=task).update(not_before=NOON - timedelta(hours=2))
    (second,) = start_attempts(NOON - timedelta(hours=1))
    assert second.session_id != first.session_id
    finish_attempt(second, now=NOON - timedelta(hours=1))
    assert statuses(task) == ["succeeded"]


def test_an_allocation_lent_and_not_written_down_is_found_by_who_takes_over(ada):
    task = submit_at_noon("gather")
    (attempt,) = services.claim(worker="one", most=1, now=NOON)
    first = services.lend(attempt, now=NOON)
    Attempt.objects.update(allocation=None, api_key=None, provider="")
    (taken,) = services.take_over(worker="two", most=1, now=LATER)
    work = services.lend(taken, now=LATER)
    assert (work.allocation_id, work.again) == (first.allocation_id, True)
    taken.refresh_from_db()
    finish_attempt(taken, used=20, now=LATER)
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
            submit_at_noon("gather", **order_)
        assert wrong.value.field == field
    assert not Task.objects.exists()


def test_a_model_may_plan_with_words_of_what_cannot_be_kept():
    answer = json.dumps({"sub_tasks": [{"description": r"replace \u0000 by a blank"}]})
    (part,) = plan_of_answer(answer)
    assert part.description == r"replace \u0000 by a blank"
    with pytest.raises(UnusablePlan):
        plan_of_answer(answer.replace(r"\\u", r"\u"))


def test_a_sub_task_is_done_by_its_model_on_a_key_with_another_default(ada):
    add_key("big-1", served_rates={"small": PAID}, priority=9)
    submit_at_noon({"description": "gather", "model": "small"}, budget=1_000)
    [attempt] = services.claim(worker="one", most=1, now=NOON)
    work = services.lend(attempt, now=NOON)
    allocation = Allocation.objects.get()
    assert (work.model, allocation.api_key_id) == ("small", "big-1")
    assert (allocation.default_model, allocation.price.model) == ("small", "small")
