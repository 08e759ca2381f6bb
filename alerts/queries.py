"""Reads for pages, the API and the admin."""

from django.db.models import Case, Count, IntegerField, Q, QuerySet, When

from alerts.models import Alert, Channel, Notification, Severity
from alerts.models.alert import AlertQuerySet
from alerts.models.notification import NotificationQuerySet

_RANK = Case(
    *(When(severity=severity, then=rank) for rank, severity in enumerate(Severity)),
    output_field=IntegerField(),
)


def open_alerts() -> AlertQuerySet:
    """Alerts that are not resolved, the most severe first, then the newest."""
    return Alert.objects.unresolved().alias(rank=_RANK).order_by("-rank", "-raised_at", "-pk")


def open_counts(alerts: QuerySet[Alert]) -> dict[str, int]:
    """How many of the `alerts` there are by severity; a severity without alerts counts 0."""
    rows = alerts.order_by().values_list("severity").annotate(Count("pk"))
    return {severity.value: 0 for severity in Severity} | dict(rows)


def alerts_of_agent(agent_id: str) -> AlertQuerySet:
    """Every alert about one agent, the newest first."""
    return Alert.objects.of_agent(agent_id).order_by("-raised_at", "-pk")


def deliveries() -> NotificationQuerySet:
    """The delivery log, the newest first, with alert and channel."""
    return Notification.objects.select_related("alert", "channel").order_by("-queued_at", "-pk")


def channels_with_counts() -> QuerySet[Channel]:
    """Channels with `waiting_count` and `given_up_count` of their notifications."""
    status = Notification.Status
    return Channel.objects.annotate(
        waiting_count=Count(
            "notifications", Q(notifications__status__in=(status.QUEUED, status.FAILED))
        ),
        given_up_count=Count("notifications", Q(notifications__status=status.GIVEN_UP)),
    )
