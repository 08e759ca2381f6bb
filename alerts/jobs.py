"""The jobs of the app, called by django-q2.

Intervals, for `butler_site.schedules`: `retry_deliveries` every minute. `deliver` has no schedule:
each notification enqueues its own.
"""

from django.utils import timezone

from alerts import services


def deliver(notification_id: int) -> None:
    """Send one notification. May run twice: only the run that claims it sends."""
    services.deliver(notification_id, now=timezone.now())


def retry_deliveries() -> int:
    """Every minute: retry failed and lost deliveries; returns how many."""
    return services.retry_due(now=timezone.now())
