"""What an agent does to its task under way: cancel, pause, resume, approve, retry."""

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView, serialize
from api.fields import Strict, String, Tokens
from api.query_parameters import body, idempotency_key
from api.sub_tasks import SubTaskOutput
from api.task_input import ID_MAX
from api.tasks import TaskDetailOutput, task_detail
from orchestration import services as orchestration
from orchestration.queries.tasks import own_task_id, sub_task_now, visible_task


class TaskActionView(ApiView):
    """A write on the bearer's own task."""

    problems = {"POST": (404, 409)}

    class Nothing(Strict):
        """Nothing."""

    def _action_arguments(self, request: Request, task_id: int, *, serializer=Nothing) -> dict:
        """What its service is told."""
        asked = body(request, serializer)
        idempotency_key(request)
        return asked | {
            "task_id": own_task_id(task_id, bearer=request.auth),
            "who": request.auth.who,
            "now": timezone.now(),
        }


class CancellationView(TaskActionView):
    """`/api/v1/tasks/{task_id}/cancellation`."""

    @extend_schema(
        operation_id="cancelTask",
        summary="Begin nothing more and stop what runs",
        description="Needs the scope spend. Results so far are kept. Idempotent by state: twice is "
        "once; a task that ended otherwise is 409.",
        request=None,
        responses=TaskDetailOutput,
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Cancel."""
        orchestration.cancel(**self._action_arguments(request, task_id))
        return Response(task_detail(task_id))


class PauseView(TaskActionView):
    """`/api/v1/tasks/{task_id}/pause`."""

    @extend_schema(
        operation_id="pauseTask",
        summary="Begin nothing more until it is resumed; what runs goes on",
        description="Needs the scope spend. Idempotent by state: twice is once.",
        request=None,
        responses=TaskDetailOutput,
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Pause."""
        orchestration.pause(**self._action_arguments(request, task_id))
        return Response(task_detail(task_id))


class ResumptionView(TaskActionView):
    """`/api/v1/tasks/{task_id}/resumption`."""

    @extend_schema(
        operation_id="resumeTask",
        summary="Go on with a paused task; its deadline moves by the time it stood",
        description="Needs the scope spend. Idempotent by state: twice is once.",
        request=None,
        responses=TaskDetailOutput,
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Resume."""
        orchestration.resume(**self._action_arguments(request, task_id))
        return Response(task_detail(task_id))


class RetryView(TaskActionView):
    """`/api/v1/tasks/{task_id}/retry`."""

    class Input(Strict):
        """What comes on top of the budget, if anything."""

        additional_budget = Tokens(required=False, help_text="Tokens; 0.")

    @extend_schema(
        operation_id="retryFailedTasks",
        summary="Run again what failed or was cancelled; what succeeded stays",
        description="Needs the scope spend. Only when the task has ended. The `Idempotency-Key` of "
        "the last retry is that retry; without one, a repeat while it runs again is 409.",
        request=Input,
        responses=TaskDetailOutput,
        examples=[OpenApiExample("More", {"additional_budget": 20_000}, request_only=True)],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Retry."""
        asked = self._action_arguments(request, task_id, serializer=self.Input)
        orchestration.retry_failed(idempotency_key=idempotency_key(request), **asked)
        return Response(task_detail(task_id))


class ApprovalView(TaskActionView):
    """`/api/v1/tasks/{task_id}/approvals`."""

    class Input(Strict):
        """Which sub-task may begin."""

        sub_task_id = String(max_length=ID_MAX, help_text="Its id.")

    @extend_schema(
        operation_id="approveSubTask",
        summary="Let a sub-task begin that waits for a person, now or when its turn comes",
        description="Needs the scope spend. Idempotent by state: the first one stays.",
        request=Input,
        responses=SubTaskOutput,
        examples=[OpenApiExample("Its id", {"sub_task_id": "deploy"}, request_only=True)],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Approve."""
        asked = self._action_arguments(request, task_id, serializer=self.Input)
        key = asked.pop("sub_task_id")
        orchestration.approve(key=key, **asked)
        task = visible_task(task_id, bearer=request.auth)
        return Response(serialize(SubTaskOutput, sub_task_now(task, key)))
