"""Import alerts that another system raised."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from alerts.models import Alert
from security.actor import Actor


@dataclass(frozen=True, kw_only=True)
class ForeignAlert:
    """An alert of another system with its status there. `kind` need not be registered here."""

    kind: str
    severity: str
    message: str
    dedup_key: str
    raised_at: datetime
    key_id: str | None = None
    session_id: str | None = None
    acknowledged: bool = False
    resolved: bool = False


def import_alerts(foreign: Iterable[ForeignAlert], *, actor: Actor, now: datetime) -> list[int]:
    """Store the alerts and return their ids in the same order. No notification is sent.

    If another unresolved alert has the same `dedup_key`, the imported one gets a different key.
    Joins the caller's transaction; no refusals.
    """
    standing = set(Alert.objects.unresolved().values_list("dedup_key", flat=True))
    rows = []
    for number, alert in enumerate(foreign):
        key = alert.dedup_key[:200]
        if not alert.resolved:
            key = f"{key}#{number}" if key in standing else key
            standing.add(key)
        rows.append(_row(alert, key, actor=actor, now=now))
    return [row.pk for row in Alert.objects.bulk_create(rows)]


def _row(alert: ForeignAlert, dedup_key: str, *, actor: Actor, now: datetime) -> Alert:
    status = Alert.Status.ACKNOWLEDGED if alert.acknowledged else Alert.Status.OPEN
    return Alert(
        kind=alert.kind,
        severity=alert.severity,
        dedup_key=dedup_key,
        status=Alert.Status.RESOLVED if alert.resolved else status,
        title=alert.message[:255],
        detail=alert.message[255:] and alert.message,
        key_id=alert.key_id,
        session_id=alert.session_id,
        raised_at=alert.raised_at,
        acknowledged_at=now if alert.acknowledged else None,
        acknowledged_by=str(actor) if alert.acknowledged else "",
        resolved_at=now if alert.resolved else None,
        resolved_by=str(actor) if alert.resolved else "",
    )
