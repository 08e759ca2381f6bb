"""The jobs of the app, called by django-q2.

Intervals, for `butler_site.schedules`: `evaluate_rules` every 5 minutes, the others every minute.
`deliver` and `evaluate_rule` have no schedule: each notification and each rule enqueues its own.
"""

from django.utils import timezone

from alerts import services


def deliver(notification_id: int) -> None:
    """Send one notification. May run twice: only the run that claims it sends."""
    services.deliver(notification_id, now=timezone.now())


def retry_deliveries() -> int:
    """Every minute: retry failed and lost deliveries; returns how many."""
    return services.retry_due(now=timezone.now())


def send_digests() -> int:
    """Every minute: queue the digests whose moment has come; returns how many."""
    return services.send_due_digests(now=timezone.now())


def escalate() -> int:
    """Every minute: tell the next channel of alerts that nobody took; returns how many."""
    return services.escalate_due(now=timezone.now())


def evaluate_rules() -> int:
    """Every 5 minutes: have each rule evaluated; returns how many."""
    return services.enqueue_rules()


def evaluate_rule(rule_id: int) -> int:
    """Evaluate one rule; returns how many alerts it raised. May run twice at once."""
    return services.evaluate_rule(rule_id, now=timezone.now())


def end_snoozes() -> int:
    """Every minute: tell channels of the alerts that came back; returns how many."""
    return services.end_due_snoozes(now=timezone.now())
