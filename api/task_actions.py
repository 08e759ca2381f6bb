"""What an agent does with its task: cancel, pause, resume, retry; another agent approves."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import OPERATE
from api.base import ApiView, serialize
from api.fields import Strict, String, Tokens
from api.query_parameters import body, idempotency_key
from api.sub_tasks import SubTaskOutput
from api.task_input import ID_MAX
from api.tasks import TaskDetailOutput, task_detail
from orchestration import services as orchestration
from orchestration.queries.tasks import own_task_id, sub_task_now, visible_task


class TaskActionView(ApiView):
    """What the actions on a task of the bearer have in common."""

    problems = {"POST": (404, 409)}

    class Nothing(Strict):
        """An empty body."""

    def _action_arguments(
        self, request: Request, task_id: int, *, serializer: type[Strict] = Nothing
    ) -> dict[str, Any]:
        """Return the arguments of the service. Refusals: TaskNotFound."""
        values = body(request, serializer)
        idempotency_key(request)
        return values | {
            "task_id": own_task_id(task_id, bearer=self.bearer),
            "actor": self.actor,
            "now": timezone.now(),
        }


class CancellationView(TaskActionView):
    """`/api/v1/tasks/{task_id}/cancellation`."""

    @extend_schema(
        operation_id="cancelTask",
        summary="Cancel a task",
        description="Requires the scope `spend`. Starts no further sub-task and stops the running "
        "ones within seconds. Results so far are kept. A repeated request changes nothing. A task "
        "that has ended in another way is refused with 409.",
        request=None,
        responses=TaskDetailOutput,
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Cancel the task and return it."""
        orchestration.cancel(**self._action_arguments(request, task_id))
        return Response(task_detail(task_id, bearer=self.bearer))


class PauseView(TaskActionView):
    """`/api/v1/tasks/{task_id}/pause`."""

    @extend_schema(
        operation_id="pauseTask",
        summary="Pause a task",
        description="Requires the scope `spend`. Starts no further sub-task until the task is "
        "resumed. Running sub-tasks go on. A repeated request changes nothing.",
        request=None,
        responses=TaskDetailOutput,
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Pause the task and return it."""
        orchestration.pause(**self._action_arguments(request, task_id))
        return Response(task_detail(task_id, bearer=self.bearer))


class ResumptionView(TaskActionView):
    """`/api/v1/tasks/{task_id}/resumption`."""

    @extend_schema(
        operation_id="resumeTask",
        summary="Resume a paused task",
        description="Requires the scope `spend`. The deadline of the task moves by the time that "
        "it was paused. A repeated request changes nothing.",
        request=None,
        responses=TaskDetailOutput,
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Resume the task and return it."""
        orchestration.resume(**self._action_arguments(request, task_id))
        return Response(task_detail(task_id, bearer=self.bearer))


class RetryView(TaskActionView):
    """`/api/v1/tasks/{task_id}/retry`."""

    class Input(Strict):
        """Which sub-task, and an increase of the budget."""

        sub_task_id = String(
            required=False,
            max_length=ID_MAX,
            help_text="The id of the only sub-task to retry. The failed ones that it depends on, "
            "and those that wait only for it, are retried with it. The default is all that failed.",
        )
        additional_budget = Tokens(
            required=False,
            help_text="The number of tokens to add to the budget of the task. The default is 0.",
        )

    @extend_schema(
        operation_id="retryFailedTasks",
        summary="Retry the failed sub-tasks of a task",
        description="Requires the scope `spend`. Runs the failed and cancelled sub-tasks of a task "
        "that has ended again. Results of the others are kept. A repeated request with the "
        "`Idempotency-Key` of the last retry changes nothing. Without a key, it is refused with "
        "409 while the task is running.",
        request=Input,
        responses=TaskDetailOutput,
        examples=[
            OpenApiExample("A larger budget", {"additional_budget": 20_000}, request_only=True),
            OpenApiExample("One sub-task", {"sub_task_id": "deploy"}, request_only=True),
        ],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Retry what failed and return the task."""
        values = self._action_arguments(request, task_id, serializer=self.Input)
        key = values.pop("sub_task_id", None)
        orchestration.retry_failed(key=key, idempotency_key=idempotency_key(request), **values)
        return Response(task_detail(task_id, bearer=self.bearer))


class ApprovalView(ApiView):
    """`/api/v1/tasks/{task_id}/approval`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404, 409)}

    class Input(Strict):
        """The sub-task to approve."""

        sub_task_id = String(max_length=ID_MAX, help_text="The id of the sub-task within the task.")

    @extend_schema(
        operation_id="approveSubTask",
        summary="Approve a sub-task",
        description="Requires the scope `operate`, and another agent than the one that submitted "
        "the task. Lets a sub-task that needs approval start, now or as soon as its dependencies "
        "have succeeded. A repeated request changes nothing: the first approval stays.",
        request=Input,
        responses=SubTaskOutput,
        examples=[OpenApiExample("An id", {"sub_task_id": "deploy"}, request_only=True)],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Approve the sub-task and return it."""
        key = body(request, self.Input)["sub_task_id"]
        idempotency_key(request)
        task = visible_task(task_id, bearer=self.bearer)
        orchestration.approve(task_id=task.pk, key=key, actor=self.actor, now=timezone.now())
        return Response(serialize(SubTaskOutput, sub_task_now(task, key)))
