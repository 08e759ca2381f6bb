"""Capacity, usage and cost of all API keys."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView, serialize
from api.fields import Usd
from common import database_clock
from keys.supply.queries.provider_status import provider_figures


class KeyTotalsOutput(serializers.Serializer):
    """Sums of several API keys. Token counts refer to their daily limits."""

    count = serializers.IntegerField(help_text="The number of API keys.")
    lendable = serializers.IntegerField(
        help_text="The number of API keys that are enabled and working, and not frozen."
    )
    unlimited = serializers.IntegerField(help_text="The number of API keys without a daily limit.")
    capacity = serializers.IntegerField(
        allow_null=True,
        help_text="The sum of the daily limits in tokens, or null if no key has one.",
    )
    used = serializers.IntegerField(
        help_text="The number of tokens used today. The day of a key without a limit begins at "
        "midnight UTC."
    )
    committed = serializers.IntegerField(
        help_text="The number of tokens set aside for active allocations and not used yet."
    )
    remaining = serializers.IntegerField(
        allow_null=True,
        help_text="The number of tokens that can still be lent today, or null if no key has a "
        "daily limit.",
    )
    cost_today = Usd(
        help_text="The cost of the agent's calls since midnight UTC, in US dollars. With the scope "
        "`operate`, the cost of all agents."
    )


class StatusView(ApiView):
    """`/api/v1/status`."""

    class Output(serializers.Serializer):
        """The sums of all API keys, and of those of each provider."""

        at = serializers.DateTimeField(help_text="The time that the figures refer to.")
        totals = KeyTotalsOutput(help_text="The sums of all API keys.")
        providers = serializers.DictField(
            child=KeyTotalsOutput(), help_text="The sums of each provider by its name."
        )

    @extend_schema(
        operation_id="status",
        summary="Get capacity, usage and cost",
        description="Requires the scope `read`. Returns what all API keys can lend today and what "
        "they used, in all and by provider, with the cost of the agent's own calls. With the scope "
        "`operate`, the cost is that of all agents.",
        responses=Output,
    )
    def get(self, request: Request) -> Response:
        """Return the sums as of now."""
        now = database_clock.now()
        agent = None if self.bearer.sees_all else self.bearer.agent
        totals, providers = provider_figures(agent=agent, now=now)
        parts = {name: serialize(KeyTotalsOutput, figures) for name, figures in providers.items()}
        return Response(
            {
                "at": serializers.DateTimeField().to_representation(now),
                "totals": serialize(KeyTotalsOutput, totals),
                "providers": parts,
            }
        )
