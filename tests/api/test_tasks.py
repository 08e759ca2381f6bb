"""Submitting tasks and looking at them."""

import json

import pytest
from django.conf import settings
from django_q.models import OrmQ

from orchestration.models import Attempt, SubTask, Task
from tests.api.conftest import Caller, assert_problem, session_caller, token_of
from tests.api.tasks import SEED, begun, do, end, parts, spend, submit
from tests.keys.conftest import PAID, add_key, allocate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def key(people):
    """One key, at three dollars for a million tokens of input."""
    add_key("openai-1", provider="openai", rates=PAID)


def seen(caller, task):
    """A task as one sees it now."""
    answer = caller.get(f"/tasks/{task}")
    assert answer.status_code == 200, answer.json()
    return answer.json()


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
    given = [
        {"id": "a", "description": "Gather.", "priority": "high", "estimated_tokens": 5_000},
        {
            "id": "b",
            "name": "The page",
            "description": "Write.",
            "depends_on": ["a"],
            "needs_approval": True,
            "model": "m-2",
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
    assert (second["model"], second["provider"], first["model"]) == ("m-2", "groq", "")


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
        "model": "m-1",
        "provider": "openai",
        "parallel": True,
    }
    shown = submit(ada, **terms).json()
    task = Task.objects.get()
    assert (task.reserve, task.soft_limit, task.max_concurrent) == (10_000, 50_000, 7)
    assert (task.retry_on_failure, task.max_retries, task.parallel) == (False, 5, True)
    assert (task.timeout_seconds, task.running_seconds, task.waiting_seconds) == (60, 30, 20)
    assert (shown["reserve"], shown["soft_limit"], shown["max_concurrent"]) == (10_000, 50_000, 7)
    assert (shown["model"], shown["provider"]) == ("m-1", "openai")
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
    begun()
    again = submit(ada, idempotency_key="k").json()
    assert again["sub_tasks_by_status"]["running"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"runner": "nobody"}, 422, "unknown_runner"),
        ({"total_budget": 5}, 422, "budget_too_small"),
        ({"cost_centre": "sales"}, 422, "unknown_cost_centre"),
        ({"cost_centre": "nowhere"}, 422, "unknown_cost_centre"),
        ({"name": "  "}, 422, "wrong_value"),
        ({"description": "\n"}, 422, "wrong_value"),
        ({"sub_tasks": parts("a", "a")}, 422, "wrong_plan"),
        ({"sub_tasks": parts("a", depends_on=["b"])}, 422, "wrong_plan"),
        ({"sub_tasks": parts("a", "b", depends_on=["a"])}, 422, "wrong_plan"),
        ({"sub_tasks": parts("(plan)")}, 422, "wrong_plan"),
        ({"sub_tasks": parts("a", runner="nobody")}, 422, "unknown_runner"),
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
    assert submit(ada, description=text, total_budget=10**9).status_code == 201
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


def test_a_stranger_finds_nothing_and_an_operator_everything(ada, bob, carol):
    task = submit(ada).json()["id"]
    for path in (f"/tasks/{task}", f"/tasks/{task}/sub_tasks", f"/tasks/{task}/results"):
        assert_problem(bob.get(path), 404, "unknown_task")
        assert carol.get(path).status_code == 200
    assert bob.get("/tasks").json()["results"] == []
    assert [row["id"] for row in carol.get("/tasks").json()["results"]] == [task]


@pytest.mark.parametrize("task", [0, 10**6, 2**63, 10**30])
def test_a_task_that_is_none_is_404(ada, task):
    for path in ("", "/sub_tasks", "/results"):
        assert_problem(ada.get(f"/tasks/{task}{path}"), 404, "unknown_task")


