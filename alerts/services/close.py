"""Acknowledge and resolve alerts."""

from datetime import datetime

from django.db import transaction

from alerts.audit_actions import Action
from alerts.models import Alert
from alerts.refusals import AlertNotFound, AlertResolved
from security import audit
from security.actor import Actor

_Status = Alert.Status


@transaction.atomic
def acknowledge(alert_id: int, *, actor: Actor, note: str = "", now: datetime) -> Alert:
    """Record that a person has seen the alert. A second call changes nothing.

    Refusals: AlertNotFound, AlertResolved.
    """
    alert = _lock_unresolved(alert_id)
    if alert.status == _Status.ACKNOWLEDGED:
        return alert
    before, alert.status = alert.status, _Status.ACKNOWLEDGED
    alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_note = now, str(actor), note
    alert.save(update_fields=["status", "acknowledged_at", "acknowledged_by", "acknowledged_note"])
    _record(alert, Action.ALERT_ACKNOWLEDGE, before, actor=actor, note=note, now=now)
    return alert


@transaction.atomic
def resolve(alert_id: int, *, actor: Actor, note: str = "", now: datetime) -> Alert:
    """Close the alert; its dedup key can be raised again.

    Refusals: AlertNotFound, AlertResolved.
    """
    return _resolve(_lock_unresolved(alert_id), actor=actor, note=note, now=now)


@transaction.atomic
def resolve_by_key(dedup_key: str, *, actor: Actor, note: str = "", now: datetime) -> Alert | None:
    """Resolve the unresolved alert with this `dedup_key`; returns None if there is none.

    For programs that see a condition end and do not know whether an alert was raised. Joins the
    caller's transaction; no refusals.
    """
    alert = Alert.objects.unresolved().filter(dedup_key=dedup_key).locked().first()
    return alert and _resolve(alert, actor=actor, note=note, now=now)


def _lock_unresolved(alert_id: int) -> Alert:
    alert = Alert.objects.locked().filter(pk=alert_id).first()
    if alert is None:
        raise AlertNotFound(alert_id=alert_id)
    if alert.resolved_at is not None:
        raise AlertResolved(
            alert_id=alert_id,
            resolved_by=alert.resolved_by,
            resolved_at=alert.resolved_at,
        )
    return alert


def _resolve(alert: Alert, *, actor: Actor, note: str, now: datetime) -> Alert:
    before, alert.status = alert.status, _Status.RESOLVED
    alert.resolved_at, alert.resolved_by, alert.resolved_note = now, str(actor), note
    alert.save(update_fields=["status", "resolved_at", "resolved_by", "resolved_note"])
    _record(alert, Action.ALERT_RESOLVE, before, actor=actor, note=note, now=now)
    return alert


def _record(
    alert: Alert, action: Action, before: str, *, actor: Actor, note: str, now: datetime
) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=alert.address,
        related=alert.concerns,
        before={"status": before},
        after={"status": alert.status},
        reason=note[:300],
        at=now,
    )
