"""Submitting tasks."""

import json

import pytest
from django.conf import settings
from django_q.models import OrmQ

from orchestration.models import SubTask, Task
from tests.api.caller import Caller, assert_problem, session_caller, token_of
from tests.api.tasks import parts, start_attempts, submit
from tests.keys.builders import PAID, add_key, allocate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def key(people):
    """One key, at three dollars for a million tokens of input."""
    add_key("openai-1", provider="openai", rates=PAID)


def test_a_description_becomes_three_parts_and_a_worker_is_woken(ada):
    answer = submit(ada)
    assert answer.status_code == 201
    task = answer.json()
    assert (task["status"], task["agent"], task["planner"]) == ("active", "ada", "keyword")
    assert [part["name"] for part in task["sub_tasks"]] == [
        "Research market trends",
        "analyze data",
        "write report",
    ]
    assert [part["depends_on"] for part in task["sub_tasks"]] == [[], ["1"], ["2"]]
    assert sum(part["share"] for part in task["sub_tasks"]) == 100_000
    assert task["sub_tasks_by_status"]["waiting"] == 1
    assert task["sub_tasks_by_status"]["blocked"] == 2
    assert OrmQ.objects.count() == 1


def test_parts_are_taken_as_they_are_given(ada):
    add_key("groq-1", provider="groq")
    given = [
        {"id": "a", "description": "Gather.", "priority": "high", "estimated_tokens": 5_000},
        {
            "id": "b",
            "name": "The page",
            "description": "Write.",
            "depends_on": ["a"],
            "needs_approval": True,
            "model": "model-1",
            "provider": "groq",
        },
    ]
    task = submit(ada, sub_tasks=given)
    first, second = task.json()["sub_tasks"]
    assert (first["id"], first["priority"], first["estimated_tokens"]) == ("a", "high", 5_000)
    assert (second["name"], second["depends_on"], second["needs_approval"]) == (
        "The page",
        ["a"],
        True,
    )
    assert (second["model"], second["provider"], first["model"]) == ("model-1", "groq", "")


def test_every_term_reaches_the_task(ada):
    terms = {
        "reserve_percent": 10,
        "soft_limit_percent": 50,
        "max_concurrent": 7,
        "retry_on_failure": False,
        "max_retries": 5,
        "timeout": 60,
        "running_timeout": 30,
        "waiting_timeout": 20,
        "model": "model-1",
        "provider": "openai",
        "parallel": True,
    }
    shown = submit(ada, **terms).json()
    task = Task.objects.get()
    assert (task.reserve, task.soft_limit, task.max_concurrent) == (10_000, 50_000, 7)
    assert (task.retry_on_failure, task.max_retries, task.parallel) == (False, 5, True)
    assert (task.timeout_seconds, task.running_seconds, task.waiting_seconds) == (60, 30, 20)
    assert (shown["reserve"], shown["soft_limit"], shown["max_concurrent"]) == (10_000, 50_000, 7)
    assert (shown["model"], shown["provider"]) == ("model-1", "openai")
    assert (task.deadline_at - task.created_at).seconds == 60


def test_a_model_that_plans_has_a_part_of_its_own_that_nobody_counts(ada):
    task = submit(ada, planner="model").json()
    assert (task["planner"], task["sub_tasks_total"], task["sub_tasks"]) == ("model", 0, [])
    assert task["percent_done"] == 0
    assert SubTask.objects.get().position == 0


def test_the_same_idempotency_key_is_the_same_task(ada):
    first = submit(ada, idempotency_key="k")
    second = submit(ada, idempotency_key="k")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second["Idempotent-Replay"] == "true"
    assert first.json() == second.json()
    assert Task.objects.count() == OrmQ.objects.count() == 1
    third = submit(ada, idempotency_key="other")
    assert (third.status_code, Task.objects.count()) == (201, 2)


def test_parts_are_the_same_task_too(ada):
    given = parts("a", "b", priority="low")
    first = submit(ada, sub_tasks=given, idempotency_key="k")
    assert submit(ada, sub_tasks=given, idempotency_key="k").json() == first.json()


def test_the_same_idempotency_key_for_another_task_is_refused(ada, bob):
    task = submit(ada, idempotency_key="k").json()["id"]
    again = submit(ada, idempotency_key="k", total_budget=99_999)
    assert assert_problem(again, 409, "idempotency_mismatch")["task_id"] == task
    assert submit(bob, idempotency_key="k").status_code == 201


