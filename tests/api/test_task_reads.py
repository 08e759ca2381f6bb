"""Looking at tasks: progress, sub-tasks, results."""

from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from orchestration import services as orchestration
from orchestration.models import Attempt, SubTask
from tests.actors import ACTOR
from tests.api.caller import Caller, assert_problem, token_of
from tests.api.tasks import (
    THREE_SUB_TASKS,
    complete_task,
    finish_attempt,
    parts,
    spend,
    start_attempts,
    submit,
)
from tests.keys.builders import PAID, add_key

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


def test_a_stranger_finds_nothing_and_an_operator_everything(ada, bob, carol):
    task = submit(ada).json()["id"]
    for path in (f"/tasks/{task}", f"/tasks/{task}/sub_tasks", f"/tasks/{task}/results"):
        assert_problem(bob.get(path), 404, "task_not_found")
        assert carol.get(path).status_code == 200
    assert bob.get("/tasks").json()["results"] == []
    assert [row["id"] for row in carol.get("/tasks").json()["results"]] == [task]


@pytest.mark.parametrize("task", [0, 10**6, 2**63, 10**30])
def test_a_task_that_is_none_is_404(ada, task):
    for path in ("", "/sub_tasks", "/results"):
        assert_problem(ada.get(f"/tasks/{task}{path}"), 404, "task_not_found")


def test_the_list_goes_page_by_page_and_by_status(ada):
    done = complete_task(ada, sub_tasks=parts("a"))
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
        complete_task(ada, sub_tasks=parts("a", "b"))
    ada.get("/tasks")
    # And the count of requests, which Django does not see.
    with django_assert_num_queries(2):
        assert len(ada.get("/tasks").json()["results"]) == 3


def test_progress_counts_what_running_attempts_have_used(ada):
    task = submit(ada, sub_tasks=parts("a", "b", "c", "d"), max_concurrent=2).json()["id"]
    first, second = start_attempts()
    spend(first, 1_000)
    spend(second, 200)
    finish_attempt(first, text="done")
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
    (attempt,) = start_attempts()
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
    (attempt,) = start_attempts()
    at = finish_attempt(
        attempt, "failed", kind="provider_error", says="It was down.", retry_after=60
    )
    (part,) = seen(ada, task)["sub_tasks"]
    assert (part["status"], part["retries"]) == ("waiting", 1)
    assert (part["error_kind"], part["error"]) == ("provider_error", "It was down.")
    assert part["not_before"] > at.isoformat()


def test_tokens_of_all_attempts_of_a_part_count(ada):
    task = submit(ada, sub_tasks=parts("a")).json()["id"]
    for tokens in (100, 50):
        (attempt,) = start_attempts()
        spend(attempt, tokens)
        finish_attempt(attempt, "failed", kind="failed", says="No luck.")
        SubTask.objects.update(not_before=attempt.created_at)
    (part,) = seen(ada, task)["sub_tasks"]
    assert (part["tokens_used"], part["attempts"]) == (150, 2)
    assert seen(ada, task)["used"] == 150


def test_sub_tasks_go_page_by_page_with_what_they_are_told(ada):
    task = submit(ada, sub_tasks=parts(*"abcde"), max_concurrent=2).json()["id"]
    start_attempts()
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
    asked = {"sub_tasks": parts(*map(str, range(1, 203))), "total_budget": 200_000}
    task = submit(ada, **asked).json()
    assert (len(task["sub_tasks"]), task["sub_tasks_total"]) == (200, 202)
    rest = ada.get(f"/tasks/{task['id']}/sub_tasks", cursor=task["next_cursor"]).json()
    assert [part["id"] for part in rest["results"]] == ["201", "202"]
    assert rest["next_cursor"] is None


def test_looking_at_a_task_asks_as_often_however_many_parts_it_has(ada, django_assert_num_queries):
    few, many = (
        submit(ada, sub_tasks=parts(*map(str, range(n))), total_budget=200_000).json()["id"]
        for n in (1, 150)
    )
    start_attempts()
    for task in (few, many):
        with django_assert_num_queries(4):
            seen(ada, task)


def test_results_have_camel_case_names(ada):
    task = complete_task(ada, description=THREE_SUB_TASKS)
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
        "resultCharacters": 5,
        "cut": None,
    }


@pytest.mark.parametrize(
    ("facts", "cut"),
    [
        ({"finish_reason": "length", "output_max": "40"}, "budget"),
        ({"finish_reason": "max_tokens"}, "length"),
        ({"output_bytes": 300, "output_bytes_left_out": 100}, "output"),
        ({"finish_reason": "stop"}, None),
        ({"output_bytes_left_out": 0}, None),
    ],
)
def test_a_result_that_is_not_whole_says_why(ada, facts, cut):
    task = submit(ada, sub_tasks=parts("a")).json()["id"]
    finish_attempt(start_attempts()[0], text="half of it", facts=facts)
    (detail,) = ada.get(f"/tasks/{task}/results").json()["details"]
    assert detail["cut"] == cut


