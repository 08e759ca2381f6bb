"""What django-q2 calls.

Intervals, for `butler_site.schedules`: `retry_deliveries` every minute. `deliver` has no schedule:
each notification enqueues its own.
"""

from django.utils import timezone

from alerts import services


def deliver(notification_id: int) -> None:
    """Send one notification; may run twice, the claim says who sends."""
    services.deliver(notification_id, now=timezone.now())


def retry_deliveries() -> int:
    """Every minute: try failed deliveries again, pick up lost ones; returns how many."""
    return services.retry_due(now=timezone.now())