def test_the_list_goes_page_by_page_and_by_status(ada):
    done = do(ada, sub_tasks=parts("a"))
    tasks = [done, *(submit(ada).json()["id"] for _ in range(4))][::-1]
    page = ada.get("/tasks", limit=2).json()
    found = [row["id"] for row in page["results"]]
    submit(ada)
    while len(found) < 10 and (cursor := page["next_cursor"]):
        page = ada.get("/tasks", limit=2, cursor=cursor).json()
        found += [row["id"] for row in page["results"]]
    assert found == tasks
    completed = ada.get("/tasks", status="completed").json()["results"]
    assert [(row["id"], row["percent_done"]) for row in completed] == [(done, 100.0)]
    assert_problem(ada.get("/tasks", status="done"), 422, "invalid_request")
    assert_problem(ada.get("/tasks", cursor="x"), 422, "invalid_request")


def test_a_list_of_many_tasks_asks_as_often_as_one_of_few(ada, django_assert_num_queries):
    for _ in range(3):
        do(ada, sub_tasks=parts("a", "b"))
    ada.get("/tasks")
    with django_assert_num_queries(3):
        assert len(ada.get("/tasks").json()["results"]) == 3


def test_progress_counts_what_running_attempts_have_used(ada):
    task = submit(ada, sub_tasks=parts("a", "b", "c", "d"), max_concurrent=2).json()["id"]
    first, second = begun()
    spend(first, 1_000)
    spend(second, 200)
    end(first, text="done")
    found = seen(ada, task)
    assert (found["used"], found["cost"]) == (1_200, "0.003600000")
    assert found["lent"] == second.tokens - 200
    assert found["used"] + found["lent"] + found["left"] == found["total_budget"]
    assert found["percent_done"] == 25.0
    assert (found["sub_tasks_total"], found["attempts"]) == (4, 2)
    counts = {name: n for name, n in found["sub_tasks_by_status"].items() if n}
    assert counts == {"succeeded": 1, "running": 1, "waiting": 2}
    assert found["started_at"] == found["sub_tasks"][0]["started_at"] is not None
    (listed,) = ada.get("/tasks").json()["results"]
    assert listed == {name: found[name] for name in listed}


def test_a_running_part_shows_its_session_and_key(ada):
    task = submit(ada, sub_tasks=parts("a", "b"), max_concurrent=1).json()["id"]
    (attempt,) = begun()
    spend(attempt, 300)
    running, waiting = seen(ada, task)["sub_tasks"]
    assert (running["status"], running["session_id"]) == ("running", attempt.session_id)
    assert (running["key_id"], running["attempts"]) == ("openai-1", 1)
    assert (running["tokens_used"], running["cost"]) == (300, "0.000900000")
    assert (waiting["session_id"], waiting["key_id"], waiting["tokens_used"]) == ("", "", 0)
    assert running["not_before"] is None
    assert waiting["not_before"] is not None
    session = ada.get(f"/allocations/{attempt.session_id}").json()
    assert session["used"] == 300


def test_a_part_that_failed_and_waits_says_why_and_until_when(ada):
    task = submit(ada, sub_tasks=parts("a")).json()["id"]
    (attempt,) = begun()
    at = end(attempt, "failed", kind="provider_error", says="It was down.", retry_after=60)
    (part,) = seen(ada, task)["sub_tasks"]
    assert (part["status"], part["retries"]) == ("waiting", 1)
    assert (part["error_kind"], part["error"]) == ("provider_error", "It was down.")
    assert part["not_before"] > at.isoformat()


def test_tokens_of_all_attempts_of_a_part_count(ada):
    task = submit(ada, sub_tasks=parts("a")).json()["id"]
    for tokens in (100, 50):
        (attempt,) = begun()
        spend(attempt, tokens)
        end(attempt, "failed", kind="failed", says="No luck.")
        SubTask.objects.update(not_before=attempt.created_at)
    (part,) = seen(ada, task)["sub_tasks"]
    assert (part["tokens_used"], part["attempts"]) == (150, 2)
    assert seen(ada, task)["used"] == 150


