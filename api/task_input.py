"""What is asked for when a task is submitted, or its plan."""

from typing import Any, ClassVar

from django.conf import settings
from rest_framework import serializers

from api.fields import Boolean, Integer, Name, Strict, String, Tokens
from orchestration.planning import WEIGHTS
from orchestration.services import Order
from orchestration.services.task_request import PLANNERS, SECONDS_MAX

ID_MAX = 64


class SubTaskInput(Strict):
    """One part of a task, as its caller knows it."""

    id = String(required=False, max_length=ID_MAX, help_text="1, 2, … by default.")
    name = String(required=False, max_length=200, help_text="Else the first words.")
    description = String(help_text="What its sub-agent is told.")
    priority = serializers.ChoiceField(
        list(WEIGHTS), required=False, help_text="Weighs its estimate: ½, 1 (medium), 1½, 2."
    )
    depends_on = serializers.ListField(
        child=String(max_length=ID_MAX), required=False, help_text="The ids it waits for."
    )
    estimated_tokens = Tokens(min_value=1, required=False, help_text="Else told by its words.")
    runner = String(required=False, max_length=100, help_text="Else the task's; so are these:")
    model = String(required=False, max_length=200)
    provider = Name(required=False)
    needs_approval = Boolean(required=False, help_text="It waits until a person approves it.")


def _seconds(**options: Any) -> Integer:
    return Integer(required=False, min_value=1, max_value=SECONDS_MAX, **options)


class TaskInput(Strict):
    """A task. Either a `description`, which is taken apart, or `sub_tasks` as they are."""

    also: ClassVar[dict[str, Any]] = {
        "oneOf": [{"required": ["description"]}, {"required": ["sub_tasks"]}]
    }

    name = String(max_length=200)
    description = String(
        required=False,
        max_length=settings.TASK_TEXT_BYTES_MAX,
        help_text="Up to 1 MB in UTF-8.",
    )
    sub_tasks = SubTaskInput(
        many=True,
        required=False,
        allow_empty=False,
        help_text=f"Up to {settings.SUB_TASKS_MAX:,}. What waits for each other makes no circle.",
    )
    total_budget = Tokens(min_value=1, help_text="Tokens, retries included.")
    reserve_percent = Integer(
        required=False, min_value=0, max_value=90, help_text="Of it, kept for retries; 0."
    )
    soft_limit_percent = Integer(
        required=False, min_value=1, max_value=99, help_text="Used: the task pauses and asks."
    )
    planner = serializers.ChoiceField(
        PLANNERS,
        required=False,
        help_text="Who takes the description apart: keywords (by default) or a model, paid from "
        "the budget.",
    )
    parallel = Boolean(
        required=False, help_text="Parts that the planner finds run side by side; false."
    )
    max_concurrent = Integer(required=False, min_value=1, max_value=100_000, help_text="3.")
    retry_on_failure = Boolean(required=False, help_text="True.")
    max_retries = Integer(required=False, min_value=0, max_value=100, help_text="Of each part; 2.")
    timeout = _seconds(help_text="Of the whole task; 3600.")
    running_timeout = _seconds(help_text="Of one attempt; 900.")
    waiting_timeout = _seconds(help_text="Until a part that is ready begins; 86400.")
    runner = String(required=False, max_length=100, help_text="What runs sub-agents; `model`.")
    model = String(required=False, max_length=200, help_text="Any, if not said.")
    provider = Name(required=False, help_text="Preferred; others are taken if it has none.")
    cost_centre = Name(required=False, help_text="The agent's own, or one below it.")

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Either way, not both."""
        if ("description" in asked) == ("sub_tasks" in asked):
            raise serializers.ValidationError("Say either a `description` or `sub_tasks`.")
        return asked


def order(asked: dict[str, Any]) -> Order:
    """What was asked, as the orchestrator takes it."""
    given = tuple(dict(each) for each in asked.pop("sub_tasks", ()))
    return Order(**asked, sub_tasks=given)
