"""Budgets that can never work are refused; more budget reaches what had used up its own."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from keys.models import Agent, CostCentre
from keys.refusals import IdempotencyMismatch
from keys.supply.pricing import Rates
from orchestration import planning, services
from orchestration.models import SubTask, Task
from orchestration.queries.plans import plan_preview
from orchestration.refusals import BudgetTooLarge, BudgetTooSmall
from orchestration.services.affordable import planning_share
from tests.actors import ACTOR
from tests.gateway.server import gateway_on, supply
from tests.keys.builders import PAID, add_key, allocate, limit, report
from tests.moments import NOON
from tests.orchestration.work import (
    assert_finalized,
    assert_tasks_balance,
    finish_attempt,
    run_until_done,
    say,
    start_attempts,
    statuses,
    submit,
    submit_at_noon,
    task_request,
    turns,
)

pytestmark = pytest.mark.django_db(transaction=True)


def refused(refusal, *parts, **changes):
    """The refusal of a request, by the task and by its plan alike."""
    request = task_request(*parts, **changes)
    with pytest.raises(refusal) as of_task:
        services.submit(agent="ada", request=request, now=NOON)
    with pytest.raises(refusal) as of_plan:
        plan_preview(agent="ada", request=request, now=NOON)
    assert of_task.value.facts() == of_plan.value.facts()
    assert not Task.objects.exists()
    return of_task.value


@pytest.fixture
def other_office(transactional_db, sandbox, settings):
    """As `office`, with a model whose tokenizer is not public."""
    supply("nvidia-1", model="model-1")
    with gateway_on(sandbox, settings) as running:
        settings.GATEWAY_URL = running.url
        yield sandbox


@pytest.mark.parametrize("budget", [100, 200, 400, 600])
def test_a_budget_that_cannot_pay_one_call_is_refused_with_the_least(other_office, budget):
    """O31."""
    found = refused(BudgetTooSmall, "Say hello", budget=budget)
    assert f"At least {found.needed:,} tokens are needed." in found.detail
    assert budget < found.needed <= 800
    task = run_until_done(submit("Say hello", budget=found.needed, max_retries=0))
    assert task.status == "completed", SubTask.objects.get().error
    assert_finalized(task)


LEAST = {
    "much is kept for retries": {"reserve_percent": 90},
    "something is kept": {"reserve_percent": 33},
    "many parts": {"parts": ["Say hello"] * 40},
    "many, and something is kept": {"parts": ["Say hello"] * 40, "reserve_percent": 50},
    "a model plans": {"parts": (), "description": "Research, then write", "planner": "model"},
    "a model plans much": {"parts": (), "description": "vendors " * 2_000, "planner": "model"},
}


@pytest.mark.parametrize("budget", [50, 700, 3_000])
@pytest.mark.parametrize("kind", LEAST)
def test_the_least_budget_is_enough_at_once_and_told_by_tasks_and_plans_alike(
    other_office, kind, budget
):
    """O31."""
    changes = dict(LEAST[kind])
    parts = tuple({"description": each} for each in changes.pop("parts", ["Say hello"]))

    def asked(total):
        return services.TaskRequest(name="t", total_budget=total, sub_tasks=parts, **changes)

    def needed(verb, total):
        try:
            verb(agent="ada", request=asked(total), now=timezone.now())
        except BudgetTooSmall as refusal:
            return refusal.needed
        return None

    least = needed(services.submit, budget)
    assert least == needed(plan_preview, budget)
    if least:
        assert budget < least < 100_000
        assert [needed(plan_preview, least), needed(services.submit, least)] == [None, None]


@pytest.mark.parametrize(
    "text",
    [
        "word " * 2_000,
        "数据分析报告" * 400,
        "\N{GRINNING FACE}" * 500,
        "रिपोर्ट का विश्लेषण करें। " * 90,
        "    return {k: v for k, v in x.items() if v >= 0x1F}\n" * 90,
    ],
    ids=["Latin", "Chinese", "emoji", "Hindi", "code"],
)
def test_a_long_prompt_needs_what_it_needs(other_office, text):
    """O32."""
    found = refused(BudgetTooSmall, text, budget=1_500)
    task = run_until_done(submit(text, budget=found.needed, max_retries=0))
    assert task.status == "completed"


def test_four_hundred_dependents_are_refused_with_what_all_need(other_office):
    """O31."""
    dependents = [{"description": f"count {n}", "depends_on": ["1"]} for n in range(400)]
    found = refused(BudgetTooSmall, "Say hello", *dependents, budget=162_000)
    shares = planning.split(
        planning.explicit_plan([{"description": "Say hello"}, *dependents]), total=found.needed
    )
    assert shares[0] >= 500


def test_a_plan_warns_of_a_share_that_its_prompt_may_exceed(other_office):
    """O32."""
    long = {"description": "x" * 11_000, "depends_on": ["1"], "estimated_tokens": 2_700}
    request = task_request(
        {"description": "Say hello", "estimated_tokens": 2_700}, long, budget=9_000
    )
    found = plan_preview(agent="ada", request=request, now=timezone.now())
    assert "The prompt of the sub-task 2 alone may need 12,635 tokens" in found.note


def test_the_planning_of_a_model_needs_a_call_too(other_office):
    request = {"description": "Say hello. " * 100, "planner": "model", "sub_tasks": ()}
    with pytest.raises(BudgetTooSmall) as refusal:
        services.submit(
            agent="ada",
            request=services.TaskRequest(name="plan", total_budget=3_000, **request),
            now=NOON,
        )
    assert planning_share(refusal.value.needed) > planning_share(3_000)


LIMITS = {
    "agent": lambda: limit(Agent.objects.get(pk="ada"), 30_000),
    "centre": lambda: limit(CostCentre.objects.get(pk="research"), 30_000, period="month"),
    "centre above": lambda: limit(CostCentre.objects.get(pk="org"), 30_000, period="total"),
    "USD": lambda: limit(CostCentre.objects.get(pk="org"), 1, unit="usd"),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_more_than_a_limit_can_ever_lend_is_refused(people, kind):
    """O37."""
    add_key("openai-1", provider="openai", per_day=None, rates=PAID)
    LIMITS[kind]()
    found = refused(BudgetTooLarge, "Say hello", budget=40_000_000)
    assert "could never start" in found.detail
    assert (found.sub_task, found.needed) == ("1", 40_000_000)


def test_more_than_every_key_can_ever_lend_is_refused(people):
    """O37."""
    add_key("nvidia-1", per_day=50_000)
    add_key("nvidia-2", per_day=70_000)
    found = refused(BudgetTooLarge, "Say hello", budget=80_000)
    assert (found.most, "the largest API key can lend 70,000" in found.detail) == (70_000, True)
    assert submit_at_noon("Say hello", budget=60_000)


def test_what_is_used_up_for_good_cannot_be_lent(people):
    """O37: limits in total, of a cost centre and of the only key."""
    of_key = add_key("openai-1", provider="openai", per_day=None, rates=PAID)
    limit(CostCentre.objects.get(pk="research"), 100_000, period="total")
    report(allocate(tokens=90_001), 90_000)
    found = refused(BudgetTooLarge, "Say hello", budget=50_000)
    assert (found.most, "of which 90,000 are used" in found.detail) == (10_000, True)
    limit(CostCentre.objects.get(pk="research"), 500_000, period="total")
    limit(of_key, 4, unit="usd", period="total")
    report(allocate(tokens=140_000), 140_000)
    found = refused(BudgetTooLarge, "Say hello", budget=250_000)
    assert (found.most, "the largest API key can lend" in found.detail) == (220_666, True)


def test_a_dear_key_does_not_make_a_budget_too_large(people):
    """O37: a cheaper key has no room only now, so the task waits."""
    add_key("openai-1", provider="openai", per_day=None, rates=PAID, priority=9)
    cheap = Rates(input=Decimal("0.001"), output=Decimal("0.001"))
    add_key("nvidia-1", per_day=None, rates=cheap)
    limit(CostCentre.objects.get(pk="org"), 1, unit="usd")
    allocate(tokens=60_000)
    assert statuses(submit_at_noon("Say hello", budget=500_000)) == ["waiting"]


def test_a_large_part_among_many_is_found(people):
    """O37 and O31: of more kinds of parts than are looked up, the largest and the smallest are."""
    add_key("nvidia-1", per_day=50_000)
    add_key("openai-1", provider="openai", per_day=12_000)
    parts = [{"description": f"part {n}", "estimated_tokens": 1_000 + 20 * n} for n in range(60)]
    large = {"description": "large", "estimated_tokens": 90_000}
    assert refused(BudgetTooLarge, *parts, large, budget=200_000).sub_task == "61"
    there = {"description": "there", "provider": "openai", "estimated_tokens": 20_000}
    found = refused(BudgetTooLarge, *parts, there, budget=115_000)
    assert (found.sub_task, found.most) == ("61", 12_000)


def raised(verb):
    task = submit_at_noon("gather", budget=2_000, max_retries=0)
    finish_attempt(start_attempts()[0], "budget_exhausted", used=1_000)
    verb(task_id=task.pk, additional_budget=40_000_000, actor=ACTOR, now=NOON)


def moved_to_a_small_provider():
    add_key("openai-1", per_day=500_000, provider="openai", priority=9)
    task = submit_at_noon("gather", budget=200_000)
    changes = {"provider": "nvidia"}
    services.change_sub_task(task_id=task.pk, key="1", changes=changes, actor=ACTOR, now=NOON)


def planned_by_a_model():
    request = services.TaskRequest(
        name="study", description="gather", total_budget=40_000_000, planner="model"
    )
    services.submit(agent="ada", request=request, now=NOON)
    plan = '{"sub_tasks": [{"id": "a", "description": "gather"}]}'
    finish_attempt(start_attempts()[0], text=plan)


def returned_by_others():
    submit_at_noon("gather", {"description": "write", "depends_on": ["1"]}, budget=90_000)
    finish_attempt(start_attempts()[0], used=1_000)


LATER = {
    "raised": lambda: raised(services.raise_budget),
    "retried": lambda: raised(services.retry_failed),
    "moved": moved_to_a_small_provider,
    "planned": planned_by_a_model,
    "returned": returned_by_others,
}


@pytest.mark.parametrize("how", LATER)
@pytest.mark.parametrize("unit", ["tokens", "usd"])
def test_a_part_that_becomes_too_large_is_lent_what_there_is(people, how, unit):
    """O37: what a task is given later never waits for more than a limit or a key has."""
    add_key("nvidia-1", per_day=50_000 if unit == "tokens" else None, rates=PAID)
    if unit == "usd":
        limit(CostCentre.objects.get(pk="org"), Decimal("0.75"), unit="usd")
    LATER[how]()
    (attempt,) = turns(20)
    attempt.refresh_from_db()
    assert 40_000 <= attempt.tokens <= 50_000
    finish_attempt(attempt, used=500, now=NOON + timedelta(minutes=1))
    assert_tasks_balance()


def test_what_only_has_to_wait_is_not_refused(people):
    add_key("nvidia-1", per_day=50_000)
    first = submit_at_noon("Say hello", budget=45_000)
    start_attempts()
    second = submit_at_noon("Say hello", budget=45_000)
    assert statuses(first) + statuses(second) == ["running", "waiting"]


def test_a_large_budget_in_many_parts_is_lent_part_by_part(people):
    add_key("nvidia-1", per_day=50_000)
    task = submit_at_noon(*["part"] * 10, budget=400_000, max_concurrent=1)
    assert [attempt.task_id for attempt in start_attempts()] == [task.pk]


# --- More budget ----------------------------------------------------------------------------------


@pytest.fixture
def ada(people):
    """ada, with a key."""
    add_key("nvidia-1", per_day=10_000_000)


def two(**changes):
    return submit_at_noon(
        {"id": "a", "description": "gather"},
        {"id": "b", "description": "write", "depends_on": ["a"]},
        **{"budget": 4_000, "max_retries": 0, **changes},
    )


def used_up(**changes):
    """The second part fails because its share is used up."""
    task = two(**changes)
    finish_attempt(start_attempts()[0], used=150)
    finish_attempt(start_attempts()[0], "budget_exhausted", used=100)
    assert statuses(task) == ["succeeded", "failed"]
    task.refresh_from_db()
    return task


@pytest.mark.parametrize("changes", [{}, {"retry_on_failure": False}])
def test_a_retry_with_more_budget_gives_it_to_what_had_used_up_its_own(ada, changes):
    """O11."""
    task = used_up(**changes)
    services.retry_failed(task_id=task.pk, additional_budget=20_000, actor=ACTOR, now=NOON)
    (again,) = start_attempts()
    assert again.tokens == 4_000 - 250 + 20_000


def test_more_budget_reaches_what_waits_for_its_retry(ada):
    task = two(max_retries=5)
    finish_attempt(start_attempts()[0], used=150)
    finish_attempt(start_attempts()[0], "budget_exhausted", used=100)
    assert statuses(task) == ["succeeded", "waiting"]
    services.raise_budget(task_id=task.pk, additional_budget=20_000, actor=ACTOR, now=NOON)
    (again,) = start_attempts(NOON + timedelta(minutes=5))
    assert again.tokens == 4_000 - 250 + 20_000


def test_raising_the_budget_starts_what_had_used_it_up_while_others_run(ada):
    """O11."""
    task = submit_at_noon(
        {"id": "a", "description": "gather"},
        {"id": "b", "description": "write"},
        {"id": "c", "description": "send", "depends_on": ["a"]},
        budget=6_000,
        max_retries=0,
    )
    first, other = start_attempts()
    finish_attempt(first, "budget_exhausted", used=100)
    assert statuses(task) == ["failed", "running", "failed"]
    asked = {"additional_budget": 10_000, "idempotency_key": "more"}
    for _ in range(2):
        services.raise_budget(task_id=task.pk, actor=ACTOR, now=NOON, **asked)
    task.refresh_from_db()
    assert (task.budget, statuses(task)) == (16_000, ["waiting", "running", "blocked"])
    (again,) = start_attempts()
    assert again.tokens > 10_000
    finish_attempt(again)
    finish_attempt(other)
    finish_attempt(start_attempts()[0])
    task.refresh_from_db()
    assert task.status == "completed"
    assert_finalized(task)


def test_more_budget_is_for_those_to_come_when_nothing_has_used_it_up(ada):
    task = two()
    services.raise_budget(task_id=task.pk, additional_budget=4_000, actor=ACTOR, now=NOON)
    assert list(SubTask.objects.values_list("share", flat=True)) == [4_000, 4_000]
    task.refresh_from_db()
    assert task.budget == 8_000


def test_a_task_that_ended_with_its_budget_used_up_goes_on(ada):
    task = used_up()
    services.raise_budget(task_id=task.pk, additional_budget=5_000, actor=ACTOR, now=NOON)
    (again,) = start_attempts()
    assert (again.sub_task.key, again.tokens) == ("b", 8_750)
    finish_attempt(again, used=8_000)
    task.refresh_from_db()
    assert task.status == "completed"
    assert_finalized(task)


def test_more_budget_reaches_what_uses_its_share_up_afterwards(ada):
    """O11: raised while the part runs, also where failures are not retried; once only."""
    task = submit_at_noon("gather", "write", budget=4_000, retry_on_failure=False)
    first, other = start_attempts()
    later = NOON + timedelta(seconds=1)
    services.raise_budget(task_id=task.pk, additional_budget=20_000, actor=ACTOR, now=later)
    finish_attempt(first, "budget_exhausted", used=2_000)
    assert statuses(task) == ["waiting", "running"]
    (again,) = start_attempts(later)
    assert again.tokens == 10_000
    finish_attempt(again, "budget_exhausted", used=10_000)
    finish_attempt(other)
    task.refresh_from_db()
    assert (statuses(task), task.status) == (["failed", "succeeded"], "partial")
    assert_finalized(task)


CHANGES = {
    "budget": (services.raise_budget, {}),
    "retry": (services.retry_failed, {}),
    "one part": (services.retry_failed, {"key": "b"}),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_each_change_with_an_idempotency_key_is_made_once(ada, kind):
    """O11: also when another one came between, and never for another amount."""
    task = used_up()
    verb, changes = CHANGES[kind]
    request = {"task_id": task.pk, "actor": ACTOR, "now": NOON, **changes}
    verb(additional_budget=1_000, idempotency_key="first", **request)
    request = {"task_id": task.pk, "actor": ACTOR, "now": NOON}
    services.raise_budget(additional_budget=3_000, idempotency_key="second", **request)
    services.raise_budget(additional_budget=5_000, **request)
    verb(additional_budget=1_000, idempotency_key="first", **request, **changes)
    with pytest.raises(IdempotencyMismatch):
        services.raise_budget(additional_budget=2_000, idempotency_key="first", **request)
    with pytest.raises(IdempotencyMismatch):
        services.retry_failed(additional_budget=3_000, idempotency_key="second", **request)
    task.refresh_from_db()
    assert task.budget == 4_000 + 1_000 + 3_000 + 5_000


@pytest.mark.parametrize("verb", [services.raise_budget, services.retry_failed])
def test_the_soft_limit_is_raised_with_the_budget(ada, verb):
    """O11: a task does not pause at a tenth of its budget because that was half of it before."""
    task = used_up(soft_limit_percent=50)
    verb(task_id=task.pk, additional_budget=36_000, actor=ACTOR, now=NOON)
    finish_attempt(start_attempts()[0], "budget_exhausted", used=5_000)
    task.refresh_from_db()
    assert (task.soft_limit, task.status) == (20_000, "partial")


def test_a_budget_that_is_raised_above_the_most_is_lent_as_far_as_can_be(people):
    """O11 and O37."""
    add_key("nvidia-1", per_day=None)
    task = used_up()
    for _ in range(2):
        services.raise_budget(task_id=task.pk, additional_budget=10**12, actor=ACTOR, now=NOON)
    (attempt,) = turns(3)
    attempt.refresh_from_db()
    assert (attempt.status, attempt.tokens) == ("running", 10**12)


def test_a_paused_task_gets_more_and_stays_paused(ada):
    """O11 and O41."""
    task = used_up()
    services.raise_budget(task_id=task.pk, additional_budget=5_000, actor=ACTOR, now=NOON)
    services.pause(task_id=task.pk, actor=ACTOR, now=NOON)
    services.raise_budget(task_id=task.pk, additional_budget=5_000, actor=ACTOR, now=NOON)
    assert start_attempts() == []
    services.resume(task_id=task.pk, actor=ACTOR, now=NOON)
    assert [attempt.tokens for attempt in start_attempts()] == [4_000 - 250 + 10_000]


def test_a_cancelled_task_gets_no_more(ada):
    task = two()
    services.cancel(task_id=task.pk, actor=ACTOR, now=NOON)
    services.raise_budget(task_id=task.pk, additional_budget=1_000, actor=ACTOR, now=NOON)
    assert statuses(task) == ["cancelled", "cancelled"]


def test_the_sandbox_says_hello(office):
    assert run_until_done(submit(say("hello"))).status == "completed"
