"""Tasks: submit, list, look at one."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api import pagination
from api.base import ApiView, created_response, serialize
from api.fields import Usd
from api.query_parameters import body, idempotency_key, query
from api.sub_tasks import SubTaskOutput, sub_task_page
from api.task_input import TaskInput, task_request
from common import database_clock
from keys.identity.queries.credentials import Bearer
from orchestration import services as orchestration
from orchestration.models import Task
from orchestration.queries.tasks import (
    progress,
    readable_texts,
    sub_tasks_now,
    visible_task,
    visible_tasks,
)
from orchestration.task_texts import TASK


class SubTaskCountsOutput(serializers.Serializer):
    """The number of sub-tasks in each status."""

    blocked = serializers.IntegerField(
        help_text="The number of sub-tasks whose dependencies have not succeeded yet."
    )
    gated = serializers.IntegerField(
        help_text="The number of sub-tasks that a person must approve."
    )
    waiting = serializers.IntegerField(
        help_text="The number of sub-tasks that are ready and wait for a worker."
    )
    running = serializers.IntegerField(help_text="The number of sub-tasks that are running.")
    succeeded = serializers.IntegerField(help_text="The number of sub-tasks that succeeded.")
    failed = serializers.IntegerField(help_text="The number of sub-tasks that failed.")
    cancelled = serializers.IntegerField(help_text="The number of sub-tasks that were cancelled.")


class TaskOutput(serializers.Serializer):
    """A task and its progress. `used`, `lent` and `left` add up to `total_budget`."""

    id = serializers.IntegerField(source="task.id", help_text="Identifies the task.")
    name = serializers.CharField(source="task.name", help_text="The name of the task.")
    agent = serializers.CharField(
        source="task.agent_id", help_text="The name of the agent that submitted the task."
    )
    cost_centre = serializers.CharField(source="task.cost_centre_id", help_text=texts.COST_CENTRE)
    status = serializers.ChoiceField(
        Task.Status.choices,
        source="task.status",
        help_text="The status of the task: `active`, `paused` or `cancelling` until it ends as "
        "`completed` (all sub-tasks succeeded), `partial` (some did), `failed` or `cancelled`.",
    )
    status_reason = serializers.CharField(
        source="task.status_reason",
        help_text="Why the task has this status, or an empty string.",
    )
    percent_done = serializers.FloatField(
        help_text="The percentage of the sub-tasks that have ended."
    )
    sub_tasks_total = serializers.IntegerField(
        source="total",
        help_text="The number of sub-tasks, which is 0 while a model is still planning.",
    )
    sub_tasks_by_status = SubTaskCountsOutput(
        source="counts", help_text="The number of sub-tasks in each status."
    )
    attempts = serializers.IntegerField(
        help_text="The number of attempts so far, planning and retries included."
    )
    total_budget = serializers.IntegerField(
        source="task.budget", help_text="The budget of the task in tokens, retries included."
    )
    reserve = serializers.IntegerField(
        source="task.reserve", help_text="The part of the budget kept for retries, in tokens."
    )
    soft_limit = serializers.IntegerField(
        source="task.soft_limit",
        allow_null=True,
        help_text="The value of `used`, in tokens, at which the task pauses, or null if it does "
        "not.",
    )
    used = serializers.IntegerField(
        help_text="The number of tokens used so far, running attempts included."
    )
    lent = serializers.IntegerField(
        help_text="The number of tokens lent to running attempts and not used yet."
    )
    left = serializers.IntegerField(
        help_text="The number of tokens of the budget that are neither used nor lent."
    )
    overrun = serializers.BooleanField(
        source="task.overrun", help_text="True when the task used more tokens than its budget."
    )
    cost = Usd(help_text="The cost of the task so far, in US dollars.")
    plan_note = serializers.CharField(
        source="task.plan_note",
        help_text="What the planner says about the description, such as that it did not divide "
        "it; or an empty string.",
    )
    planner = serializers.CharField(
        source="task.planner",
        help_text="Where the sub-tasks come from: `given` with the task, or found by the "
        "`keyword` or the `model` planner.",
    )
    priority = serializers.CharField(
        source="task.priority", help_text="Which tasks of the agent start first."
    )
    runner = serializers.CharField(
        source="task.runner", help_text="The runner that carries out the sub-tasks."
    )
    model = serializers.CharField(source="task.model", help_text=texts.TASK_MODEL)
    provider = serializers.CharField(source="task.provider", help_text=texts.TASK_PROVIDER)
    max_concurrent = serializers.IntegerField(
        source="task.max_concurrent",
        help_text="The number of sub-tasks that may run at the same time.",
    )
    created_at = serializers.DateTimeField(
        source="task.created_at", help_text="The time at which the task was submitted."
    )
    started_at = serializers.DateTimeField(
        allow_null=True,
        help_text="The time at which the first sub-task started, or null before it.",
    )
    deadline_at = serializers.DateTimeField(
        source="task.deadline_at",
        help_text="The time at which the task is stopped. A pause moves it.",
    )
    paused_at = serializers.DateTimeField(
        source="task.paused_at",
        allow_null=True,
        help_text="The time at which the task was paused, or null if it is not paused.",
    )
    ended_at = serializers.DateTimeField(
        source="task.ended_at",
        allow_null=True,
        help_text="The time at which the task ended, or null before it.",
    )

    texts_deleted_at = serializers.DateTimeField(
        source="task.texts_deleted_at", allow_null=True, help_text=texts.TEXTS_DELETED_AT
    )


class TaskDetailOutput(TaskOutput):
    """A task, its progress and its first sub-tasks."""

    description = serializers.CharField(
        help_text="The description of the task, or an empty string if sub-tasks were given, if "
        "another agent submitted it, or if it was deleted.",
    )
    sub_tasks = SubTaskOutput(
        many=True, help_text=f"The first {pagination.LIMIT_MAX} sub-tasks in the order of the plan."
    )
    next_cursor = serializers.CharField(
        allow_null=True,
        help_text="The value of `cursor` with which `GET /api/v1/tasks/{task_id}/sub_tasks` "
        "returns the other sub-tasks, or null if there are none.",
    )


def task_detail(task_id: int, *, bearer: Bearer) -> dict[str, Any]:
    """Return what `TaskDetailOutput` says of a task."""
    (summary,) = progress([task_id])
    rows = sub_tasks_now(summary.task, most=pagination.LIMIT_MAX + 1)
    page = sub_task_page(rows, limit=pagination.LIMIT_MAX, output=SubTaskOutput)
    return serialize(TaskOutput, summary) | {
        "description": readable_texts(summary.task, bearer=bearer).unseal(
            summary.task.sealed_description, place=TASK
        ),
        "sub_tasks": page["results"],
        "next_cursor": page["next_cursor"],
    }


class TaskListView(ApiView):
    """`/api/v1/tasks`."""

    problems = {"POST": (409,)}

    class Query(pagination.PageQuery):
        """Which tasks to list."""

        status = serializers.ChoiceField(
            Task.Status.choices,
            required=False,
            help_text="Only tasks with this status are returned.",
        )

    @extend_schema(
        operation_id="submitTask",
        summary="Submit a task",
        description="Requires the scope `spend`. Sub-agents carry out the task within its budget. "
        "A repeated request with the same `Idempotency-Key` returns the same task and its progress "
        "with status 200 and the header `Idempotent-Replay: true`.",
        request=TaskInput,
        responses={201: TaskDetailOutput, 200: TaskDetailOutput},
        examples=[
            OpenApiExample(
                "A description",
                {
                    "name": "Market report",
                    "description": "Research market trends, analyze data, write report",
                    "total_budget": 100_000,
                },
                request_only=True,
            ),
            OpenApiExample(
                "Sub-tasks",
                {
                    "name": "Two sub-tasks",
                    "sub_tasks": [
                        {"id": "a", "description": "Gather."},
                        {"id": "b", "description": "Write.", "depends_on": ["a"]},
                    ],
                    "total_budget": 50_000,
                },
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Submit the task and return it."""
        task, created = orchestration.submit(
            agent=self.bearer.agent,
            request=task_request(body(request, TaskInput)),
            idempotency_key=idempotency_key(request),
            now=database_clock.now(),
        )
        return created_response(task_detail(task.pk, bearer=self.bearer), created=created)

    @extend_schema(
        operation_id="listTasks",
        summary="List tasks",
        description="Requires the scope `read`. Returns the tasks of the agent with their "
        "progress, newest first. With the scope `operate`, returns those of every agent.",
        parameters=[Query],
        responses=pagination.page_serializer(TaskOutput),
    )
    def get(self, request: Request) -> Response:
        """Return a page of tasks."""
        values = query(request, self.Query)
        tasks = visible_tasks(self.bearer).order_by("-id")
        if "status" in values:
            tasks = tasks.filter(status=values["status"])
        if after := pagination.cursor_value(values.get("cursor"), int):
            tasks = tasks.filter(id__lt=after)
        limit = values["limit"]
        rows = progress(list(tasks.values_list("id", flat=True)[: limit + 1]))
        return Response(
            pagination.page(rows, limit=limit, output=TaskOutput, at=lambda row: (row.task.pk,))
        )


class TaskView(ApiView):
    """`/api/v1/tasks/{task_id}`."""

    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="task",
        summary="Get a task",
        description="Requires the scope `read`. Returns the progress, the cost and the first "
        "sub-tasks of a task. With the scope `operate`, the task may belong to any agent.",
        responses=TaskDetailOutput,
    )
    def get(self, request: Request, task_id: int) -> Response:
        """Return the task."""
        task = visible_task(task_id, bearer=self.bearer)
        return Response(task_detail(task.pk, bearer=self.bearer))
