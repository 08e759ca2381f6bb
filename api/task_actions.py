"""What an agent does with its task: cancel, pause, resume, retry, raise its budget, set its
priority, skip or change a sub-task; another agent approves."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.authentication import OPERATE
from api.base import ApiView, serialize
from api.fields import Strict, String, Tokens
from api.query_parameters import body, idempotency_key
from api.sub_tasks import SubTaskOutput
from api.task_input import ID_MAX, IF_DEPENDENCY_FAILS
from api.tasks import TaskDetailOutput, task_detail
from common import database_clock
from orchestration import services as orchestration
from orchestration.queries.tasks import own_task_id, sub_task_now, visible_task
from orchestration.services.task_request import PRIORITIES


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
            "now": database_clock.now(),
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
            "and those that wait only for it, are retried with it. One that was skipped runs, if "
            "none that depends on it has started. The default is all that failed.",
        )
        additional_budget = Tokens(
            required=False,
            help_text="The number of tokens to add to the budget of the task. The default is 0.",
        )

    @extend_schema(
        operation_id="retryFailedTasks",
        summary="Retry the failed sub-tasks of a task",
        description="Requires the scope `spend`. Runs the failed and cancelled sub-tasks of a task "
        "that has ended again; one sub-task also while others run. Results of the others are "
        "kept. A repeated request with the same `Idempotency-Key` changes nothing. "
        "Without a `sub_task_id`, it is refused with 409 while the task is running.",
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


class BudgetView(TaskActionView):
    """`/api/v1/tasks/{task_id}/budget`."""

    class Input(Strict):
        """The increase of the budget."""

        additional_budget = Tokens(
            min_value=1, help_text="The number of tokens to add to the budget of the task."
        )

    @extend_schema(
        operation_id="raiseTaskBudget",
        summary="Raise the budget of a task",
        description="Requires the scope `spend`. Adds tokens to the budget of a task, also while "
        "it runs. Sub-tasks that failed because their share was used up start again with them; "
        "if there are none, those that run or have not started get them. A repeated request with "
        "the same `Idempotency-Key` changes nothing.",
        request=Input,
        responses=TaskDetailOutput,
        examples=[OpenApiExample("More", {"additional_budget": 20_000}, request_only=True)],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Raise the budget and return the task."""
        values = self._action_arguments(request, task_id, serializer=self.Input)
        orchestration.raise_budget(idempotency_key=idempotency_key(request), **values)
        return Response(task_detail(task_id, bearer=self.bearer))


