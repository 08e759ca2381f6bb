"""Raise an alert: one row and one set of notifications, however many raise it at once."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from alerts.kinds import AlertKind
from alerts.models import Alert, Severity
from alerts.services.close import resolve_less_severe
from alerts.services.enqueue import notify
from common import live_notices
from common.statements import NoRow, Statement, fetch_unprepared


class _AlertId(NamedTuple):
    """The alert that was added, if none stood."""

    id: int


# The conflict target is the index of the constraint `alert_one_unresolved_per_dedup_key`.
_INSERT = Statement(
    """
    INSERT INTO alerts_alert (kind, severity, dedup_key, title, detail, facts,
                              key_id, agent_id, session_id, raised_at)
    VALUES (%(kind)s, %(severity)s, %(dedup_key)s, %(title)s, %(detail)s, %(facts)s::jsonb,
            %(key_id)s, %(agent_id)s, %(session_id)s, %(raised_at)s)
    ON CONFLICT (dedup_key) WHERE resolved_at IS NULL DO NOTHING
    RETURNING id
    """,
    _AlertId,
)


def raise_alert(  # noqa: PLR0913  (an alert has this many sides, each by name)
    *,
    kind: AlertKind,
    dedup_key: str,
    title: str,
    detail: str = "",
    facts: Mapping[str, Any] | None = None,
    key_id: str | None = None,
    agent_id: str | None = None,
    session_id: str | None = None,
    now: datetime,
) -> tuple[Alert, bool]:
    """Raise an alert unless one with this `dedup_key` is unresolved.

    Returns the new or the unresolved alert, and whether it is new. `kind` is a constant of
    an `alert_kinds` module; it decides the severity. Texts and `facts` must hold no secret. If the
    unresolved alert is less severe, this one takes its place.
    No refusals, no network. Joins the caller's transaction: alert, notifications and queue entries
    appear with its commit or not at all. If an unresolved alert exists (the usual case), this is
    one read. Of transactions that raise the same new alert at once, the later
    ones wait for the first to commit, so call it late in a transaction.
    """
    columns = {
        "kind": kind.slug,
        "severity": kind.severity,
        "dedup_key": dedup_key,
        "title": title[:255],
        "detail": detail,
        "facts": json.dumps(facts or {}, cls=DjangoJSONEncoder),
        "key_id": key_id,
        "agent_id": agent_id,
        "session_id": session_id,
        "raised_at": now,
    }
    while True:  # ends: in every round another transaction raised or resolved it
        if standing := Alert.objects.unresolved().filter(dedup_key=dedup_key).first():
            if Severity(kind.severity).is_above(standing.severity):
                resolve_less_severe(dedup_key, severity=kind.severity, note=title, now=now)
                continue
            return standing, False
        with transaction.atomic():
            for added in fetch_unprepared(_INSERT, **columns):
                alert = Alert.objects.get(pk=added.id)
                notify(alert, now=now)
                live_notices.announce()
                return alert, True


# The condition keeps the facts of an alert that is closed.
_COUNT = Statement(
    """
    UPDATE alerts_alert
       SET facts = facts || jsonb_build_object('times', coalesce((facts->>'times')::bigint, 1) + 1)
     WHERE id = %(alert)s AND resolved_at IS NULL
    """,
    NoRow,
)


def count_again(alert: Alert) -> None:
    """Count once more what an alert tells, in its `facts.times`, which it was raised with.

    Joins the caller's transaction. No refusals.
    """
    fetch_unprepared(_COUNT, alert=alert.pk)
