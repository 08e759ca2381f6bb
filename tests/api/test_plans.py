"""The plan of a task: its parts, split, costs and keys, and nothing is held."""

from decimal import Decimal

import pytest

from keys.models import Allocation, CostCentre, Window
from orchestration.models import Task
from tests.api.caller import Caller, assert_problem, session_caller, token_of
from tests.keys.builders import PAID, add_key, allocate, limit

pytestmark = pytest.mark.django_db

THREE_SUB_TASKS = "Research market trends, analyze data, write report"


def plan(caller, *, status=200, **changes):
    """The plan of a task; a description unless sub-tasks are given."""
    usual = {"name": "test", "total_budget": 100_000}
    if "sub_tasks" not in changes:
        usual["description"] = THREE_SUB_TASKS
    answer = caller.post("/plans", **{**usual, **changes})
    assert answer.status_code == status, answer.json()
    return answer.json()


def parts(*given):
    """Sub-tasks as they are sent: a number is the tokens of one."""
    return [
        {"description": "work", "estimated_tokens": each} if isinstance(each, int) else each
        for each in given
    ]


def test_a_sentence_with_three_orders_is_planned_as_three_sub_tasks(ada):
    add_key("nvidia-1", rates=PAID)
    found = plan(ada)
    assert [part["description"] for part in found["sub_tasks"]] == [
        "Research market trends",
        "analyze data",
        "write report",
    ]
    assert sum(part["share"] for part in found["sub_tasks"]) == 100_000
    assert (found["planner"], found["note"], found["sub_tasks_without_key"]) == ("keyword", "", 0)
    assert [part["depends_on"] for part in found["sub_tasks"]] == [[], ["1"], ["2"]]


def test_costs_are_of_the_key_that_each_part_would_get(ada):
    add_key("openai-1", provider="openai", rates=PAID)
    found = plan(ada, sub_tasks=parts(1_000, 3_000), total_budget=8_000)
    first, second = found["sub_tasks"]
    assert first["key"] == {"key_id": "openai-1", "provider": "openai", "model": "model-1"}
    assert (first["share"], second["share"]) == (2_000, 6_000)
    assert (first["estimated_cost"], first["cost_max"]) == ("0.015000000", "0.030000000")
    assert (found["estimated_cost"], found["cost_max"]) == ("0.060000000", "0.120000000")


def test_an_estimate_above_its_share_costs_no_more_than_the_share(ada):
    add_key("openai-1", provider="openai", rates=PAID)
    (part,) = plan(ada, sub_tasks=parts(9_000), total_budget=2_000)["sub_tasks"]
    assert part["estimated_cost"] == part["cost_max"] == "0.030000000"


def test_a_reserve_is_kept_and_priorities_weigh(ada):
    add_key("nvidia-1")
    low = {"description": "less", "priority": "low", "estimated_tokens": 1_000}
    high = {"description": "more", "priority": "critical", "estimated_tokens": 1_000}
    found = plan(ada, sub_tasks=parts(low, high), total_budget=10_000, reserve_percent=50)
    assert found["reserve"] == 5_000
    assert [part["share"] for part in found["sub_tasks"]] == [1_032, 3_968]


def test_each_part_has_its_own_provider_and_model_or_the_tasks(ada):
    add_key("nvidia-1")
    add_key("openai-1", provider="openai", rates=PAID)
    given = parts({"description": "a", "provider": "openai"}, {"description": "b"})
    found = plan(ada, sub_tasks=given, provider="nvidia")
    assert [part["key"]["key_id"] for part in found["sub_tasks"]] == ["openai-1", "nvidia-1"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"total_budget": 900_000}, "no_key_capacity"),
        ({"model": "model-9"}, "model_not_found"),
        ({"total_budget": 40_000}, "limit_reached"),
    ],
)
def test_a_part_without_a_key_says_why(ada, changes, code):
    add_key("nvidia-1", rates=PAID)
    allocate("bob", 500_000)
    if code == "limit_reached":
        limit(CostCentre.objects.get(pk="org"), 520_000)
    found = plan(ada, sub_tasks=parts(10_000), **changes)
    (part,) = found["sub_tasks"]
    assert (part["key"], part["estimated_cost"], part["cost_max"]) == (None, None, None)
    assert part["no_key"]["code"] == code
    assert part["no_key"]["detail"]
    assert (found["sub_tasks_without_key"], found["cost_max"]) == (1, "0.000000000")


