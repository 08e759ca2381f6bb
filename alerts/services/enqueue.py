"""Put notifications on the queue: an entry exists if and only if the transaction commits."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef
from django_q.tasks import async_task

from alerts import routing, surroundings
from alerts.models import Alert, Channel, DigestItem, Escalation, Notification, Route
from alerts.services.people import plans_for_people

# A worker is stopped when one delivery takes longer: Apprise's own limits
# (alerts.apprise_transport) end the usual silence long before, this ends a service that answers one
# byte at a time.
DELIVERY_SECONDS = 30


def notify(alert: Alert, *, now: datetime) -> None:
    """Queue a notification on each channel that wants the alert, and for each person whom a route
    leads to or who is waited for, unless one is under way there."""
    under_way = alert.notifications.unfinished().filter(channel=OuterRef("pk"))
    wanting = (
        Channel.objects.enabled().shared().at_severity(alert.severity).exclude(Exists(under_way))
    )
    channels = [channel for channel in wanting if channel.wants_kind(alert.kind)]
    routes = _routes(alert)
    for plan in plans_for_people(alert, routes, now=now):
        _keep(plan, alert, now=now)
    if not routes:
        for channel in channels:
            queue_notification(channel=channel, alert=alert, now=now)
        return
    planned = routing.plans(routes, alert, zone=surroundings.zone(), now=now)
    for channel in channels:
        if channel.pk in planned:
            _keep(planned[channel.pk], alert, now=now)
    _keep_steps(routes, alert, now=now)


def _routes(alert: Alert) -> list[Route]:
    """The routes that match the alert; its cost centres are only looked for if one needs them."""
    routes = Route.objects.enabled().prefetch_related("channels", "steps__channel", "recipients")
    wanted = [route for route in routes if route.wants(alert)]
    needs_centres = any(route.cost_centre for route in wanted)
    centres = surroundings.centres_of(alert) if needs_centres else ()
    return routing.matching(wanted, alert, centres)


def _keep(plan: routing.Plan, alert: Alert, *, now: datetime) -> None:
    if plan.is_digest:
        item = DigestItem(channel=plan.channel, alert=alert, due_at=plan.due_at)
        # One that waits already is of the same alert.
        DigestItem.objects.bulk_create([item], ignore_conflicts=True)
    else:
        queue_notification(channel=plan.channel, alert=alert, due_at=plan.due_at, now=now)


def _keep_steps(routes: Iterable[Route], alert: Alert, *, now: datetime) -> None:
    zone = surroundings.zone()
    steps = [
        Escalation(
            alert=alert,
            route=route,
            channel=step.channel,
            role=step.role,
            person_id=step.person_id,
            after_minutes=step.after_minutes,
            due_at=routing.step_due(route, step.after_minutes, alert, zone=zone, now=now),
        )
        for route in routes
        for step in route.steps.all()
    ]
    # A snooze that ends tells the alert again, but each step once.
    Escalation.objects.bulk_create(steps, ignore_conflicts=True)


def queue_notification(
    *,
    channel: Channel,
    alert: Alert | None,
    again_of: Notification | None = None,
    is_digest: bool = False,
    due_at: datetime | None = None,
    now: datetime,
) -> Notification:
    """Create the notification of `alert` (None: a digest, or a test) on `channel`, and its queue
    entry. One that is due later is put on the queue by `services.retry_due`.
    """
    held_until = due_at if due_at and due_at > now else None
    notification = Notification.objects.create(
        alert=alert,
        channel=channel,
        again_of=again_of,
        is_digest=is_digest,
        queued_at=now,
        held_until=held_until,
        next_attempt_at=held_until or now,
    )
    if held_until is None:
        enqueue(notification.pk)
    return notification


def enqueue(notification_id: int) -> None:
    """Ask a worker to deliver it. A second entry is harmless: one worker claims it.

    A failed entry is acknowledged, because `alerts.jobs.retry_deliveries` is what tries again.
    """
    async_task(
        "alerts.jobs.deliver",
        notification_id,
        task_name=f"notification {notification_id}",
        group="alerts.deliver",
        timeout=DELIVERY_SECONDS,
        ack_failure=True,
    )
