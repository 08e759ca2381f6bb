"""Results of a task, under camelCase names."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.base import ApiView
from api.fields import Strict, Usd, usd
from api.query_parameters import query
from api.task_input import ID_MAX
from common import database_clock
from orchestration.models import SubTask
from orchestration.queries.results import (
    LISTED_CHARACTERS_MAX,
    camel_case_results,
    result_text,
    results,
)
from orchestration.queries.tasks import readable_texts, visible_task

PAGE_CHARACTERS_MAX = 100_000


class SubTaskResultOutput(serializers.Serializer):
    """The result of one sub-task, all its attempts together."""

    id = serializers.CharField(help_text=texts.SUB_TASK_ID)
    name = serializers.CharField(help_text="The name of the sub-task.")
    status = serializers.ChoiceField(SubTask.Status.choices, help_text=texts.SUB_TASK_STATUS)
    tokensUsed = serializers.IntegerField(
        help_text="The number of tokens that the sub-task used, retries included."
    )
    error = serializers.CharField(
        allow_null=True, help_text="Why the sub-task failed, in words, or null."
    )
    errorKind = serializers.CharField(
        allow_null=True, help_text="Why the sub-task failed, as a stable code, or null."
    )
    cost = Usd(help_text="The cost of the sub-task in US dollars, retries included.")
    duration = serializers.FloatField(
        allow_null=True,
        help_text="The seconds from the start of the first attempt to the end, or until now, or "
        "null if the sub-task has not started.",
    )
    attempts = serializers.IntegerField(help_text="The number of attempts.")
    key = serializers.CharField(
        allow_null=True, help_text="The API key of the last attempt, or null if there was none."
    )
    result = serializers.CharField(
        help_text="The text of the result, or an empty string if there is none, if it was not "
        "requested, if another agent submitted the task, or if it was deleted. Only the first "
        f"{LISTED_CHARACTERS_MAX:,} characters are listed; `GET /tasks/{{task_id}}/result` has all "
        "of it."
    )
    resultCharacters = serializers.IntegerField(
        help_text="The number of characters of the whole result."
    )
    cut = serializers.ChoiceField(
        ["budget", "length", "output"],
        allow_null=True,
        help_text="Why the result ends early: `budget` if the answer was cut to what was left of "
        "the budget, `length` if it reached the model's own maximum, `output` if a command printed "
        "more than is kept. It is null if the result is whole.",
    )


class PlanningResultOutput(serializers.Serializer):
    """What it took a model to plan the task."""

    status = serializers.ChoiceField(SubTask.Status.choices, help_text=texts.SUB_TASK_STATUS)
    tokensUsed = serializers.IntegerField(
        help_text="The number of tokens that the planning used, retries included."
    )
    cost = Usd(help_text="The cost of the planning in US dollars, retries included.")
    attempts = serializers.IntegerField(help_text="The number of attempts.")
    duration = serializers.FloatField(
        allow_null=True,
        help_text="The seconds from the start of the first attempt to the end, or until now, or "
        "null if the planning has not started.",
    )
    error = serializers.CharField(
        allow_null=True, help_text="Why the planning failed, in words, or null."
    )


class TaskResultsView(ApiView):
    """`/api/v1/tasks/{task_id}/results`."""

    problems = {"GET": (404,)}

    class Query(Strict):
        """How much of the results to return."""

        with_text = serializers.BooleanField(
            default=True,
            help_text="Whether to return the texts of the results. The default is true.",
        )

    class Output(serializers.Serializer):
        """The results of the task so far."""

        totalSubTasks = serializers.IntegerField(help_text="The number of sub-tasks.")
        successful = serializers.IntegerField(help_text="The number of sub-tasks that succeeded.")
        failed = serializers.IntegerField(
            help_text="The number of sub-tasks that failed or were cancelled."
        )
        totalTokensUsed = serializers.IntegerField(
            help_text="The number of tokens that the task used, planning and retries included."
        )
        totalCost = Usd(
            help_text="The cost of the task in US dollars, planning and retries included."
        )
        successRate = serializers.FloatField(
            help_text="The percentage of the sub-tasks that succeeded, with one decimal place."
        )
        textsDeletedAt = serializers.DateTimeField(
            required=False,
            help_text="The time at which the prompts and results of the task were deleted because "
            "their retention was over. It is missing before that.",
        )
        planning = PlanningResultOutput(
            required=False,
            help_text="What the planning by a model used. It is missing if no model planned the "
            "task. What the planner did with the description is in the task's `plan_note`.",
        )
        details = SubTaskResultOutput(
            many=True, help_text="The result of each sub-task in the order of the plan."
        )

    @extend_schema(
        operation_id="taskResults",
        summary="Get the results of a task",
        description="Requires the scope `read`. Returns what has come of the task so far, also "
        "while it is running. With the scope `operate`, the task may belong to any agent, but only "
        "the agent that submitted it reads the texts.",
        parameters=[Query],
        responses=Output,
    )
    def get(self, request: Request, task_id: int) -> Response:
        """Return the results so far."""
        values = query(request, self.Query)
        task = visible_task(task_id, bearer=self.bearer)
        readable = readable_texts(task, bearer=self.bearer) if values["with_text"] else None
        body = camel_case_results(results(task, texts=readable), now=database_clock.now())
        if task.texts_deleted_at:
            body["textsDeletedAt"] = task.texts_deleted_at
        # Without a serializer, which takes a second for ten thousand details.
        details = [each | {"cost": usd(each["cost"])} for each in body["details"]]
        if planning := body.get("planning"):
            body["planning"] = planning | {"cost": usd(planning["cost"])}
        return Response(body | {"totalCost": usd(body["totalCost"]), "details": details})


class ResultTextView(ApiView):
    """`/api/v1/tasks/{task_id}/result`."""

    problems = {"GET": (404,)}

    class Query(Strict):
        """Which part of which result."""

        sub_task_id = serializers.CharField(
            max_length=ID_MAX, help_text="The id of the sub-task within the task."
        )
        offset = serializers.IntegerField(
            default=0,
            min_value=0,
            help_text="How many characters of the result are skipped. The default is 0.",
        )
        limit = serializers.IntegerField(
            default=PAGE_CHARACTERS_MAX,
            min_value=1,
            max_value=PAGE_CHARACTERS_MAX,
            help_text="The most characters that are returned. The default is "
            f"{PAGE_CHARACTERS_MAX:,}, which is also the maximum.",
        )

    class Output(serializers.Serializer):
        """A part of the result of a sub-task."""

        text = serializers.CharField(
            help_text="The characters from `offset` on, or an empty string if there are none, if "
            "another agent submitted the task, or if the result was deleted."
        )
        characters = serializers.IntegerField(
            help_text="The number of characters of the whole result."
        )
        next_offset = serializers.IntegerField(
            allow_null=True,
            help_text="The `offset` of the next part, or null if this is the last one.",
        )

    @extend_schema(
        operation_id="subTaskResult",
        summary="Read the result of a sub-task in parts",
        description="Requires the scope `read`. Returns the text of one result, which may be "
        "millions of characters long, page by page. Only the agent that submitted the task reads "
        "it.",
        parameters=[Query],
        responses=Output,
    )
    def get(self, request: Request, task_id: int) -> Response:
        """Return the requested part of the result."""
        task = visible_task(task_id, bearer=self.bearer)
        values = query(request, self.Query)
        text = result_text(
            task, values["sub_task_id"], texts=readable_texts(task, bearer=self.bearer)
        )
        end = values["offset"] + values["limit"]
        return Response(
            {
                "text": text[values["offset"] : end],
                "characters": len(text),
                "next_offset": end if end < len(text) else None,
            }
        )
