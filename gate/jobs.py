"""The jobs of the app, called by django-q2.

Intervals, for `butler_site.schedules`: `watch_approvals` and `watch_audit_chain` every minute,
`keep_checkpoint`, `watch_findings` and `watch_access_reviews` every hour, `send_checkpoint` every
day.
"""

from django.utils import timezone

from gate import services
from security import services as security


def watch_approvals() -> None:
    """Every minute: expire approvals that nobody decided, and alert people to those that wait."""
    now = timezone.now()
    security.expire_approvals(now=now)
    services.alert_of_approvals(now=now)


def watch_audit_chain() -> None:
    """Every minute: alert people if rows wait too long to be sealed."""
    services.alert_of_unsealed_rows(now=timezone.now())


def keep_checkpoint() -> None:
    """Every hour: append a signed checkpoint of the audit chain to the file outside."""
    services.keep_checkpoint(now=timezone.now())


def send_checkpoint() -> None:
    """Every day: send a signed checkpoint through the channels of notifications."""
    services.send_checkpoint(now=timezone.now())


def watch_findings() -> None:
    """Every hour: alert people to leaked secrets that were not replaced in time."""
    services.alert_of_overdue_findings(now=timezone.now())


def watch_access_reviews() -> None:
    """Every hour: alert people once to a review of access that is overdue."""
    services.alert_of_overdue_reviews(now=timezone.now())
