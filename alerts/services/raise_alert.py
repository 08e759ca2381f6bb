"""Raise an alert: one row and one set of notifications, however many raise it at once."""

import json

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from alerts.models import Alert, Channel
from alerts.services.enqueue import queue_notification

# The conflict target is the index of the constraint `alert_one_unresolved_per_dedup_key`.
_INSERT = """
INSERT INTO alerts_alert (kind, severity, dedup_key, title, detail, facts,
                          key_id, agent_id, session_id, raised_at)
VALUES (%s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s)
ON CONFLICT (dedup_key) WHERE resolved_at IS NULL DO NOTHING
RETURNING id
"""


def raise_alert(  # noqa: PLR0913  (an alert has this many sides, each by name)
    *,
    kind,
    severity,
    dedup_key,
    title,
    detail="",
    facts=None,
    key_id=None,
    agent_id=None,
    session_id=None,
    now,
) -> tuple[Alert, bool]:
    """Raise an alert unless one with this `dedup_key` stands; return it and whether it is new.

    Joins the caller's transaction: alert, notifications and queue entries appear with its commit
    or not at all. No refusals, no network. When the alert stands already (the usual case) this is
    one read. Of transactions that raise the same new alert at once, the later wait for the
    first to commit, so call it late in a transaction. Texts and `facts` must hold no secret.
    """
    columns = (kind, severity, dedup_key, title[:255], detail, _json(facts))
    subjects = (key_id, agent_id, session_id)
    while True:  # ends: every round somebody raised or resolved this alert
        if standing := Alert.objects.unresolved().filter(dedup_key=dedup_key).first():
            return standing, False
        with transaction.atomic():
            if alert := _inserted(*columns, *subjects, now):
                _notify(alert, now=now)
                return alert, True


def _inserted(*values) -> Alert | None:
    with connection.cursor() as cursor:
        row = cursor.execute(_INSERT, values).fetchone()
    return Alert.objects.get(pk=row[0]) if row else None


def _notify(alert, *, now):
    for channel in Channel.objects.enabled().at_severity(alert.severity):
        if channel.wants_kind(alert.kind):
            queue_notification(channel=channel, alert=alert, now=now)


def _json(facts) -> str:
    return json.dumps(facts or {}, cls=DjangoJSONEncoder)
