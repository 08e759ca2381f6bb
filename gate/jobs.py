"""The jobs of the app, called by django-q2.

Intervals, for `butler_site.schedules`: `watch_approvals` every minute.
"""

from django.utils import timezone

from gate import services
from security import services as security


def watch_approvals() -> None:
    """Every minute: expire approvals that nobody decided, and alert people to those that wait."""
    now = timezone.now()
    security.expire_approvals(now=now)
    services.alert_of_approvals(now=now)
