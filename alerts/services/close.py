"""Acknowledge and resolve alerts, and undo it."""

from datetime import datetime

from django.db import IntegrityError, transaction

from alerts.audit_actions import Action
from alerts.models import Alert, Severity
from alerts.refusals import AlertRaisedAgain
from alerts.services.changes import SNOOZE_FIELDS, clear, lock, lock_unresolved, record, state
from security.actor import Actor

_Status = Alert.Status
_WORSE = Actor.job("a more severe alert")


@transaction.atomic
def acknowledge(
    alert_id: int, *, actor: Actor, note: str = "", now: datetime
) -> tuple[Alert, bool]:
    """Record that a person has seen the alert; returns it, and whether this call did it.

    Refusals: AlertNotFound, AlertResolved.
    """
    alert = lock_unresolved(alert_id)
    if alert.status == _Status.ACKNOWLEDGED:
        return alert, False
    before, alert.status = state(alert), _Status.ACKNOWLEDGED
    alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_note = now, str(actor), note
    alert.save()
    record(alert, Action.ALERT_ACKNOWLEDGE, before, actor=actor, note=note, now=now)
    return alert, True


@transaction.atomic
def withdraw_acknowledgement(
    alert_id: int, *, actor: Actor, note: str = "", now: datetime
) -> tuple[Alert, bool]:
    """Make an acknowledged alert open again; returns it, and whether this call did it.

    Refusals: AlertNotFound, AlertResolved.
    """
    alert = lock_unresolved(alert_id)
    if alert.status != _Status.ACKNOWLEDGED:
        return alert, False
    before, alert.status = state(alert), _Status.OPEN
    clear(alert, "acknowledged_at", "acknowledged_by", "acknowledged_note")
    alert.save()
    record(alert, Action.ALERT_WITHDRAW_ACKNOWLEDGEMENT, before, actor=actor, note=note, now=now)
    return alert, True


@transaction.atomic
def resolve(alert_id: int, *, actor: Actor, note: str = "", now: datetime) -> Alert:
    """Close the alert; its dedup key can be raised again.

    Refusals: AlertNotFound, AlertResolved.
    """
    return _resolve(lock_unresolved(alert_id), actor=actor, note=note, now=now)


@transaction.atomic
def resolve_by_key(dedup_key: str, *, actor: Actor, note: str = "", now: datetime) -> Alert | None:
    """Resolve the unresolved alert with this `dedup_key`; returns None if there is none.

    For programs that see a condition end and do not know whether an alert was raised. Joins the
    caller's transaction; no refusals.
    """
    alert = Alert.objects.unresolved().filter(dedup_key=dedup_key).locked().first()
    return alert and _resolve(alert, actor=actor, note=note, now=now)


@transaction.atomic
def resolve_less_severe(dedup_key: str, *, severity: Severity, note: str, now: datetime) -> None:
    """Resolve the unresolved alert with this `dedup_key` if it is less severe: one that is worse
    takes its place, also if it was snoozed or acknowledged."""
    alert = Alert.objects.unresolved().filter(dedup_key=dedup_key).locked().first()
    if alert and severity.is_above(alert.severity):
        _resolve(alert, actor=_WORSE, note=note, now=now)


@transaction.atomic
def reopen(alert_id: int, *, actor: Actor, note: str = "", now: datetime) -> tuple[Alert, bool]:
    """Make a resolved alert what it was before; returns it, and whether this call did it.

    Refusals: AlertNotFound, AlertRaisedAgain.
    """
    alert = lock(alert_id)
    if not alert.is_resolved:
        return alert, False
    before = state(alert)
    alert.status = _Status.ACKNOWLEDGED if alert.acknowledged_at else _Status.OPEN
    clear(alert, "resolved_at", "resolved_by", "resolved_note")
    try:
        with transaction.atomic():
            alert.save()
    except IntegrityError as error:  # alert_one_unresolved_per_dedup_key
        raise AlertRaisedAgain(alert_id=alert_id) from error
    record(alert, Action.ALERT_REOPEN, before, actor=actor, note=note, now=now)
    return alert, True


def _resolve(alert: Alert, *, actor: Actor, note: str, now: datetime) -> Alert:
    before, alert.status = state(alert), _Status.RESOLVED
    alert.resolved_at, alert.resolved_by, alert.resolved_note = now, str(actor), note
    clear(alert, *SNOOZE_FIELDS)
    alert.save()
    record(alert, Action.ALERT_RESOLVE, before, actor=actor, note=note, now=now)
    return alert