def test_a_replay_shows_the_task_as_it_is_by_then(ada):
    submit(ada, idempotency_key="k")
    start_attempts()
    again = submit(ada, idempotency_key="k").json()
    assert again["sub_tasks_by_status"]["running"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"runner": "nobody"}, 422, "runner_not_found"),
        ({"total_budget": 5}, 422, "budget_too_small"),
        ({"cost_centre": "sales"}, 422, "cost_centre_not_found"),
        ({"cost_centre": "nowhere"}, 422, "cost_centre_not_found"),
        ({"name": "  "}, 422, "wrong_value"),
        ({"description": "\n"}, 422, "wrong_value"),
        ({"sub_tasks": parts("a", "a")}, 422, "wrong_plan"),
        ({"sub_tasks": parts("a", depends_on=["b"])}, 422, "wrong_plan"),
        ({"sub_tasks": parts("a", "b", depends_on=["a"])}, 422, "wrong_plan"),
        ({"sub_tasks": parts("(plan)")}, 422, "wrong_plan"),
        ({"sub_tasks": parts("a", runner="nobody")}, 422, "runner_not_found"),
        ({"description": "é" * 600_000}, 422, "wrong_value"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(ada, changes, status, code):
    assert_problem(submit(ada, **changes), status, code)
    assert not Task.objects.exists()
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"total_budget": "100"}, "#/total_budget"),
        ({"total_budget": True}, "#/total_budget"),
        ({"total_budget": 0}, "#/total_budget"),
        ({"total_budget": 10**13}, "#/total_budget"),
        ({"name": ""}, "#/name"),
        ({"name": "x" * 201}, "#/name"),
        ({"name": "a\0"}, "#/name"),
        ({"description": 5}, "#/description"),
        ({"planner": "crystal ball"}, "#/planner"),
        ({"parallel": "yes"}, "#/parallel"),
        ({"max_concurrent": 0}, "#/max_concurrent"),
        ({"max_retries": -1}, "#/max_retries"),
        ({"timeout": 0}, "#/timeout"),
        ({"running_timeout": 10**9}, "#/running_timeout"),
        ({"waiting_timeout": 1.5}, "#/waiting_timeout"),
        ({"soft_limit_percent": 100}, "#/soft_limit_percent"),
        ({"reserve_percent": 91}, "#/reserve_percent"),
        ({"provider": "no provider"}, "#/provider"),
        ({"totl_budget": 5}, "#/totl_budget"),
        ({"timeout": None}, "#/timeout"),
        ({"sub_tasks": []}, "#/sub_tasks"),
        ({"sub_tasks": {}}, "#/sub_tasks"),
        ({"sub_tasks": ["a"]}, "#/sub_tasks/0"),
        ({"sub_tasks": [{"description": "a"}, {}]}, "#/sub_tasks/1/description"),
        ({"sub_tasks": parts("a", prioriti="low")}, "#/sub_tasks/0/prioriti"),
        ({"sub_tasks": parts("a", depends_on=["b", 5])}, "#/sub_tasks/0/depends_on/1"),
        ({"sub_tasks": parts("a", depends_on="b")}, "#/sub_tasks/0/depends_on"),
        ({"sub_tasks": parts("a", estimated_tokens=0)}, "#/sub_tasks/0/estimated_tokens"),
        ({"sub_tasks": parts("a", priority="top")}, "#/sub_tasks/0/priority"),
        ({"sub_tasks": parts("x" * 65)}, "#/sub_tasks/0/id"),
        ({"sub_tasks": parts("a"), "description": "both"}, "#"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place_and_nothing_is_written(
    ada, changes, pointer
):
    found = assert_problem(submit(ada, **changes), 422, "invalid_request")
    assert [fault["pointer"] for fault in found["errors"]] == [pointer]
    assert not Task.objects.exists()


def test_neither_description_nor_parts_is_refused(ada):
    answer = ada.post("/tasks", name="x", total_budget=5_000)
    assert_problem(answer, 422, "invalid_request")


def test_ten_thousand_mistakes_are_told_a_hundred_times(ada):
    found = assert_problem(submit(ada, sub_tasks=[{}] * 10_000), 422, "invalid_request")
    assert len(found["errors"]) == 100


def test_ten_thousand_parts_of_half_a_kilobyte_fit(ada):
    given = [{"description": f"{number} " + "word " * 100} for number in range(10_000)]
    body = {"name": "large", "total_budget": 10**9, "sub_tasks": given}
    assert 5_000_000 < len(json.dumps(body)) < settings.API_BODY_BYTES_MAX
    answer = ada.post("/tasks", **body)
    assert (answer.status_code, answer.json()["sub_tasks_total"]) == (201, 10_000)
    assert SubTask.objects.count() == 10_000
    assert_problem(submit(ada, sub_tasks=parts("a") * 10_001), 422, "wrong_plan")


def test_a_description_of_a_megabyte_fits_and_a_larger_body_is_413(ada):
    text = "Analyze it. " * (settings.TASK_TEXT_BYTES_MAX // 12)
    assert submit(ada, description=text, total_budget=10**6).status_code == 201
    large = submit(ada, description="x" * settings.API_BODY_BYTES_MAX)
    assert_problem(large, 413, "body_too_large")
    assert Task.objects.count() == 1


def test_submitting_needs_spend_and_looking_needs_read(ada, people):
    reader = Caller(token_of("bob", "read"))
    assert_problem(submit(reader), 403, "scope_missing")
    assert reader.get("/tasks").status_code == 200
    spender = Caller(token_of("bob", "spend"))
    task = submit(spender).json()["id"]
    for path in ("/tasks", f"/tasks/{task}", f"/tasks/{task}/sub_tasks", f"/tasks/{task}/results"):
        assert_problem(spender.get(path), 403, "scope_missing")
        assert reader.get(path).status_code == 200
    own = session_caller(allocate(tokens=1000).session_id)
    assert_problem(submit(own), 403, "session_token_not_enough")
    assert_problem(submit(Caller(None)), 401, "not_authenticated")
