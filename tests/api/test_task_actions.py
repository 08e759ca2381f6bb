"""Cancelling, pausing, resuming, approving, retrying."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from orchestration.models import Attempt, SubTask, Task
from security.models import AuditEntry
from tests.api.caller import Caller, assert_problem, session_caller, token_of
from tests.api.tasks import complete_task, finish_attempt, parts, spend, start_attempts, submit
from tests.keys.builders import PAID, add_key, allocate

pytestmark = pytest.mark.django_db

STEPS = ("cancellation", "pause", "resumption", "retry")


@pytest.fixture(autouse=True)
def key(people):
    """One key."""
    add_key("openai-1", provider="openai", rates=PAID)


def step(caller, task, name, **fields):
    """One step of a task that does it."""
    answer = caller.post(f"/tasks/{task}/{name}", **fields)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def refused(caller, task, name, status, code, **fields):
    """One that is refused."""
    return assert_problem(caller.post(f"/tasks/{task}/{name}", **fields), status, code)


def new(caller, *ids, **changes):
    """A task with these parts; its id."""
    return submit(caller, sub_tasks=parts(*(ids or "a")), **changes).json()["id"]


def statuses(shown):
    """Of its sub-tasks."""
    return [part["status"] for part in shown["sub_tasks"]]


def failed(caller, *ids, **changes):
    """A task whose parts all failed."""
    task = new(caller, *ids, retry_on_failure=False, **changes)
    for attempt in start_attempts():
        finish_attempt(attempt, "failed", kind="failed", says="No luck.")
    return task


def test_cancelling_ends_what_waits_and_asks_what_runs_to_stop(ada):
    task = new(ada, "a", "b", max_concurrent=1)
    (attempt,) = start_attempts()
    shown = step(ada, task, "cancellation")
    assert (shown["status"], statuses(shown)) == ("cancelling", ["running", "cancelled"])
    assert "agent:ada" in shown["status_reason"]
    assert Attempt.objects.get().cancel_asked_at
    for name in ("pause", "resumption"):
        assert refused(ada, task, name, 409, "task_cancelling")["task_id"] == task
    finish_attempt(attempt, "cancelled", kind="cancelled", says="The attempt was cancelled.")
    shown = step(ada, task, "cancellation")
    assert (shown["status"], statuses(shown)) == ("cancelled", ["cancelled"] * 2)
    assert shown["ended_at"]


def test_what_is_over_cannot_be_cancelled_or_paused(ada):
    task = complete_task(ada, sub_tasks=parts("a"))
    for name in ("cancellation", "pause", "resumption"):
        problem = refused(ada, task, name, 409, "task_ended")
        assert problem["fact_status"] == "completed"
        assert problem["task_id"] == task


def test_a_paused_task_begins_nothing_and_its_time_stands_still(ada):
    task = new(ada)
    shown = step(ada, task, "pause")
    assert (shown["status"], shown["paused_at"] is None) == ("paused", False)
    assert step(ada, task, "pause")["paused_at"] == shown["paused_at"]
    assert start_attempts() == []
    Task.objects.update(paused_at=timezone.now() - timedelta(hours=1))
    before = Task.objects.get().deadline_at
    woken = OrmQ.objects.count()
    shown = step(ada, task, "resumption")
    assert (shown["status"], shown["paused_at"]) == ("active", None)
    assert Task.objects.get().deadline_at - before >= timedelta(hours=1)
    assert OrmQ.objects.count() == woken + 1
    assert step(ada, task, "resumption")["status"] == "active"
    assert len(start_attempts()) == 1


def test_a_part_waits_for_the_approval_of_another_agent_and_then_begins(ada, carol):
    task = submit(ada, sub_tasks=parts("a", needs_approval=True)).json()["id"]
    assert start_attempts() == []
    part = step(carol, task, "approval", sub_task_id="a")
    assert (part["id"], part["status"], part["approved_by"]) == ("a", "waiting", "agent:carol")
    assert step(carol, task, "approval", sub_task_id="a")["approved_at"] == part["approved_at"]
    assert len(start_attempts()) == 1


def test_an_agent_does_not_approve_its_own_sub_tasks(ada, carol, bob):
    """Neither with all scopes, nor with any other token."""
    task = submit(carol, sub_tasks=parts("a", needs_approval=True)).json()["id"]
    refused(carol, task, "approval", 403, "own_approval", sub_task_id="a")
    for token in (token_of("carol", "spend"), bob.token):
        refused(Caller(token), task, "approval", 403, "scope_missing", sub_task_id="a")
    assert start_attempts() == []


def test_an_approval_names_a_part_that_is_there_and_has_not_begun(ada, carol):
    task = new(ada)
    unknown = refused(carol, task, "approval", 404, "sub_task_not_found", sub_task_id="z")
    assert unknown["sub_task"] == "z"
    refused(carol, task, "approval", 422, "invalid_request")
    refused(carol, task, "approval", 422, "invalid_request", sub_task_id=1)
    refused(carol, 10**9, "approval", 404, "task_not_found", sub_task_id="a")
    start_attempts()
    refused(carol, task, "approval", 409, "sub_task_started", sub_task_id="a")
    assert not SubTask.objects.get().approved_at


def test_a_retry_runs_what_failed_and_keeps_what_succeeded(ada):
    task = new(ada, "a", "b", retry_on_failure=False)
    first, second = start_attempts()
    spend(first, 100)
    finish_attempt(first, text="did a")
    finish_attempt(second, "failed", kind="failed", says="No luck.")
    shown = step(ada, task, "retry")
    assert (shown["status"], statuses(shown)) == ("active", ["succeeded", "waiting"])
    refused(ada, task, "retry", 409, "task_not_ended")
    (again,) = start_attempts()
    assert again.sub_task.key == "b"
    finish_attempt(again, text="did b")
    assert ada.get(f"/tasks/{task}").json()["status"] == "completed"


def test_one_part_is_retried_alone(ada):
    task = failed(ada, "a", "b")
    refused(ada, task, "retry", 404, "sub_task_not_found", sub_task_id="c")
    shown = step(ada, task, "retry", sub_task_id="b")
    assert statuses(shown) == ["failed", "waiting"]


def test_nothing_to_retry_is_a_refusal(ada):
    task = complete_task(ada, sub_tasks=parts("a"))
    refused(ada, task, "retry", 409, "nothing_to_retry")
    assert ada.get(f"/tasks/{task}").json()["status"] == "completed"


def test_a_retry_for_which_too_little_is_left_needs_more_budget(ada):
    task = new(ada, "a", "b", retry_on_failure=False, total_budget=2_000)
    first, second = start_attempts()
    spend(first, 1_000)
    spend(second, 1_000)
    for attempt in (first, second):
        finish_attempt(attempt, "failed", kind="failed", says="No luck.")
    refused(ada, task, "retry", 422, "budget_too_small")
    assert ada.get(f"/tasks/{task}").json()["status"] == "failed"
    for wrong in (-1, "5", 10**13, None):
        refused(ada, task, "retry", 422, "invalid_request", additional_budget=wrong)
    shown = step(ada, task, "retry", additional_budget=3_000)
    assert (shown["total_budget"], shown["left"]) == (5_000, 3_000)
    # What they used before is part of a share.
    again = [part["share"] - part["tokens_used"] for part in shown["sub_tasks"]]
    assert again == [1_000, 1_000]


def test_steps_are_for_the_agents_own_tasks_with_spend_only(ada, bob, carol):
    task = failed(ada)
    before = Task.objects.values().get()
    for name in STEPS:
        refused(bob, task, name, 404, "task_not_found")
        refused(carol, task, name, 404, "task_not_found")
        refused(ada, 10**9, name, 404, "task_not_found")
    assert Task.objects.values().get() == before
    reader = Caller(token_of("bob", "read"))
    own = session_caller(allocate(tokens=1000).session_id)
    for name in STEPS:
        refused(reader, task, name, 403, "scope_missing")
        refused(own, task, name, 403, "session_token_not_enough")


@pytest.mark.parametrize("name", STEPS)
def test_what_a_step_does_not_know_is_refused_and_nothing_happens(ada, name):
    task = new(ada)
    before = Task.objects.values().get()
    refused(ada, task, name, 422, "invalid_request", nonsense=1)
    answer = ada.post(f"/tasks/{task}/{name}", idempotency_key="\x7f")
    assert_problem(answer, 422, "invalid_request")
    assert Task.objects.values().get() == before


def test_a_part_that_depends_on_one_to_be_approved_later_can_be_approved_now(ada, carol):
    given = [*parts("a"), *parts("b", depends_on=["a"], needs_approval=True)]
    task = submit(ada, sub_tasks=given).json()["id"]
    assert step(carol, task, "approval", sub_task_id="b")["status"] == "blocked"
    (attempt,) = start_attempts()
    finish_attempt(attempt, text="did a")
    (second,) = start_attempts()
    assert second.sub_task.key == "b"


def test_a_part_that_fails_leaves_what_goes_on_without_it(ada):
    given = [*parts("a"), {"id": "b", "description": "b", "depends_on": ["a"]}]
    given[1]["if_dependency_fails"] = "run"
    task = submit(ada, sub_tasks=given, retry_on_failure=False, priority="high").json()["id"]
    finish_attempt(start_attempts()[0], "failed", kind="failed", says="No luck.")
    finish_attempt(start_attempts()[0])
    shown = ada.get(f"/tasks/{task}").json()
    assert (shown["status"], shown["priority"]) == ("partial", "high")
    assert shown["status_reason"] == "The sub-task a failed: the sub-agent failed."
    assert [part["if_dependency_fails"] for part in shown["sub_tasks"]] == ["fail", "run"]


def test_a_failed_part_is_skipped_changed_and_retried(ada):
    given = [*parts("a"), {"id": "b", "description": "b", "depends_on": ["a"]}]
    task = submit(ada, sub_tasks=given, retry_on_failure=False).json()["id"]
    finish_attempt(start_attempts()[0], "failed", kind="failed", says="No luck.")
    changed = step(ada, task, "change", sub_task_id="a", description="do it in other words")
    assert (changed["id"], changed["status"]) == ("a", "failed")
    listed = ada.get(f"/tasks/{task}/sub_tasks").json()["results"]
    assert listed[0]["description"] == "do it in other words"
    shown = step(ada, task, "skip", sub_task_id="a")
    assert statuses(shown) == ["cancelled", "waiting"]
    assert shown["sub_tasks"][0]["error_kind"] == "skipped"
    finish_attempt(start_attempts()[0])
    assert ada.get(f"/tasks/{task}").json()["status"] == "completed"
    refused(ada, task, "skip", 409, "sub_task_started", sub_task_id="b")


def test_a_budget_is_raised_once_with_one_key(ada):
    task = new(ada, "a", "b", total_budget=10_000)
    for _ in range(2):
        shown = step(ada, task, "budget", additional_budget=5_000, idempotency_key="more")
        assert shown["total_budget"] == 15_000
    assert [part["share"] for part in shown["sub_tasks"]] == [7_500, 7_500]


def test_the_priority_of_a_task_is_changed_while_it_runs(ada, bob, carol):
    task = new(ada, "a", "b")
    assert step(ada, task, "priority", priority="high", reason="The release")["priority"] == "high"
    assert step(ada, task, "priority", priority="high")["priority"] == "high"
    assert AuditEntry.objects.get(action="task.set_priority").reason == "The release"
    refused(ada, task, "priority", 422, "invalid_request", priority="urgent")
    refused(ada, task, "priority", 422, "invalid_request")
    refused(ada, task, "priority", 422, "invalid_request", priority="low", reason="x" * 301)
    refused(bob, task, "priority", 404, "task_not_found", priority="low")
    step(ada, task, "cancellation")
    refused(ada, task, "priority", 409, "task_ended", priority="low")


def test_another_agent_refuses_an_approval(ada):
    task = submit(ada, sub_tasks=parts("a", needs_approval=True)).json()["id"]
    operator = Caller(token_of("bob", "operate"))
    asked = {"sub_task_id": "a", "reason": "Not before Monday."}
    own = Caller(token_of("ada", "operate"))
    refused(own, task, "refusal", 403, "own_approval", **asked)
    part = step(operator, task, "refusal", **asked)
    assert (part["status"], part["error_kind"]) == ("failed", "approval_refused")
    assert part["error"].endswith("Not before Monday.")
