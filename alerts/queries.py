"""Reads for pages, the API and the admin."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, When

from alerts.models import Alert, Channel, Notification, Severity
from alerts.models.alert import AlertQuerySet, at_stage
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


def stage_counts(alerts: QuerySet[Alert], *, now: datetime) -> dict[str, int]:
    """How many of the `alerts` that are not resolved there are at each other stage."""
    stages = [stage.value for stage in Alert.Stage if stage != Alert.Stage.RESOLVED]
    counts = {stage: Count("pk", filter=at_stage(stage, now)) for stage in stages}
    return alerts.filter(resolved_at=None).order_by().aggregate(**counts)


def times_raised(alerts: Iterable[Alert], *, since: datetime) -> dict[str, int]:
    """How often each dedup key of the `alerts` was raised since a moment."""
    keys = {alert.dedup_key for alert in alerts}
    raised = Alert.objects.filter(dedup_key__in=keys, raised_at__gte=since)
    return dict(raised.order_by().values_list("dedup_key").annotate(Count("pk")))


def alerts_before(alert: Alert) -> AlertQuerySet:
    """Alerts of the same kind that were raised earlier, the newest first."""
    same = Alert.objects.filter(kind=alert.kind, raised_at__lte=alert.raised_at)
    return same.exclude(pk=alert.pk).order_by("-raised_at", "-pk")


def alerts_of_agent(agent_id: str) -> AlertQuerySet:
    """Every alert about one agent, the newest first."""
    return Alert.objects.of_agent(agent_id).order_by("-raised_at", "-pk")


def deliveries() -> NotificationQuerySet:
    """The delivery log, the newest first, with alert and channel."""
    return Notification.objects.select_related("alert", "channel").order_by("-queued_at", "-pk")


def deliveries_to(person: Any) -> NotificationQuerySet:
    """What a person was told by e-mail, the newest first, with the alerts."""
    return deliveries().filter(channel__person=person)


def alerts_of_digest(digest: Notification) -> list[Alert]:
    """The alerts of a digest, also of one that is sent again; the oldest first."""
    of = digest.again_of_id or digest.pk
    return list(Alert.objects.filter(digest_items__digest=of).order_by("raised_at", "pk"))


def delivery_counts(notifications: QuerySet[Notification]) -> dict[str, int]:
    """How many of the `notifications` there are by status; a status without any counts 0."""
    rows = notifications.order_by().values_list("status").annotate(Count("pk"))
    return {status.value: 0 for status in Notification.Status} | dict(rows)


def channels_with_counts() -> QuerySet[Channel]:
    """Channels with `waiting_count` and `given_up_count` of their notifications, and the id of the
    last one as `last_delivery`.
    """
    status = Notification.Status
    last = Notification.objects.filter(channel=OuterRef("pk")).order_by("-pk")
    return Channel.objects.shared().annotate(
        last_delivery=Subquery(last.values("pk")[:1]),
        waiting_count=Count(
            "notifications", Q(notifications__status__in=(status.QUEUED, status.FAILED))
        ),
        given_up_count=Count("notifications", Q(notifications__status=status.GIVEN_UP)),
    )


def failed_deliveries(*, since: datetime, least: int) -> QuerySet[Any]:
    """Channels with at least so many notifications that were queued since a moment and are failed
    or given up: `failed` says how many, `last_reason` why the last one was not delivered.
    """
    status = (Notification.Status.FAILED, Notification.Status.GIVEN_UP)
    failed = Notification.objects.filter(
        channel=OuterRef("pk"), status__in=status, queued_at__gte=since
    )
    count = failed.order_by().values("channel").annotate(number=Count("pk")).values("number")
    return Channel.objects.annotate(
        failed=Subquery(count),
        last_reason=Subquery(failed.order_by("-pk").values("last_error")[:1]),
    ).filter(failed__gte=least)
