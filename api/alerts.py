"""Alerts: what a person must know."""

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import services as alerts
from alerts.models import Alert, Severity
from api import pagination
from api.authentication import OPERATE
from api.base import ApiView, serialize
from api.fields import Strict, String
from api.query_parameters import body, idempotency_key, query
from keys.books.queries.allocations import visible_allocations
from keys.identity.queries.credentials import Bearer
from security.request_actor import agent_of


class AlertOutput(serializers.Serializer):
    """One alert."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    severity = serializers.ChoiceField(Severity.choices)
    status = serializers.ChoiceField(Alert.Status.choices)
    title = serializers.CharField()
    detail = serializers.CharField()
    meaning = serializers.CharField(
        help_text="What an alert of this kind means. Empty for a kind of another system."
    )
    remedy = serializers.CharField(
        help_text="What a person should do about it. Empty for a kind of another system."
    )
    facts = serializers.DictField(help_text="Figures for programs.")
    key_id = serializers.CharField(allow_null=True)
    session_id = serializers.CharField(allow_null=True)
    raised_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField()
    acknowledged_note = serializers.CharField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.CharField()
    resolved_note = serializers.CharField()


class AlertListView(ApiView):
    """`/api/v1/alerts`."""

    class Query(pagination.PageQuery):
        """Filters of the list."""

        status = serializers.ChoiceField(Alert.Status.choices, required=False)
        severity = serializers.ChoiceField(Severity.choices, required=False)

    @extend_schema(
        operation_id="listAlerts",
        summary="Alerts of your sessions, the newest first",
        description="Needs the scope read; with operate, all alerts.",
        parameters=[Query],
        responses=pagination.page_serializer(AlertOutput),
    )
    def get(self, request: Request) -> Response:
        """List."""
        asked = query(request, self.Query)
        limit = asked.pop("limit")
        after = pagination.position(asked.pop("cursor", None), int)
        found = _visible_alerts(request.auth).filter(**asked).order_by("-id")
        if after:
            found = found.filter(id__lt=after[0])
        rows = list(found[: limit + 1])
        return Response(
            pagination.page(rows, limit=limit, output=AlertOutput, at=lambda row: (row.id,))
        )


def _visible_alerts(bearer: Bearer) -> QuerySet[Alert]:
    if bearer.sees_all:
        return Alert.objects.all()
    sessions = visible_allocations(bearer).order_by().values("session_id")
    return Alert.objects.filter(Q(session_id__in=sessions) | Q(agent_id=bearer.agent))


class AlertActionView(ApiView):
    """Writes on one alert."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404, 409)}

    class Input(Strict):
        """A word to those who read it later."""

        note = String(required=False, allow_blank=True, max_length=1000)


class AcknowledgementView(AlertActionView):
    """`/api/v1/alerts/{alert_id}/acknowledgement`."""

    @extend_schema(
        operation_id="acknowledgeAlert",
        summary="I have seen it and deal with it",
        description="Needs the scope operate. Idempotent by state: the first one stays.",
        request=AlertActionView.Input,
        responses=AlertOutput,
    )
    def post(self, request: Request, alert_id: int) -> Response:
        """Acknowledge."""
        alert = alerts.acknowledge(alert_id, **_action_arguments(request))
        return Response(serialize(AlertOutput, alert))


class ResolutionView(AlertActionView):
    """`/api/v1/alerts/{alert_id}/resolution`."""

    @extend_schema(
        operation_id="resolveAlert",
        summary="It is over",
        description="Needs the scope operate. Idempotent by state: a repeat changes nothing and is "
        "refused with 409 `alert_resolved`.",
        request=AlertActionView.Input,
        responses=AlertOutput,
    )
    def post(self, request: Request, alert_id: int) -> Response:
        """Resolve."""
        alert = alerts.resolve(alert_id, **_action_arguments(request))
        return Response(serialize(AlertOutput, alert))


def _action_arguments(request: Request) -> dict:
    note = body(request, AlertActionView.Input).get("note", "")
    idempotency_key(request)
    return {"actor": agent_of(request, request.auth.agent), "note": note, "now": timezone.now()}
