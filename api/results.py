"""Results of a task."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView
from api.fields import Strict, Usd, usd
from api.query_parameters import query
from orchestration.models import SubTask
from orchestration.queries.results import as_seed, results
from orchestration.queries.tasks import visible_task


class SubTaskResultOutput(serializers.Serializer):
    """What came of one sub-task; all its attempts together."""

    id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(SubTask.Status.choices)
    tokensUsed = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)
    errorKind = serializers.CharField(allow_null=True)
    cost = Usd(help_text="USD.")
    duration = serializers.FloatField(allow_null=True, help_text="Seconds, retries included.")
    attempts = serializers.IntegerField()
    key = serializers.CharField(allow_null=True, help_text="Of the last attempt.")
    result = serializers.CharField(help_text="Empty if it was not asked for, or there is none.")


class TaskResultsView(ApiView):
    """`/api/v1/tasks/{task_id}/results`."""

    problems = {"GET": (404,)}

    class Query(Strict):
        """How much of it."""

        with_text = serializers.BooleanField(
            default=True, help_text="False: without the texts of the results."
        )

    class Output(serializers.Serializer):
        """What came of the task so far, under the names of `aggregateTaskResults`."""

        totalSubTasks = serializers.IntegerField()
        successful = serializers.IntegerField()
        failed = serializers.IntegerField(help_text="Or cancelled.")
        totalTokensUsed = serializers.IntegerField(help_text="Planning and retries included.")
        totalCost = Usd(help_text="USD, likewise.")
        successRate = serializers.FloatField(help_text="Percent, to one place.")
        details = SubTaskResultOutput(many=True)

    @extend_schema(
        operation_id="taskResults",
        summary="What came of a task, also while it runs",
        description="Needs the scope read; with operate, those of every agent.",
        parameters=[Query],
        responses=Output,
    )
    def get(self, request: Request, task_id: int) -> Response:
        """Show."""
        asked = query(request, self.Query)
        task = visible_task(task_id, bearer=request.auth)
        found = as_seed(results(task, with_text=asked["with_text"]), now=timezone.now())
        # By hand: a serializer takes a second for ten thousand details.
        details = [each | {"cost": usd(each["cost"])} for each in found["details"]]
        return Response(found | {"totalCost": usd(found["totalCost"]), "details": details})
