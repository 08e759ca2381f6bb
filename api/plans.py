"""Plans: what a task would do. Nothing is set aside and nothing is stored."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api import field_texts as texts
from api.authentication import READ, SPEND
from api.base import ApiView
from api.fields import Usd, usd
from api.query_parameters import body, idempotency_key
from api.task_input import TaskInput, task_request
from common import database_clock
from orchestration.queries.plans import PartPreview, PlanPreview, plan_preview
from orchestration.services.affordable import ALLOCATION_REQUESTS_MAX

_NO_MODEL = (
    "No model is called for a plan: these are the sub-tasks that the keyword planner finds. When "
    "the task runs, the tokens of the model planner are taken from the budget before it is split."
)
_TOO_MANY = (
    f"API keys are looked up for {ALLOCATION_REQUESTS_MAX} different requests of a plan only, the "
    "largest and the smallest among them."
)


class PlannedKeyOutput(serializers.Serializer):
    """The API key that a sub-task would get."""

    key_id = serializers.CharField(help_text=texts.KEY_ID)
    provider = serializers.CharField(help_text=texts.PROVIDER)
    model = serializers.CharField(help_text=texts.MODEL)


class NoKeyOutput(serializers.Serializer):
    """Why a sub-task would get no API key."""

    code = serializers.CharField(
        help_text="The code with which `POST /api/v1/allocations` would refuse the sub-task now, "
        "or `not_looked_up` if the plan has too many different requests."
    )
    detail = serializers.CharField(help_text="The reason in words.")


class PlannedForecastOutput(serializers.Serializer):
    """The forecast of a sub-task, learned of settled work."""

    p50 = serializers.IntegerField(help_text="Half of such sub-tasks need no more tokens.")
    p90 = serializers.IntegerField(help_text="Of 100 such sub-tasks, 90 need no more tokens.")
    basis = serializers.CharField(
        help_text="What the forecast is made of, as `POST /api/v1/estimates` says it."
    )
    cost_p90 = Usd(
        allow_null=True,
        help_text="The cost of `p90` in US dollars, also above the share, or null without an API "
        "key.",
    )


class PlannedSubTaskOutput(serializers.Serializer):
    """A sub-task of the plan."""

    id = serializers.CharField(help_text=texts.SUB_TASK_ID)
    name = serializers.CharField(help_text="The name of the sub-task.")
    description = serializers.CharField(
        help_text="The instructions that the sub-agent would receive."
    )
    priority = serializers.CharField(help_text=texts.PRIORITY)
    depends_on = serializers.ListField(child=serializers.CharField(), help_text=texts.DEPENDS_ON)
    if_dependency_fails = serializers.CharField(help_text=texts.IF_DEPENDENCY_FAILS)
    needs_approval = serializers.BooleanField(help_text=texts.NEEDS_APPROVAL)
    estimated_tokens = serializers.IntegerField(help_text=texts.ESTIMATED_TOKENS)
    share = serializers.IntegerField(
        help_text="The number of tokens of the budget that the sub-task would get."
    )
    estimated_cost = Usd(
        allow_null=True,
        help_text="The cost of the estimated tokens in US dollars, or null without an API key.",
    )
    cost_max = Usd(
        allow_null=True,
        help_text="The most that the share can cost in US dollars, or null without an API key.",
    )
    forecast = PlannedForecastOutput(
        allow_null=True,
        help_text="What is learned of settled work, or null if too little is. `estimated_tokens` "
        "is its `p50` then.",
    )
    key = PlannedKeyOutput(
        allow_null=True,
        help_text="The API key that the sub-task would get now if it were the only one, or null.",
    )
    no_key = NoKeyOutput(
        allow_null=True,
        help_text="Why the sub-task would get no API key now, or null if it would get one.",
    )


class PlanView(ApiView):
    """`/api/v1/plans`."""

    scopes = {"POST": (SPEND, READ)}

    class Output(serializers.Serializer):
        """The plan of a task. Costs are calculated with the prices of the planned API keys."""

        planner = serializers.CharField(
            help_text="Where the sub-tasks come from: `given` in the request, or found by the "
            "`keyword` planner."
        )
        note = serializers.CharField(
            help_text="What the planner says about the description, such as that it did not divide "
            "it, and how the real task would differ from this plan; or an empty string."
        )
        total_budget = serializers.IntegerField(help_text="The budget of the task in tokens.")
        reserve = serializers.IntegerField(
            help_text="The part of the budget that is kept for retries, in tokens."
        )
        estimated_cost = Usd(
            help_text="The cost of the estimated tokens in US dollars, of all sub-tasks with an "
            "API key."
        )
        cost_max = Usd(
            help_text="The most that the shares can cost in US dollars, of all sub-tasks with an "
            "API key."
        )
        cost_p90 = Usd(
            allow_null=True,
            help_text="Of 100 such plans, 90 cost no more in US dollars, if their sub-tasks do not "
            "depend on each other, or null if a sub-task has no forecast or no API key.",
        )
        uncertain_sub_task = serializers.CharField(
            help_text="The id of the sub-task whose tokens are the most uncertain, or an empty "
            "string without forecasts."
        )
        sub_tasks_without_key = serializers.IntegerField(
            help_text="The number of sub-tasks that would get no API key now."
        )
        sub_tasks = PlannedSubTaskOutput(
            many=True, help_text="The sub-tasks in the order of the plan."
        )

    @extend_schema(
        operation_id="planTask",
        summary="Plan a task without running it",
        description="Requires the scope `spend` or `read`. Returns the sub-tasks, the split of the "
        "budget, the costs and the API keys that the task would have if it were submitted now. "
        "Nothing is changed and no model is called.",
        request=TaskInput,
        responses=Output,
        examples=[
            OpenApiExample(
                "A description",
                {
                    "name": "Market report",
                    "description": "Research market trends, analyze data, write report",
                    "total_budget": 100_000,
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Return the plan."""
        idempotency_key(request)
        plan = plan_preview(
            agent=self.bearer.agent,
            request=task_request(body(request, TaskInput)),
            now=database_clock.now(),
        )
        return Response(_plan_body(plan))