def test_a_model_is_not_asked_and_the_plan_says_so(ada):
    add_key("nvidia-1")
    found = plan(ada, planner="model")
    assert found["planner"] == "keyword"
    assert "No model is called" in found["note"]
    assert len(found["sub_tasks"]) == 3


def test_nothing_is_written_and_nothing_held(ada):
    add_key("nvidia-1", per_day=150_000)
    for _ in range(3):
        assert plan(ada)["sub_tasks_without_key"] == 0
    assert not Task.objects.exists()
    assert not Allocation.objects.exists()
    assert set(Window.objects.values_list("committed", flat=True)) == {Decimal(0)}


def test_ten_thousand_parts_are_planned_with_few_queries(ada, django_assert_max_num_queries):
    add_key("nvidia-1", per_day=None)
    with django_assert_max_num_queries(12):
        found = plan(ada, sub_tasks=parts(*[1_000] * 10_000), total_budget=10**9)
    assert (len(found["sub_tasks"]), found["sub_tasks_without_key"]) == (10_000, 0)


def test_of_more_wishes_than_are_looked_up_the_rest_says_so(ada):
    add_key("nvidia-1", per_day=None)
    found = plan(ada, sub_tasks=parts(*range(1_000, 61_000, 1_000)), total_budget=10**9)
    codes = [(part["no_key"] or {}).get("code") for part in found["sub_tasks"]]
    # The largest and the smallest first.
    assert codes == [None] * 49 + ["not_looked_up"] * 10 + [None]
    assert found["sub_tasks_without_key"] == 10


def test_a_dry_run_needs_a_token_that_reads_or_spends(people):
    add_key("nvidia-1")
    plan(Caller(token_of("ada", "read")))
    plan(Caller(token_of("ada", "spend")))
    asked = {"name": "x", "description": THREE_SUB_TASKS, "total_budget": 9_000}
    operator = Caller(token_of("bob", "operate"))
    assert_problem(operator.post("/plans", **asked), 403, "scope_missing")
    own = session_caller(allocate(tokens=1000).session_id)
    assert_problem(own.post("/plans", **asked), 403, "session_token_not_enough")
    assert_problem(Caller(None).post("/plans", **asked), 401, "not_authenticated")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"sub_tasks": parts({"description": "a", "depends_on": ["1"]})}, 422, "wrong_plan"),
        ({"runner": "nobody"}, 422, "runner_not_found"),
        ({"total_budget": 5}, 422, "budget_too_small"),
        ({"cost_centre": "sales"}, 422, "cost_centre_not_found"),
        ({"description": " "}, 422, "wrong_value"),
        ({"total_budget": "5"}, 422, "invalid_request"),
    ],
)
def test_what_no_task_could_be_is_refused(ada, changes, status, code):
    add_key("nvidia-1")
    assert plan(ada, status=status, **changes)["code"] == code


def test_an_idempotency_key_is_checked_and_not_needed(ada):
    add_key("nvidia-1")
    body = {"name": "x", "description": THREE_SUB_TASKS, "total_budget": 9_000}
    assert_problem(ada.post("/plans", idempotency_key="\x7f", **body), 422, "invalid_request")
    first, second = (ada.post("/plans", idempotency_key="k", **body) for _ in range(2))
    assert first.json() == second.json()
    assert "Idempotent-Replay" not in second


def test_a_description_that_was_not_divided_has_a_note(ada):
    add_key("nvidia-1")
    assert "found no list" in plan(ada, description="Alles prüfen")["note"]
    both = plan(ada, description="Alles prüfen", planner="model")["note"]
    assert "No model is called" in both and "found no list" in both