def test_a_long_result_is_read_page_by_page(ada, people):
    """O09."""
    task = submit(ada, sub_tasks=parts("a")).json()["id"]
    text = "x" * 1_049_997 + "END"
    finish_attempt(start_attempts()[0], text=text)
    (detail,) = ada.get(f"/tasks/{task}/results").json()["details"]
    assert (len(detail["result"]), detail["resultCharacters"]) == (1_000_000, 1_050_000)
    found, offset = "", 0
    while offset is not None:
        page = ada.get(f"/tasks/{task}/result", sub_task_id="a", offset=offset).json()
        found, offset = found + page["text"], page["next_offset"]
    assert (found, page["characters"]) == (text, 1_050_000)
    missing = ada.get(f"/tasks/{task}/result", sub_task_id="z")
    assert_problem(missing, 404, "sub_task_not_found")
    bob = Caller(token_of("bob", "read"))
    assert_problem(bob.get(f"/tasks/{task}/result", sub_task_id="a"), 404, "task_not_found")
    operator = Caller(token_of("bob", "operate"))
    assert operator.get(f"/tasks/{task}/result", sub_task_id="a").json()["text"] == ""


def test_results_are_there_while_it_runs_and_tell_failures(ada):
    given = parts("a", "b", "c")
    task = submit(ada, sub_tasks=given, retry_on_failure=False).json()["id"]
    first, second, third = start_attempts()
    spend(first, 100)
    finish_attempt(first, text="did a")
    spend(second, 70)
    finish_attempt(second, "failed", kind="timeout", says="The attempt exceeded its time limit.")
    spend(third, 30)
    found = ada.get(f"/tasks/{task}/results").json()
    assert (found["successful"], found["failed"], found["successRate"]) == (1, 1, 33.3)
    assert found["totalTokensUsed"] == 200
    statuses = [(each["status"], each["errorKind"]) for each in found["details"]]
    assert statuses == [("succeeded", None), ("failed", "timeout"), ("running", None)]
    finish_attempt(third, text="did c")
    found = ada.get(f"/tasks/{task}/results").json()
    assert (found["successful"], found["failed"], found["successRate"]) == (2, 1, 66.7)
    assert seen(ada, task)["status"] == "partial"


def test_results_can_come_without_their_texts(ada):
    task = complete_task(ada, sub_tasks=parts("a"))
    path = f"/tasks/{task}/results"
    (with_text,) = ada.get(path).json()["details"]
    (without,) = ada.get(path, with_text="false").json()["details"]
    assert (with_text["result"], without["result"]) == ("did a", "")
    assert_problem(ada.get(path, with_text="perhaps"), 422, "invalid_request")
    assert Attempt.objects.count() == 1


def test_me_tells_the_open_work_of_the_agent_and_the_most_of_it(ada, bob, settings):
    settings.AGENT_OPEN_TASKS_MAX, settings.AGENT_OPEN_SUB_TASKS_MAX = 1, 3
    submit(ada)
    start_attempts()
    assert ada.get("/me").json()["work"] == {
        "open_tasks": 1,
        "open_tasks_max": 1,
        "open_sub_tasks": 3,
        "open_sub_tasks_max": 3,
        "running": 1,
        "running_max": settings.AGENT_ATTEMPTS_MAX,
    }
    assert_problem(submit(ada), 409, "too_many_open_tasks")
    assert_problem(submit(bob, sub_tasks=parts(*"abcd")), 409, "too_many_open_sub_tasks")
    assert bob.get("/me").json()["work"]["open_tasks"] == 0


def test_me_tells_the_concurrency_limits_that_hold_back_the_agent(ada, carol):
    """O47: not those of others, nor of commands that the agent may not use."""
    terms = orchestration.CommandTerms(argv=["cat"], wire_format="openai", agents=["carol"])
    by = {"reason": "test", "actor": ACTOR, "now": timezone.now()}
    orchestration.set_command("hers", terms=terms, **by)
    scopes = ("all", "agent:ada", "agent:bob", "centre:org", "centre:research", "provider:openai")
    for number, scope in enumerate((*scopes, "runner:model", "runner:command:hers"), start=2):
        orchestration.set_concurrency(scope, attempts_max=number, **by)
    submit(ada)
    start_attempts()

    def limits(caller):
        found = caller.get("/me").json()["concurrency_limits"]
        return [tuple(each.values()) for each in found]

    of_ada = limits(ada)
    assert of_ada == [
        ("agent:ada", 3, 1),
        ("all", 2, 1),
        ("centre:org", 5, 1),
        ("centre:research", 6, 1),
        ("provider:openai", 7, 1),
        ("runner:model", 8, 1),
    ]
    assert ("runner:command:hers", 9, 0) in limits(carol)
    assert not {"agent:ada", "centre:research"} & {scope for scope, *_ in limits(carol)}


def test_only_the_agent_that_submitted_a_task_reads_its_texts_until_they_are_deleted(ada, carol):
    task = complete_task(ada, sub_tasks=parts("a"))
    described = submit(ada).json()["id"]

    def texts(caller):
        results = caller.get(f"/tasks/{task}/results").json()
        (part,) = caller.get(f"/tasks/{task}/sub_tasks").json()["results"]
        return results["details"][0]["result"], part["description"]

    assert texts(ada) == ("did a", "do a")
    assert texts(carol) == ("", "")
    assert seen(ada, described)["description"] == THREE_SUB_TASKS
    assert seen(carol, described)["description"] == ""
    deleted_at = timezone.now() + timedelta(days=settings.TASK_TEXT_DAYS)
    assert orchestration.delete_old_texts(now=deleted_at) == 1
    assert texts(ada) == ("", "")
    at = seen(ada, task)["texts_deleted_at"]
    assert at == ada.get(f"/tasks/{task}/results").json()["textsDeletedAt"]
    assert datetime.fromisoformat(at) == deleted_at
    assert seen(ada, described)["texts_deleted_at"] is None