# Without serializers, which take a second for ten thousand sub-tasks. The contract test compares
# this with the schema.
def _plan_body(plan: PlanPreview) -> dict[str, Any]:
    given = bool(plan.request.sub_tasks)
    return {
        "planner": "given" if given else "keyword",
        "note": _note(plan),
        "total_budget": plan.request.total_budget,
        "reserve": plan.reserve,
        "estimated_cost": usd(plan.cost),
        "cost_max": usd(plan.cost_max),
        "cost_p90": usd(plan.cost_p90),
        "uncertain_sub_task": plan.uncertain_part,
        "sub_tasks_without_key": plan.parts_without_key,
        "sub_tasks": [_planned_sub_task(each) for each in plan.parts],
    }


def _note(plan: PlanPreview) -> str:
    by_model = plan.request.planner == "model" and not plan.request.sub_tasks
    return " ".join(filter(None, (_NO_MODEL if by_model else "", plan.note)))


def _planned_sub_task(row: PartPreview) -> dict[str, Any]:
    part = row.part
    return {
        "id": part.key,
        "name": part.name,
        "description": part.description,
        "priority": part.priority,
        "depends_on": part.depends_on,
        "if_dependency_fails": part.if_dependency_fails,
        "needs_approval": part.needs_approval,
        "estimated_tokens": part.estimated_tokens,
        "share": row.share,
        "estimated_cost": usd(row.cost),
        "cost_max": usd(row.cost_max),
        "forecast": _forecast(row),
        "key": _key(row),
        "no_key": _no_key(row),
    }


def _forecast(row: PartPreview) -> dict[str, Any] | None:
    if row.forecast is None:
        return None
    return {
        "p50": row.forecast.p50,
        "p90": row.forecast.p90,
        "basis": row.forecast.basis,
        "cost_p90": usd(row.cost_p90),
    }


def _key(row: PartPreview) -> dict[str, str] | None:
    if row.key is None or row.refusal:
        return None
    return {"key_id": row.key.key_id, "provider": row.key.provider, "model": row.key.model}


def _no_key(row: PartPreview) -> dict[str, str] | None:
    if row.key is None:
        return {"code": "not_looked_up", "detail": _TOO_MANY}
    if row.refusal is None:
        return None
    return {"code": row.refusal.code, "detail": row.refusal.detail}
