"""A model takes a task apart, under the task's own budget."""

import json

import pytest
from django.utils import timezone

from orchestration import services
from orchestration.models import SubTask, Task
from orchestration.queries.results import camel_case_results, results
from tests.keys.builders import add_key, report
from tests.moments import NOON
from tests.orchestration.work import assert_finalized, description_of, run_until_done

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "Research market trends, analyze data, write report"


def submit_for_model(now=NOON, **changes) -> Task:
    """Submit a task that a model plans."""
    task_request = services.TaskRequest(
        name="study", description=TEXT, total_budget=100_000, planner="model", **changes
    )
    return services.submit(agent="ada", request=task_request, now=now)[0]


@pytest.fixture
def ada(people):
    """ada, with a key."""
    add_key("nvidia-1", per_day=10_000_000)


def task_after_planning(answer: str, *, kind: str = "", used: int = 0) -> Task:
    """The task after its planning step succeeded with this answer, or failed."""
    task = submit_for_model(retry_on_failure=False)
    (attempt,) = services.claim(worker="one", most=5, now=NOON)
    work = services.lend(attempt, now=NOON)
    assert TEXT in work.prompt
    if used:
        attempt.refresh_from_db()
        report(attempt.allocation, used)
    ended = services.AttemptOutcome(
        attempt.pk, attempt.fence, "failed" if kind else "succeeded", text=answer, kind=kind
    )
    assert services.finish_many([ended], now=NOON) == [True]
    services.finalize(now=NOON)
    task.refresh_from_db()
    return task


def parts(task: Task) -> list[tuple[str, str]]:
    """The description and status of each of its sub-tasks."""
    found = SubTask.objects.filter(task=task, position__gt=0)
    return [(description_of(each), each.status) for each in found]


def test_the_models_plan_is_done_with_what_planning_left(ada):
    plan = [
        {"id": "a", "description": "gather"},
        {"id": "plan", "description": "write", "depends_on": ["a"]},
    ]
    task = task_after_planning(f"```json\n{json.dumps({'sub_tasks': plan})}\n```", used=2_000)
    assert parts(task) == [("gather", "waiting"), ("write", "blocked")]
    assert task.used == 2_000
    shares = SubTask.objects.filter(task=task, position__gt=0).values_list("share", flat=True)
    assert sum(shares) <= 98_000


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("I cannot do that.", ""),
        ('{"sub_tasks": [{"description": "a", "depends_on": ["b"]}]}', ""),
        ("", "refused"),
    ],
)
def test_without_a_usable_plan_keywords_make_one(ada, answer, kind):
    """O38."""
    task = task_after_planning(answer, kind=kind)
    task.refresh_from_db()
    assert (task.status, "the keyword planner made" in task.plan_note) == ("active", True)
    assert [description for description, _ in parts(task)] == [
        "Research market trends",
        "analyze data",
        "write report",
    ]


def test_what_the_planner_used_is_part_of_the_task(office):
    """O38."""
    task = run_until_done(submit_for_model(now=timezone.now()))
    found = results(task)
    assert (task.status, found.successful, len(found.planning)) == ("completed", 3, 1)
    in_parts = sum(each.tokens for each in found.details)
    assert found.tokens == task.used > in_parts
    shown = camel_case_results(found, now=timezone.now())
    assert shown["planning"]["tokensUsed"] == task.used - in_parts
    assert_finalized(task)
