"""Who asks, and what that agent may still spend."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import FINANCE, OPERATE, READ, SPEND
from api.base import ApiView, serialize
from api.fields import Usd
from common import database_clock
from keys.books.queries.pages import Meter
from keys.limits.queries.spendable import spendable
from keys.models import AgentToken, Period, Unit
from orchestration.queries.agent_work import agent_work
from orchestration.queries.concurrency_limits import limits_on


class LimitOutput(serializers.Serializer):
    """A limit of the agent or of a cost centre, in its current period."""

    scope = serializers.CharField(
        help_text="What is limited: `agent:…` or `centre:…` with its name."
    )
    unit = serializers.ChoiceField(
        Unit.choices, help_text="The unit of all amounts of the limit: `tokens` or `usd`."
    )
    period = serializers.ChoiceField(
        Period.choices,
        help_text="The period of the limit: `hour`, `day`, `week`, `month`, `quarter`, `year` "
        "(fiscal ones) or `total`.",
    )
    amount = serializers.CharField(
        help_text="The most that may be used in the period, as whole tokens or as US dollars with "
        "9 places, with what was carried over."
    )
    carried = serializers.CharField(
        help_text="The part of the amount that the period before left and that was carried over."
    )
    granted = serializers.CharField(
        help_text="What approved budget requests allow in addition at the moment."
    )
    used = serializers.CharField(help_text="What settled calls used in the period.")
    committed = serializers.CharField(
        help_text="What is set aside for active allocations and not used yet."
    )
    free = serializers.CharField(help_text="What can still be lent in the period.")
    resets_at = serializers.DateTimeField(
        allow_null=True,
        help_text="The time at which the next period begins, or null for a total.",
    )


class ConcurrencyOutput(serializers.Serializer):
    """A concurrency limit that holds back sub-tasks of the agent when it is reached."""

    scope = serializers.CharField(
        help_text="What is limited: `all`, or `agent:…`, `centre:…` (with the cost centres below "
        "it), `provider:…` or `runner:…` with its name."
    )
    attempts_max = serializers.IntegerField(
        help_text="The most sub-tasks of the scope that run at the same time."
    )
    running = serializers.IntegerField(
        help_text="The number of sub-tasks of the scope that are running now."
    )


class WorkOutput(serializers.Serializer):
    """The open tasks of the agent, and the most that it may have."""

    open_tasks = serializers.IntegerField(help_text="The number of tasks that have not ended.")
    open_tasks_max = serializers.IntegerField(
        help_text="The most open tasks that the agent may have."
    )
    open_sub_tasks = serializers.IntegerField(
        help_text="The number of sub-tasks of these tasks that have not ended."
    )
    open_sub_tasks_max = serializers.IntegerField(
        help_text="The most open sub-tasks that the agent may have in all its tasks."
    )
    running = serializers.IntegerField(help_text="The number of sub-tasks that are running now.")
    running_max = serializers.IntegerField(
        help_text="The most sub-tasks of the agent that run at the same time."
    )


class MeView(ApiView):
    """`/api/v1/me`."""

    scopes = {"GET": (READ, SPEND, OPERATE, FINANCE)}

    class Output(serializers.Serializer):
        """The agent of the token, and what it may still spend."""

        agent = serializers.CharField(help_text="The name of the agent that the token belongs to.")
        cost_centre = serializers.CharField(
            help_text="The name of the cost centre that pays for the agent."
        )
        scopes = serializers.ListField(
            child=serializers.ChoiceField(AgentToken.Scope.choices),
            help_text="The scopes of the token: `spend`, `read`, `operate` or `finance`.",
        )
        token = serializers.CharField(
            help_text="The public part of the token, which identifies it without its secret."
        )
        token_expires_at = serializers.DateTimeField(
            help_text="The time at which the token expires."
        )
        free_tokens = serializers.IntegerField(
            allow_null=True,
            help_text="The number of tokens that the tightest token limit leaves, or null if there "
            "is none.",
        )
        free_usd = Usd(
            allow_null=True,
            help_text="The US dollars that the tightest US dollar limit leaves, or null if there "
            "is none.",
        )
        until = serializers.DateTimeField(
            allow_null=True,
            help_text="The time at which the first limit resets, or null if none does.",
        )
        limits = LimitOutput(
            many=True,
            help_text="The limits of the agent, followed by those of the cost centres that pay.",
        )
        concurrency_limits = ConcurrencyOutput(
            many=True,
            help_text="The concurrency limits that are set and that apply to the agent's "
            "sub-tasks, with those of providers and of runners that it may use.",
        )
        work = WorkOutput(
            help_text="The open and running work of the agent's tasks, and the most that may be."
        )

    @extend_schema(
        operation_id="me",
        summary="Get the agent and its remaining budget",
        description="Accepts any agent token. Returns the agent and the scopes of the token, the "
        "limits that apply and what they leave, how many sub-tasks may run at once, and how much "
        "work its tasks have open.",
        responses=Output,
    )
    def get(self, request: Request) -> Response:
        """Return the agent and its limits."""
        bearer, now = self.bearer, database_clock.now()
        free = spendable(agent=bearer.agent, cost_centre=bearer.cost_centre, now=now)
        facts = {
            "agent": bearer.agent,
            "cost_centre": bearer.cost_centre,
            "scopes": sorted(bearer.scopes),
            "token": bearer.public,
            "token_expires_at": bearer.expires_at,
            "free_tokens": free.tokens,
            "free_usd": free.usd,
            "until": free.until,
            "limits": [_limit(meter) for meter in free.meters],
            "concurrency_limits": limits_on(bearer.agent, cost_centre=bearer.cost_centre),
            "work": agent_work(bearer.agent),
        }
        return Response(serialize(self.Output, facts))


def _limit(meter: Meter) -> dict[str, Any]:
    amounts = {
        name: getattr(meter, name)
        for name in ("amount", "carried", "granted", "used", "committed", "free")
    }
    whole = meter.unit == Unit.TOKENS
    return {
        "scope": meter.scope,
        "unit": meter.unit,
        "period": meter.period,
        "resets_at": None if meter.period == Period.TOTAL else meter.resets_at,
        **{name: str(int(n)) if whole else f"{n:.9f}" for name, n in amounts.items()},
    }
