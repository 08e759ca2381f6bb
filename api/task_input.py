"""The body of a request that submits a task, or asks for its plan."""

from typing import Any, ClassVar

from django.conf import settings
from rest_framework import serializers

from api import field_texts as texts
from api.fields import Boolean, Integer, Name, Strict, String, Tokens
from orchestration.planning import WEIGHTS
from orchestration.services import TaskRequest
from orchestration.services.task_request import PLANNERS, PRIORITIES, SECONDS_MAX

ID_MAX = 64
IF_DEPENDENCY_FAILS = ["fail", "skip", "run"]
_WEIGHTS = ", ".join(f"`{name}` by {weight}" for name, weight in WEIGHTS.items())


class SubTaskInput(Strict):
    """A part of a task."""

    id = String(
        required=False,
        max_length=ID_MAX,
        help_text="Identifies the sub-task within the task. The default is its number: 1, 2, ….",
    )
    name = String(
        required=False,
        max_length=200,
        help_text="The name of the sub-task. The default is the beginning of its description.",
    )
    description = String(help_text="The instructions that the sub-agent receives.")
    priority = serializers.ChoiceField(
        list(WEIGHTS),
        required=False,
        help_text="The priority, which weighs the estimated tokens when the budget is split: "
        f"{_WEIGHTS}. The default is `medium`.",
    )
    depends_on = serializers.ListField(
        child=String(max_length=ID_MAX), required=False, help_text=texts.DEPENDS_ON
    )
    estimated_tokens = Tokens(
        min_value=1,
        required=False,
        help_text="The number of tokens that the sub-task is expected to use. By default it is "
        "estimated from the description.",
    )
    runner = String(
        required=False,
        max_length=100,
        help_text="The runner that carries out the sub-task. The default is that of the task.",
    )
    model = String(
        required=False,
        max_length=200,
        help_text="The required model. The default is that of the task.",
    )
    provider = Name(
        required=False, help_text="The preferred provider. The default is that of the task."
    )
    needs_approval = Boolean(
        required=False,
        help_text="Whether a person must approve the sub-task before it can start. The default is "
        "false.",
    )
    if_dependency_fails = serializers.ChoiceField(
        IF_DEPENDENCY_FAILS,
        required=False,
        help_text=f"{texts.IF_DEPENDENCY_FAILS} The default is `fail`.",
    )


def _seconds(**options: Any) -> Integer:
    return Integer(required=False, min_value=1, max_value=SECONDS_MAX, **options)


class TaskInput(Strict):
    """A task: either a `description`, from which sub-tasks are planned, or the `sub_tasks`."""

    also: ClassVar[dict[str, Any]] = {
        "oneOf": [{"required": ["description"]}, {"required": ["sub_tasks"]}]
    }

    name = String(max_length=200, help_text="The name of the task, for people.")
    description = String(
        required=False,
        max_length=settings.TASK_TEXT_BYTES_MAX,
        help_text="A description of the work, of at most "
        f"{settings.TASK_TEXT_BYTES_MAX:,} bytes in UTF-8, which the planner splits into "
        "sub-tasks. Required unless `sub_tasks` is given.",
    )
    sub_tasks = SubTaskInput(
        many=True,
        required=False,
        allow_empty=False,
        help_text=f"The sub-tasks, at most {settings.SUB_TASKS_MAX:,}. Their dependencies must not "
        "form a cycle. Required unless `description` is given.",
    )
    total_budget = Tokens(
        min_value=1, help_text="The number of tokens that the task may use, retries included."
    )
    reserve_percent = Integer(
        required=False,
        min_value=0,
        max_value=90,
        help_text="The percentage of the budget that is kept for retries. The default is 0.",
    )
    soft_limit_percent = Integer(
        required=False,
        min_value=1,
        max_value=99,
        help_text="The percentage of the budget at which the task pauses and raises an alert. By "
        "default it does not pause.",
    )
    planner = serializers.ChoiceField(
        PLANNERS,
        required=False,
        help_text="The planner that splits the description: `keyword`, which is the default, or "
        "`model`, which uses tokens of the budget.",
    )
    parallel = Boolean(
        required=False,
        help_text="Whether the sub-tasks that the planner finds may run at the same time. The "
        "default is false.",
    )
    max_concurrent = Integer(
        required=False,
        min_value=1,
        max_value=100_000,
        help_text="The number of sub-tasks that may run at the same time. The default is 3.",
    )
    retry_on_failure = Boolean(
        required=False,
        help_text="Whether a sub-task that failed is tried again. The default is true.",
    )
    max_retries = Integer(
        required=False,
        min_value=0,
        max_value=100,
        help_text="The number of times that each sub-task is tried again. The default is 2.",
    )
    timeout = _seconds(
        help_text="The number of seconds after which the task is stopped. The default is 3,600."
    )
    running_timeout = _seconds(
        help_text="The number of seconds after which an attempt is stopped. The default is 900."
    )
    waiting_timeout = _seconds(
        help_text="The number of seconds after which a sub-task that is ready and has not started "
        "fails. The default is 86,400."
    )
    approval_timeout = _seconds(
        help_text="The number of seconds after which a sub-task without its approval fails. "
        "This time does not count for `timeout`. The default is 86,400."
    )
    priority = serializers.ChoiceField(
        PRIORITIES,
        required=False,
        help_text="Which tasks of the agent start first. It holds no other agent back. The default "
        "is `medium`.",
    )
    runner = String(
        required=False,
        max_length=100,
        help_text="The runner that carries out the sub-tasks. The default is `model`, which asks a "
        "model through the gateway.",
    )
    model = String(
        required=False,
        max_length=200,
        help_text="The required model. By default any model is acceptable.",
    )
    provider = Name(
        required=False,
        help_text="The preferred provider. If it has no available API key, the keys of all "
        "providers are considered.",
    )
    cost_centre = Name(
        required=False,
        help_text="The cost centre that pays: the agent's own, which is the default, or one below "
        "it.",
    )

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        """Check that either a description or sub-tasks are given."""
        if ("description" in values) == ("sub_tasks" in values):
            raise serializers.ValidationError(
                "Send either a `description` or `sub_tasks`, and not both."
            )
        return values


def task_request(values: dict[str, Any]) -> TaskRequest:
    """The request in the form that the orchestrator takes."""
    sub_tasks = tuple(dict(each) for each in values.pop("sub_tasks", ()))
    return TaskRequest(**values, sub_tasks=sub_tasks)
