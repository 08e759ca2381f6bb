"""Who asks, and what that agent may still spend."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import OPERATE, READ, SPEND
from api.base import ApiView, serialize
from api.fields import Usd
from keys.limits.queries.spendable import spendable
from keys.models import AgentToken, Period, Unit


class LimitOutput(serializers.Serializer):
    """A limit and its window of now; amounts in its unit."""

    scope = serializers.CharField(help_text="`agent:…` or `centre:…`.")
    unit = serializers.ChoiceField(Unit.choices)
    period = serializers.ChoiceField(Period.choices)
    amount = serializers.CharField(help_text="Tokens, or USD with 9 places.")
    used = serializers.CharField()
    committed = serializers.CharField(help_text="Lent and not used yet.")
    free = serializers.CharField()
    resets_at = serializers.DateTimeField(allow_null=True, help_text="Null for a total.")


class MeView(ApiView):
    """`/api/v1/me`."""

    scopes = {"GET": (READ, SPEND, OPERATE)}

    class Output(serializers.Serializer):
        """Who you are and what you may still spend."""

        agent = serializers.CharField()
        cost_centre = serializers.CharField()
        scopes = serializers.ListField(
            child=serializers.ChoiceField(AgentToken.Scope.choices), help_text="Of this token."
        )
        token = serializers.CharField(help_text="Its public part.")
        token_expires_at = serializers.DateTimeField()
        free_tokens = serializers.IntegerField(
            allow_null=True, help_text="In the tightest of the limits; null is unlimited."
        )
        free_usd = Usd(allow_null=True, help_text="In the tightest; null is unlimited.")
        until = serializers.DateTimeField(
            allow_null=True, help_text="When the first of them begins anew."
        )
        limits = LimitOutput(many=True, help_text="Yours, then those of the centres that pay.")

    @extend_schema(
        operation_id="me",
        summary="Who am I, what may I still spend, and until when",
        description="Any agent token.",
        responses=Output,
    )
    def get(self, request: Request) -> Response:
        """Show."""
        bearer = request.auth
        free = spendable(agent=bearer.agent, cost_centre=bearer.cost_centre, now=timezone.now())
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
        }
        return Response(serialize(self.Output, facts))


def _limit(meter) -> dict:
    amounts = {name: getattr(meter, name) for name in ("amount", "used", "committed", "free")}
    whole = meter.unit == Unit.TOKENS
    return {
        "scope": meter.scope,
        "unit": meter.unit,
        "period": meter.period,
        "resets_at": None if meter.period == Period.TOTAL else meter.resets_at,
        **{name: str(int(n)) if whole else f"{n:.9f}" for name, n in amounts.items()},
    }
