"""What the changes of an alert by people have in common: its lock, and its audit entry."""

from datetime import datetime
from typing import Any

from alerts.audit_actions import Action
from alerts.models import Alert
from alerts.refusals import AlertNotFound, AlertResolved
from security import audit
from security.actor import Actor

SNOOZE_FIELDS = ("snoozed_until", "snoozed_by", "snoozed_note")


def lock(alert_id: int) -> Alert:
    """The alert, locked until commit. Refusals: AlertNotFound."""
    alert = Alert.objects.locked().filter(pk=alert_id).first()
    if alert is None:
        raise AlertNotFound(alert_id=alert_id)
    return alert


def lock_unresolved(alert_id: int) -> Alert:
    """The alert, locked until commit. Refusals: AlertNotFound, AlertResolved."""
    alert = lock(alert_id)
    if alert.resolved_at is not None:
        raise AlertResolved(
            alert_id=alert_id,
            resolved_by=alert.resolved_by,
            resolved_at=alert.resolved_at,
        )
    return alert


def clear(alert: Alert, *fields: str) -> None:
    """Set these fields to what they are in a new alert."""
    new = Alert()
    for name in fields:
        setattr(alert, name, getattr(new, name))


def state(alert: Alert) -> dict[str, Any]:
    """What the audit keeps of an alert before and after a change."""
    snooze = {"snoozed_until": alert.snoozed_until} if alert.snoozed_until else {}
    return {"status": alert.status, **snooze}


def record(
    alert: Alert,
    action: Action,
    before: dict[str, Any],
    *,
    actor: Actor,
    note: str,
    now: datetime,
) -> None:
    """Write the audit entry of a change that was saved."""
    audit.record(
        actor=actor,
        action=action,
        subject=alert.address,
        related=alert.concerns,
        before=before,
        after=state(alert),
        reason=note[:300],
        at=now,
    )
