"""Tasks: submit, list, look at one."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.base import ApiView, created_response, serialize
from api.fields import Usd
from api.query_parameters import body, idempotency_key, query
from api.sub_tasks import SubTaskOutput, sub_task_page
from api.task_input import TaskInput, order
from orchestration import services as orchestration
from orchestration.models import Task
from orchestration.queries.tasks import progress, sub_tasks_now, visible_task, visible_tasks


class SubTaskCountsOutput(serializers.Serializer):
    """Sub-tasks by status."""

    blocked = serializers.IntegerField(help_text="What they depend on is not done.")
    gated = serializers.IntegerField(help_text="A person must approve them.")
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class TaskOutput(serializers.Serializer):
    """A task and how far it is. Counts of `used`, `lent` and `left` make `total_budget`."""

    id = serializers.IntegerField(source="task.id")
    name = serializers.CharField(source="task.name")
    agent = serializers.CharField(source="task.agent_id")
    cost_centre = serializers.CharField(source="task.cost_centre_id")
    status = serializers.ChoiceField(Task.Status.choices, source="task.status")
    status_reason = serializers.CharField(source="task.status_reason")
    percent_done = serializers.FloatField(help_text="Of the sub-tasks, those that have ended.")
    sub_tasks_total = serializers.IntegerField(
        source="total", help_text="0 while a model is planning."
    )
    sub_tasks_by_status = SubTaskCountsOutput(source="counts")
    attempts = serializers.IntegerField(help_text="All of them, planning included.")
    total_budget = serializers.IntegerField(source="task.budget", help_text="Tokens.")
    reserve = serializers.IntegerField(source="task.reserve", help_text="Of it, for retries.")
    soft_limit = serializers.IntegerField(
        source="task.soft_limit", allow_null=True, help_text="Used tokens at which it pauses."
    )
    used = serializers.IntegerField(help_text="Tokens, those of running attempts included.")
    lent = serializers.IntegerField(help_text="Lent to attempts and not used yet.")
    left = serializers.IntegerField(help_text="Not lent.")
    overrun = serializers.BooleanField(
        source="task.overrun", help_text="More was used than the budget."
    )
    cost = Usd(help_text="USD so far.")
    planner = serializers.CharField(source="task.planner", help_text="given, keyword or model.")
    runner = serializers.CharField(source="task.runner")
    model = serializers.CharField(source="task.model", help_text="Asked for; empty: any.")
    provider = serializers.CharField(source="task.provider", help_text="Asked for; empty: any.")
    max_concurrent = serializers.IntegerField(source="task.max_concurrent")
    created_at = serializers.DateTimeField(source="task.created_at")
    started_at = serializers.DateTimeField(
        allow_null=True, help_text="When its first sub-task began."
    )
    deadline_at = serializers.DateTimeField(
        source="task.deadline_at", help_text="Stands still while it is paused."
    )
    paused_at = serializers.DateTimeField(source="task.paused_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="task.ended_at", allow_null=True)


class TaskDetailOutput(TaskOutput):
    """A task with its first sub-tasks."""

    description = serializers.CharField(source="task.description")
    sub_tasks = SubTaskOutput(many=True, help_text=f"The first {pagination.LIMIT_MAX}.")
    next_cursor = serializers.CharField(
        allow_null=True, help_text="For `…/sub_tasks`, if there are more."
    )


def task_detail(task_id: int) -> dict[str, Any]:
    """A task with its progress and its first sub-tasks."""
    (found,) = progress([task_id])
    rows = sub_tasks_now(found.task, most=pagination.LIMIT_MAX + 1)
    page = sub_task_page(rows, limit=pagination.LIMIT_MAX, output=SubTaskOutput)
    return serialize(TaskOutput, found) | {
        "description": found.task.description,
        "sub_tasks": page["results"],
        "next_cursor": page["next_cursor"],
    }


class TaskListView(ApiView):
    """`/api/v1/tasks`."""

    problems = {"POST": (409,)}

    class Query(pagination.PageQuery):
        """Filters of the list."""

        status = serializers.ChoiceField(Task.Status.choices, required=False)

    @extend_schema(
        operation_id="submitTask",
        summary="Have a task done by sub-agents under a budget",
        description="Needs the scope spend. The same `Idempotency-Key` is the same task: the "
        "repeat is answered with 200 and `Idempotent-Replay: true`, and the task as it is by then.",
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
                "Parts",
                {
                    "name": "Two parts",
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
        """Submit."""
        task, created = orchestration.submit(
            agent=request.auth.agent,
            order=order(body(request, TaskInput)),
            idempotency_key=idempotency_key(request),
            now=timezone.now(),
        )
        return created_response(task_detail(task.pk), created=created)

    @extend_schema(
        operation_id="listTasks",
        summary="Your tasks, the newest first",
        description="Needs the scope read; with operate, those of every agent.",
        parameters=[Query],
        responses=pagination.page_serializer(TaskOutput),
    )
    def get(self, request: Request) -> Response:
        """List."""
        asked = query(request, self.Query)
        found = visible_tasks(request.auth).order_by("-id")
        if "status" in asked:
            found = found.filter(status=asked["status"])
        if after := pagination.position(asked.get("cursor"), int):
            found = found.filter(id__lt=after[0])
        limit = asked["limit"]
        rows = progress(found.values_list("id", flat=True)[: limit + 1])
        return Response(
            pagination.page(rows, limit=limit, output=TaskOutput, at=lambda row: (row.task.pk,))
        )


class TaskView(ApiView):
    """`/api/v1/tasks/{task_id}`."""

    problems = {"GET": (404,)}

    @extend_schema(
        operation_id="task",
        summary="One task: how far it is",
        description="Needs the scope read; with operate, those of every agent.",
        responses=TaskDetailOutput,
    )
    def get(self, request: Request, task_id: int) -> Response:
        """Show."""
        return Response(task_detail(visible_task(task_id, bearer=request.auth).pk))
