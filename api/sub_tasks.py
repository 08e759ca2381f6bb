"""Sub-tasks: how far each part of a task is."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import pagination
from api.base import ApiView
from api.fields import Usd
from api.query_parameters import query
from orchestration.models import SubTask
from orchestration.queries.tasks import SubTaskNow, sub_tasks_now, visible_task


class SubTaskOutput(serializers.Serializer):
    """A part of a task. Tokens and cost are of all its attempts so far."""

    id = serializers.CharField(source="key")
    position = serializers.IntegerField(help_text="In the plan, from 1.")
    name = serializers.CharField()
    status = serializers.ChoiceField(SubTask.Status.choices)
    priority = serializers.CharField()
    depends_on = serializers.ListField(child=serializers.CharField())
    estimated_tokens = serializers.IntegerField()
    share = serializers.IntegerField(help_text="Tokens of the budget that its attempts may use.")
    tokens_used = serializers.IntegerField(source="tokens")
    cost = Usd(help_text="USD.")
    runner = serializers.CharField()
    model = serializers.CharField(help_text="Asked for; empty: any.")
    provider = serializers.CharField(help_text="Asked for; empty: any.")
    attempts = serializers.IntegerField()
    retries = serializers.IntegerField(help_text="Attempts that failed and were tried again.")
    session_id = serializers.CharField(help_text="Of its last attempt; empty: none yet.")
    key_id = serializers.CharField(source="api_key", help_text="Of its last attempt.")
    error_kind = serializers.CharField(help_text="For programs; empty: none.")
    error = serializers.CharField()
    needs_approval = serializers.BooleanField()
    approved_at = serializers.DateTimeField(allow_null=True)
    approved_by = serializers.CharField()
    not_before = serializers.DateTimeField(
        allow_null=True, help_text="While it waits: when it may begin."
    )
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ListedSubTaskOutput(SubTaskOutput):
    """A part of a task, with what its sub-agent is told."""

    description = serializers.CharField()


def sub_task_page(
    rows: Sequence[SubTaskNow], *, limit: int, output: type[SubTaskOutput]
) -> dict[str, Any]:
    """A page of sub-tasks in the order of the plan."""
    return pagination.page(rows, limit=limit, output=output, at=lambda row: (row.position,))


class SubTaskListView(ApiView):
    """`/api/v1/tasks/{task_id}/sub_tasks`."""

    problems = {"GET": (404,)}

    class Query(pagination.PageQuery):
        """Filters of the list."""

        status = serializers.ChoiceField(SubTask.Status.choices, required=False)

    @extend_schema(
        operation_id="listSubTasks",
        summary="The parts of a task, in the order of the plan",
        description="Needs the scope read; with operate, of every agent's tasks.",
        parameters=[Query],
        responses=pagination.page_serializer(ListedSubTaskOutput),
    )
    def get(self, request: Request, task_id: int) -> Response:
        """List."""
        asked = query(request, self.Query)
        limit = asked["limit"]
        after = pagination.position(asked.get("cursor"), int)
        rows = sub_tasks_now(
            visible_task(task_id, bearer=request.auth),
            after=after[0] if after else 0,
            most=limit + 1,
            status=asked.get("status"),
        )
        return Response(sub_task_page(rows, limit=limit, output=ListedSubTaskOutput))
