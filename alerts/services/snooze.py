"""Put alerts aside for a time, and bring them back."""

from datetime import datetime, timedelta

from django.db import transaction

from alerts.audit_actions import Action
from alerts.models import Alert
from alerts.refusals import AlertSnoozed, SnoozeOutOfRange
from alerts.services.changes import SNOOZE_FIELDS, clear, lock_unresolved, record, state
from alerts.services.enqueue import notify
from security.actor import Actor

SNOOZE_MAX = timedelta(days=366)
_CLOCK = Actor.job("end of snoozes")


@transaction.atomic
def snooze(
    alert_id: int, *, until: datetime, actor: Actor, note: str = "", now: datetime
) -> tuple[Alert, bool]:
    """Put the alert aside until a moment; until then, no notification of it is sent.

    Returns it, and whether this call did it. Refusals: AlertNotFound, AlertResolved, AlertSnoozed
    (until another moment), SnoozeOutOfRange.
    """
    if not now < until <= now + SNOOZE_MAX:
        raise SnoozeOutOfRange(until=until, latest=now + SNOOZE_MAX)
    alert = lock_unresolved(alert_id)
    if alert.snoozed_until and alert.is_snoozed(now):
        if alert.snoozed_until == until:
            return alert, False
        raise AlertSnoozed(
            alert_id=alert_id, snoozed_by=alert.snoozed_by, snoozed_until=alert.snoozed_until
        )
    before = state(alert)
    alert.snoozed_until, alert.snoozed_by, alert.snoozed_note = until, str(actor), note
    alert.save(update_fields=SNOOZE_FIELDS)
    record(alert, Action.ALERT_SNOOZE, before, actor=actor, note=note, now=now)
    return alert, True


@transaction.atomic
def end_snooze(alert_id: int, *, actor: Actor, note: str = "", now: datetime) -> tuple[Alert, bool]:
    """Bring a snoozed alert back before its time; returns it, and whether this call did it.

    Notifications that waited for the end of the snooze are sent. Refusals: AlertNotFound,
    AlertResolved.
    """
    alert = lock_unresolved(alert_id)
    if not alert.is_snoozed(now):
        return alert, False
    wake(alert, actor=actor, note=note, now=now)
    return alert, True


def end_due_snoozes(*, now: datetime) -> int:
    """Tell the channels of each alert whose snooze is over; returns how many came back.

    They are among the others from that moment on, also if this runs late.
    """
    due = Alert.objects.filter(snoozed_until__lte=now).values_list("pk", flat=True)
    return sum(_come_back(alert_id, now=now) for alert_id in due)


@transaction.atomic(durable=True)
def _come_back(alert_id: int, *, now: datetime) -> bool:
    alert = Alert.objects.filter(pk=alert_id, snoozed_until__lte=now).locked().first()
    if alert is None:  # another run did it, or a person resolved or snoozed it
        return False
    wake(alert, actor=_CLOCK, note="The snooze is over.", now=now)
    notify(alert, now=now)
    return True


def wake(alert: Alert, *, actor: Actor, note: str, now: datetime) -> None:
    """End the snooze of an alert that the caller has locked."""
    before = state(alert)
    clear(alert, *SNOOZE_FIELDS)
    alert.save(update_fields=SNOOZE_FIELDS)
    record(alert, Action.ALERT_END_SNOOZE, before, actor=actor, note=note, now=now)
