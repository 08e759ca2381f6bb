"""Sub-tasks: the parts of a task and their progress."""

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api import pagination
from api.base import ApiView
from api.fields import Usd
from api.query_parameters import query
from orchestration.models import SubTask
from orchestration.queries.tasks import SubTaskNow, readable_texts, sub_tasks_now, visible_task
from orchestration.task_texts import description_of


class SubTaskOutput(serializers.Serializer):
    """A part of a task. Its tokens and cost are those of all its attempts so far."""

    id = serializers.CharField(source="key", help_text=texts.SUB_TASK_ID)
    position = serializers.IntegerField(help_text="The position in the plan, counted from 1.")
    name = serializers.CharField(help_text="The name of the sub-task.")
    status = serializers.ChoiceField(SubTask.Status.choices, help_text=texts.SUB_TASK_STATUS)
    priority = serializers.CharField(help_text=texts.PRIORITY)
    depends_on = serializers.ListField(child=serializers.CharField(), help_text=texts.DEPENDS_ON)
    estimated_tokens = serializers.IntegerField(help_text=texts.ESTIMATED_TOKENS)
    share = serializers.IntegerField(
        help_text="The number of tokens of the budget that the attempts of the sub-task may use."
    )
    tokens_used = serializers.IntegerField(
        source="tokens", help_text="The number of tokens that the sub-task used so far."
    )
    cost = Usd(help_text="The cost of the sub-task so far, in US dollars.")
    runner = serializers.CharField(help_text="The runner that carries out the sub-task.")
    model = serializers.CharField(help_text=texts.TASK_MODEL)
    provider = serializers.CharField(help_text=texts.TASK_PROVIDER)
    attempts = serializers.IntegerField(help_text="The number of attempts so far.")
    retries = serializers.IntegerField(
        help_text="The number of attempts that failed and were tried again."
    )
    session_id = serializers.CharField(
        help_text="The session of the last attempt, or an empty string before the first one."
    )
    key_id = serializers.CharField(
        source="api_key",
        help_text="The API key of the last attempt, or an empty string before the first one.",
    )
    error_kind = serializers.CharField(
        help_text="Why the sub-task failed, as a stable code, or an empty string."
    )
    error = serializers.CharField(
        help_text="Why the sub-task failed, in words, or an empty string."
    )
    if_dependency_fails = serializers.CharField(help_text=texts.IF_DEPENDENCY_FAILS)
    needs_approval = serializers.BooleanField(help_text=texts.NEEDS_APPROVAL)
    approved_at = serializers.DateTimeField(
        allow_null=True, help_text="The time of the approval, or null before it."
    )
    approved_by = serializers.CharField(
        help_text="The person or agent who approved the sub-task, or an empty string."
    )
    not_before = serializers.DateTimeField(
        allow_null=True,
        help_text="The earliest time at which a waiting sub-task starts, or null.",
    )
    started_at = serializers.DateTimeField(
        allow_null=True,
        help_text="The time at which the first attempt started, or null before it.",
    )
    ended_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which the sub-task ended, or null before it."
    )


class ListedSubTaskOutput(SubTaskOutput):
    """A part of a task, with its instructions."""

    description = serializers.CharField(
        help_text="The instructions that the sub-agent receives, or an empty string if another "
        "agent submitted the task, or if they were deleted."
    )


def sub_task_page(
    rows: Sequence[SubTaskNow], *, limit: int, output: type[SubTaskOutput]
) -> dict[str, Any]:
    """Return a page of sub-tasks in the order of the plan."""
    return pagination.page(rows, limit=limit, output=output, at=lambda row: (row.position,))


class SubTaskListView(ApiView):
    """`/api/v1/tasks/{task_id}/sub_tasks`."""

    problems = {"GET": (404,)}

    class Query(pagination.PageQuery):
        """Which sub-tasks to list."""

        status = serializers.ChoiceField(
            SubTask.Status.choices,
            required=False,
            help_text="Only sub-tasks with this status are returned.",
        )

    @extend_schema(
        operation_id="listSubTasks",
        summary="List the sub-tasks of a task",
        description="Requires the scope `read`. Returns the sub-tasks in the order of the plan. "
        "With the scope `operate`, the task may belong to any agent.",
        parameters=[Query],
        responses=pagination.page_serializer(ListedSubTaskOutput),
    )
    def get(self, request: Request, task_id: int) -> Response:
        """Return a page of sub-tasks."""
        values = query(request, self.Query)
        limit = values["limit"]
        after = pagination.cursor_value(values.get("cursor"), int)
        task = visible_task(task_id, bearer=self.bearer)
        rows = sub_tasks_now(
            task,
            after=after or 0,
            most=limit + 1,
            status=values.get("status"),
        )
        texts = readable_texts(task, bearer=self.bearer)
        page = sub_task_page(rows, limit=limit, output=SubTaskOutput)
        for output, row in zip(page["results"], rows, strict=False):
            output["description"] = texts.unseal(
                row.sealed_description, place=description_of(row.position)
            )
        return Response(page)
