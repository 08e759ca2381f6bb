"""Plans: what a task would do, holding nothing."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import READ, SPEND
from api.base import ApiView
from api.fields import Usd, usd
from api.query_parameters import body, idempotency_key
from api.task_input import TaskInput, order
from orchestration.queries.plans import WISHES_MAX, PartPreview, PlanPreview, plan_preview

_NO_MODEL = (
    "The model is not asked for a dry run: these are the parts that the keyword planner finds. "
    "What the model uses comes off the budget before it is split."
)
_TOO_MANY = f"Only the first {WISHES_MAX} different wishes of a plan are looked up."


class PlannedKeyOutput(serializers.Serializer):
    """An API key."""

    key_id = serializers.CharField()
    provider = serializers.CharField()
    model = serializers.CharField()


class NoKeyOutput(serializers.Serializer):
    """Why there is no key: a code and its meaning, as `POST /allocations` would answer now."""

    code = serializers.CharField(help_text="`not_looked_up` if there are too many.")
    detail = serializers.CharField()


class PlannedSubTaskOutput(serializers.Serializer):
    """A sub-task as it would be."""

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    priority = serializers.CharField()
    depends_on = serializers.ListField(child=serializers.CharField())
    needs_approval = serializers.BooleanField()
    estimated_tokens = serializers.IntegerField()
    share = serializers.IntegerField(help_text="Tokens it would get of the budget.")
    estimated_cost = Usd(allow_null=True, help_text="USD for its estimate; null without a key.")
    cost_max = Usd(allow_null=True, help_text="USD for its share, at the most.")
    key = PlannedKeyOutput(allow_null=True, help_text="What it would get now, were it alone.")
    no_key = NoKeyOutput(allow_null=True)


class PlanView(ApiView):
    """`/api/v1/plans`."""

    scopes = {"POST": (SPEND, READ)}

    class Output(serializers.Serializer):
        """A plan that nobody carries out. Costs are at the prices of the keys named."""

        planner = serializers.CharField(help_text="Whose parts these are: given or keyword.")
        note = serializers.CharField(help_text="What would differ; mostly empty.")
        total_budget = serializers.IntegerField(help_text="Tokens.")
        reserve = serializers.IntegerField(help_text="Of it, kept for retries.")
        estimated_cost = Usd(help_text="USD, of the parts that have a key.")
        cost_max = Usd(help_text="USD, likewise.")
        parts_without_key = serializers.IntegerField()
        parts = PlannedSubTaskOutput(many=True)

    @extend_schema(
        operation_id="planTask",
        summary="The plan of a task, its split, its cost and its keys; holds nothing",
        description="Needs the scope spend or read. Changes nothing, so any repeat is the same. "
        "Each part's key is the one it would get now if it alone were lent its share.",
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
        """Plan."""
        idempotency_key(request)
        found = plan_preview(
            agent=request.auth.agent, order=order(body(request, TaskInput)), now=timezone.now()
        )
        return Response(_plan_body(found))


# By hand: serializers take a second for ten thousand parts. The contract test compares the schema.
def _plan_body(plan: PlanPreview) -> dict[str, Any]:
    given = bool(plan.order.sub_tasks)
    return {
        "planner": "given" if given else "keyword",
        "note": "" if given or plan.order.planner == "keyword" else _NO_MODEL,
        "total_budget": plan.order.total_budget,
        "reserve": plan.reserve,
        "estimated_cost": usd(plan.cost),
        "cost_max": usd(plan.cost_max),
        "parts_without_key": plan.keyless,
        "parts": [_planned_sub_task(each) for each in plan.parts],
    }


def _planned_sub_task(row: PartPreview) -> dict[str, Any]:
    part = row.part
    return {
        "id": part.key,
        "name": part.name,
        "description": part.description,
        "priority": part.priority,
        "depends_on": part.depends_on,
        "needs_approval": part.needs_approval,
        "estimated_tokens": part.estimated_tokens,
        "share": row.share,
        "estimated_cost": usd(row.cost),
        "cost_max": usd(row.cost_max),
        "key": _key(row),
        "no_key": _no_key(row),
    }


def _key(row: PartPreview) -> dict[str, str] | None:
    if row.key is None or row.refusal:
        return None
    return {"key_id": row.key.key_id, "provider": row.key.provider, "model": row.key.model}


def _no_key(row: PartPreview) -> dict[str, str] | None:
    if row.key is None:
        return {"code": "not_looked_up", "detail": _TOO_MANY}
    return row.refusal and {"code": row.refusal.code, "detail": row.refusal.detail}