def test_sub_tasks_go_page_by_page_with_what_they_are_told(ada):
    task = submit(ada, sub_tasks=parts(*"abcde"), max_concurrent=2).json()["id"]
    begun()
    path = f"/tasks/{task}/sub_tasks"
    page = ada.get(path, limit=2).json()
    found = page["results"]
    while len(found) < 10 and (cursor := page["next_cursor"]):
        page = ada.get(path, limit=2, cursor=cursor).json()
        found += page["results"]
    assert [(part["id"], part["description"]) for part in found] == [
        (key, f"do {key}") for key in "abcde"
    ]
    running = ada.get(path, status="running").json()["results"]
    assert [part["id"] for part in running] == ["a", "b"]


def test_a_task_shows_its_first_parts_and_where_the_others_are(ada):
    task = submit(ada, sub_tasks=parts(*map(str, range(1, 203)))).json()
    assert (len(task["sub_tasks"]), task["sub_tasks_total"]) == (200, 202)
    rest = ada.get(f"/tasks/{task['id']}/sub_tasks", cursor=task["next_cursor"]).json()
    assert [part["id"] for part in rest["results"]] == ["201", "202"]
    assert rest["next_cursor"] is None


def test_looking_at_a_task_asks_as_often_however_many_parts_it_has(ada, django_assert_num_queries):
    few, many = (submit(ada, sub_tasks=parts(*map(str, range(n)))).json()["id"] for n in (1, 150))
    begun()
    for task in (few, many):
        with django_assert_num_queries(5):
            seen(ada, task)


def test_results_have_the_seeds_names(ada):
    task = do(ada, description=SEED)
    found = ada.get(f"/tasks/{task}/results").json()
    details = found.pop("details")
    assert found == {
        "totalSubTasks": 3,
        "successful": 3,
        "failed": 0,
        "totalTokensUsed": 300,
        "totalCost": "0.000900000",
        "successRate": 100.0,
    }
    assert [detail["id"] for detail in details] == ["1", "2", "3"]
    first = details[0]
    assert first["duration"] >= 0
    assert first | {"duration": 0} == {
        "id": "1",
        "name": "Research market trends",
        "status": "succeeded",
        "tokensUsed": 100,
        "error": None,
        "errorKind": None,
        "cost": "0.000300000",
        "duration": 0,
        "attempts": 1,
        "key": "openai-1",
        "result": "did 1",
    }


def test_results_are_there_while_it_runs_and_tell_failures(ada):
    given = parts("a", "b", "c")
    task = submit(ada, sub_tasks=given, retry_on_failure=False).json()["id"]
    first, second, third = begun()
    spend(first, 100)
    end(first, text="did a")
    spend(second, 70)
    end(second, "failed", kind="timeout", says="It ran longer than it may.")
    spend(third, 30)
    found = ada.get(f"/tasks/{task}/results").json()
    assert (found["successful"], found["failed"], found["successRate"]) == (1, 1, 33.3)
    assert found["totalTokensUsed"] == 200
    statuses = [(each["status"], each["errorKind"]) for each in found["details"]]
    assert statuses == [("succeeded", None), ("failed", "timeout"), ("running", None)]
    end(third, text="did c")
    found = ada.get(f"/tasks/{task}/results").json()
    assert (found["successful"], found["failed"], found["successRate"]) == (2, 1, 66.7)
    assert seen(ada, task)["status"] == "partial"


def test_results_can_come_without_their_texts(ada):
    task = do(ada, sub_tasks=parts("a"))
    path = f"/tasks/{task}/results"
    (with_text,) = ada.get(path).json()["details"]
    (without,) = ada.get(path, with_text="false").json()["details"]
    assert (with_text["result"], without["result"]) == ("did a", "")
    assert_problem(ada.get(path, with_text="perhaps"), 422, "invalid_request")
    assert Attempt.objects.count() == 1
