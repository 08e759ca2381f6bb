"""Alerts: list, acknowledge, snooze, resolve."""

from typing import Any

from django.db.models import Q, QuerySet
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
from common import database_clock
from keys.books.queries.allocations import visible_allocations
from keys.identity.queries.credentials import Bearer


class AlertOutput(serializers.Serializer):
    """Something that a person must know about: a key, an agent or a session."""

    id = serializers.IntegerField(help_text="Identifies the alert.")
    kind = serializers.CharField(help_text="The kind of alert, for example `rotation_needed`.")
    severity = serializers.ChoiceField(
        Severity.choices, help_text="How urgent the alert is: `info`, `warning` or `critical`."
    )
    status = serializers.ChoiceField(
        Alert.Status.choices,
        help_text="The status of the alert: `open`, `acknowledged` by a person or `resolved`.",
    )
    title = serializers.CharField(help_text="One line that says what happened.")
    detail = serializers.CharField(help_text="More about what happened, or an empty string.")
    meaning = serializers.CharField(
        help_text="What an alert of this kind means, or an empty string for an imported alert."
    )
    remedy = serializers.CharField(
        help_text="What a person should do about it, or an empty string for an imported alert."
    )
    facts = serializers.DictField(help_text="The figures behind the alert, for programs to read.")
    key_id = serializers.CharField(
        allow_null=True, help_text="The API key that the alert is about, or null."
    )
    agent = serializers.CharField(
        source="agent_id", allow_null=True, help_text="The agent that the alert is about, or null."
    )
    session_id = serializers.CharField(
        allow_null=True, help_text="The session that the alert is about, or null."
    )
    raised_at = serializers.DateTimeField(help_text="The time at which the alert was raised.")
    acknowledged_at = serializers.DateTimeField(
        allow_null=True, help_text="The time of the acknowledgement, or null before it."
    )
    acknowledged_by = serializers.CharField(
        help_text="The person or agent who acknowledged the alert, or an empty string."
    )
    acknowledged_note = serializers.CharField(
        help_text="The note that was left with the acknowledgement, or an empty string."
    )
    snoozed_until = serializers.DateTimeField(
        allow_null=True,
        help_text="The time until which the alert is put aside, or null. When it is over, the "
        "alert is again what its status says.",
    )
    snoozed_by = serializers.CharField(
        help_text="The person or agent who snoozed the alert, or an empty string."
    )
    snoozed_note = serializers.CharField(
        help_text="The note that was left with the snooze, or an empty string."
    )
    resolved_at = serializers.DateTimeField(
        allow_null=True, help_text="The time at which the alert was resolved, or null before it."
    )
    resolved_by = serializers.CharField(
        help_text="The person, agent or job that resolved the alert, or an empty string."
    )
    resolved_note = serializers.CharField(
        help_text="The note that was left when the alert was resolved, or an empty string."
    )


class AlertListView(ApiView):
    """`/api/v1/alerts`."""

    class Query(pagination.PageQuery):
        """Which alerts to list."""

        status = serializers.ChoiceField(
            Alert.Status.choices,
            required=False,
            help_text="Only alerts with this status are returned.",
        )
        severity = serializers.ChoiceField(
            Severity.choices,
            required=False,
            help_text="Only alerts of this severity are returned.",
        )

    @extend_schema(
        operation_id="listAlerts",
        summary="List alerts",
        description="Requires the scope `read`. Returns the alerts of the agent and of its "
        "sessions, newest first. With the scope `operate`, returns all alerts.",
        parameters=[Query],
        responses=pagination.page_serializer(AlertOutput),
    )
    def get(self, request: Request) -> Response:
        """Return a page of alerts."""
        values = query(request, self.Query)
        limit = values.pop("limit")
        after = pagination.cursor_value(values.pop("cursor", None), int)
        alerts = _visible_alerts(self.bearer).filter(**values).order_by("-id")
        if after:
            alerts = alerts.filter(id__lt=after)
        rows = list(alerts[: limit + 1])
        return Response(
            pagination.page(rows, limit=limit, output=AlertOutput, at=lambda row: (row.id,))
        )


def _visible_alerts(bearer: Bearer) -> QuerySet[Alert]:
    if bearer.sees_all:
        return Alert.objects.all()
    sessions = visible_allocations(bearer).order_by().values("session_id")
    return Alert.objects.filter(Q(session_id__in=sessions) | Q(agent_id=bearer.agent))


class AlertActionView(ApiView):
    """What the actions on one alert have in common."""

    scopes = {"POST": (OPERATE,)}
    problems = {"POST": (404, 409)}

    class Input(Strict):
        """What to note with the alert."""

        note = String(
            required=False,
            allow_blank=True,
            max_length=1000,
            help_text="A note for people who read the alert later.",
        )

    def _action_arguments(self, request: Request) -> dict[str, Any]:
        note = body(request, self.Input).get("note", "")
        idempotency_key(request)
        return {"actor": self.actor, "note": note, "now": database_clock.now()}


class AcknowledgementView(AlertActionView):
    """`/api/v1/alerts/{alert_id}/acknowledgement`."""

    @extend_schema(
        operation_id="acknowledgeAlert",
        summary="Acknowledge an alert",
        description="Requires the scope `operate`. Says that somebody has seen the alert and deals "
        "with it. A repeated acknowledgement changes nothing: the first one stays.",
        request=AlertActionView.Input,
        responses=AlertOutput,
    )
    def post(self, request: Request, alert_id: int) -> Response:
        """Acknowledge the alert and return it."""
        alert, _ = alerts.acknowledge(alert_id, **self._action_arguments(request))
        return Response(serialize(AlertOutput, alert))


class SnoozeView(AlertActionView):
    """`/api/v1/alerts/{alert_id}/snooze`."""

    class Input(AlertActionView.Input):
        """Until when the alert is put aside."""

        until = serializers.DateTimeField(
            help_text="The time at which the alert comes back, at most 366 days from now."
        )

    @extend_schema(
        operation_id="snoozeAlert",
        summary="Snooze an alert",
        description="Requires the scope `operate`. Puts the alert aside: until the given time, no "
        "notification of it is sent. If something more severe takes its place, that is told. An "
        "alert that is snoozed until another time is refused with 409 `alert_snoozed`.",
        request=Input,
        responses=AlertOutput,
    )
    def post(self, request: Request, alert_id: int) -> Response:
        """Snooze the alert and return it."""
        asked = body(request, self.Input)
        idempotency_key(request)
        alert, _ = alerts.snooze(
            alert_id,
            until=asked["until"],
            note=asked.get("note", ""),
            actor=self.actor,
            now=database_clock.now(),
        )
        return Response(serialize(AlertOutput, alert))


class ResolutionView(AlertActionView):
    """`/api/v1/alerts/{alert_id}/resolution`."""

    @extend_schema(
        operation_id="resolveAlert",
        summary="Resolve an alert",
        description="Requires the scope `operate`. Says that the matter is settled. A repeated "
        "request changes nothing and is refused with 409 `alert_resolved`.",
        request=AlertActionView.Input,
        responses=AlertOutput,
    )
    def post(self, request: Request, alert_id: int) -> Response:
        """Resolve the alert and return it."""
        alert = alerts.resolve(alert_id, **self._action_arguments(request))
        return Response(serialize(AlertOutput, alert))
