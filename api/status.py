"""Capacity, usage and cost of all API keys."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import ApiView, serialize
from api.fields import Usd
from keys.supply.queries.provider_status import fleet_figures


class KeyTotalsOutput(serializers.Serializer):
    """Figures of some keys. Counts of tokens are of the daily limits."""

    count = serializers.IntegerField(help_text="Keys.")
    lendable = serializers.IntegerField(help_text="Of them, switched on and working.")
    unlimited = serializers.IntegerField(help_text="Of them, without a daily limit.")
    capacity = serializers.IntegerField(
        allow_null=True, help_text="Tokens per day; null when every key is unlimited."
    )
    used = serializers.IntegerField(help_text="Tokens; of unlimited keys, since midnight UTC.")
    committed = serializers.IntegerField(help_text="Tokens lent and not used yet.")
    remaining = serializers.IntegerField(
        allow_null=True, help_text="Tokens that can still be lent; null as for capacity."
    )
    cost_today = Usd(help_text="USD since midnight UTC.")


class StatusView(ApiView):
    """`/api/v1/status`."""

    class Output(serializers.Serializer):
        """All keys, and those of each provider by its name."""

        at = serializers.DateTimeField()
        totals = KeyTotalsOutput()
        providers = serializers.DictField(child=KeyTotalsOutput())

    @extend_schema(
        operation_id="status",
        summary="Capacity, use and cost of the fleet, in all and by provider",
        description="Needs the scope read.",
        responses=Output,
    )
    def get(self, request: Request) -> Response:
        """Show."""
        now = timezone.now()
        totals, providers = fleet_figures(now=now)
        parts = {name: serialize(KeyTotalsOutput, figures) for name, figures in providers.items()}
        return Response(
            {
                "at": serializers.DateTimeField().to_representation(now),
                "totals": serialize(KeyTotalsOutput, totals),
                "providers": parts,
            }
        )
