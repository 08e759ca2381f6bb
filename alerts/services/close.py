"""Acknowledge and resolve alerts."""

from django.db import transaction

from alerts.models import Alert
from alerts.refusals import AlertNotFound, AlreadyResolved

_Status = Alert.Status


@transaction.atomic
def acknowledge(alert_id, *, who, note="", now) -> Alert:
    """A person has seen the alert. A second acknowledgement changes nothing.

    Refusals: AlertNotFound, AlreadyResolved.
    """
    alert = _standing(alert_id)
    if alert.status == _Status.ACKNOWLEDGED:
        return alert
    alert.status = _Status.ACKNOWLEDGED
    alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_note = now, who, note
    alert.save(update_fields=["status", "acknowledged_at", "acknowledged_by", "acknowledged_note"])
    return alert


@transaction.atomic
def resolve(alert_id, *, who, note="", now) -> Alert:
    """The alert is over; its dedup key may be raised anew.

    Refusals: AlertNotFound, AlreadyResolved.
    """
    return _resolved(_standing(alert_id), who=who, note=note, now=now)


@transaction.atomic
def resolve_by_key(dedup_key, *, who, note="", now) -> Alert | None:
    """Resolve the alert that stands under `dedup_key`; None when none does.

    For programs that see a condition end and need not know whether it was ever raised. Joins the
    caller's transaction; no refusals.
    """
    alert = Alert.objects.unresolved().filter(dedup_key=dedup_key).locked().first()
    return alert and _resolved(alert, who=who, note=note, now=now)


def _standing(alert_id) -> Alert:
    alert = Alert.objects.locked().filter(pk=alert_id).first()
    if alert is None:
        raise AlertNotFound(f"There is no alert {alert_id}.", alert_id=alert_id)
    if alert.is_resolved:
        raise AlreadyResolved(
            f"Alert {alert_id} was resolved by {alert.resolved_by}.",
            alert_id=alert_id,
            resolved_at=alert.resolved_at.isoformat(),
        )
    return alert


def _resolved(alert, *, who, note, now) -> Alert:
    alert.status = _Status.RESOLVED
    alert.resolved_at, alert.resolved_by, alert.resolved_note = now, who, note
    alert.save(update_fields=["status", "resolved_at", "resolved_by", "resolved_note"])
    return alert