class PriorityView(TaskActionView):
    """`/api/v1/tasks/{task_id}/priority`."""

    class Input(Strict):
        """The other priority, and why."""

        priority = serializers.ChoiceField(
            PRIORITIES,
            help_text="Which tasks of the agent start first. It holds no other agent back.",
        )
        reason = String(
            required=False, max_length=300, help_text="Why. People read it in the history."
        )

    @extend_schema(
        operation_id="setTaskPriority",
        summary="Change the priority of a task",
        description="Requires the scope `spend`. Changes which tasks of the agent start first, "
        "also while the task runs: it counts for the sub-tasks that have not started. A repeated "
        "request changes nothing. A task that has ended is refused with 409.",
        request=Input,
        responses=TaskDetailOutput,
        examples=[
            OpenApiExample(
                "Urgent", {"priority": "critical", "reason": "The release"}, request_only=True
            )
        ],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Change the priority and return the task."""
        values = self._action_arguments(request, task_id, serializer=self.Input)
        orchestration.set_priority(**values)
        return Response(task_detail(task_id, bearer=self.bearer))


class SkipView(TaskActionView):
    """`/api/v1/tasks/{task_id}/skip`."""

    class Input(Strict):
        """The sub-task to skip."""

        sub_task_id = String(max_length=ID_MAX, help_text="The id of the sub-task within the task.")

    @extend_schema(
        operation_id="skipSubTask",
        summary="Skip a sub-task",
        description="Requires the scope `spend`. Cancels a sub-task that has not started or has "
        "failed, with the error kind `skipped`. Sub-tasks that depend on it go on without its "
        "result, also those that failed because of it. A repeated request changes nothing.",
        request=Input,
        responses=TaskDetailOutput,
        examples=[OpenApiExample("An id", {"sub_task_id": "survey"}, request_only=True)],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Skip the sub-task and return the task."""
        values = self._action_arguments(request, task_id, serializer=self.Input)
        orchestration.skip(key=values.pop("sub_task_id"), **values)
        return Response(task_detail(task_id, bearer=self.bearer))


class ChangeView(TaskActionView):
    """`/api/v1/tasks/{task_id}/change`."""

    class Input(Strict):
        """The sub-task, and what changes of it."""

        sub_task_id = String(max_length=ID_MAX, help_text="The id of the sub-task within the task.")
        description = String(
            required=False, help_text="The instructions that the sub-agent receives from now on."
        )
        model = String(
            required=False,
            allow_blank=True,
            max_length=200,
            help_text="The required model, or an empty string if any model is acceptable.",
        )
        provider = String(
            required=False,
            allow_blank=True,
            max_length=64,
            help_text="The preferred provider, or an empty string if any is acceptable.",
        )
        if_dependency_fails = serializers.ChoiceField(
            IF_DEPENDENCY_FAILS, required=False, help_text=texts.IF_DEPENDENCY_FAILS
        )

    @extend_schema(
        operation_id="changeSubTask",
        summary="Change a sub-task",
        description="Requires the scope `spend`. Gives a sub-task that has not started, or has "
        "failed, other instructions, another model or another rule. One that has failed runs with "
        "them when it is retried.",
        request=Input,
        responses=SubTaskOutput,
        examples=[
            OpenApiExample(
                "Other words",
                {"sub_task_id": "write", "description": "Write two pages.", "model": "gpt-4o"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Change the sub-task and return it."""
        values = self._action_arguments(request, task_id, serializer=self.Input)
        arguments = {name: values.pop(name) for name in ("task_id", "actor", "now")}
        key = values.pop("sub_task_id")
        orchestration.change_sub_task(key=key, changes=values, **arguments)
        task = visible_task(task_id, bearer=self.bearer)
        return Response(serialize(SubTaskOutput, sub_task_now(task, key)))


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
        orchestration.approve(task_id=task.pk, key=key, actor=self.actor, now=database_clock.now())
        return Response(serialize(SubTaskOutput, sub_task_now(task, key)))


class RefusalView(ApiView):
    """`/api/v1/tasks/{task_id}/refusal`."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404, 409)}

    class Input(Strict):
        """The sub-task whose approval is refused, and why."""

        sub_task_id = String(max_length=ID_MAX, help_text="The id of the sub-task within the task.")
        reason = String(max_length=300, help_text="Why the sub-task must not run.")

    @extend_schema(
        operation_id="refuseSubTask",
        summary="Refuse the approval of a sub-task",
        description="Requires the scope `operate`, and another agent than the one that submitted "
        "the task. The sub-task fails with the error kind `approval_refused`, and those that "
        "depend on it follow their rules. A repeated request changes nothing.",
        request=Input,
        responses=SubTaskOutput,
        examples=[
            OpenApiExample(
                "A reason",
                {"sub_task_id": "deploy", "reason": "Not before Monday."},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, task_id: int) -> Response:
        """Refuse the approval and return the sub-task."""
        values = body(request, self.Input)
        idempotency_key(request)
        task = visible_task(task_id, bearer=self.bearer)
        key = values["sub_task_id"]
        orchestration.refuse(
            task_id=task.pk,
            key=key,
            reason=values["reason"],
            actor=self.actor,
            now=database_clock.now(),
        )
        return Response(serialize(SubTaskOutput, sub_task_now(task, key)))
