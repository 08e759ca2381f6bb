"""Tell people which approvals wait for them."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from alerts import services as alerts
from alerts.kinds import AlertKind
from alerts.models import Alert
from gate.alert_kinds import APPROVAL_OVERDUE, APPROVAL_WAITING
from security.actor import Actor
from security.models import Approval

_ACTOR = Actor.job("approvals")
_KINDS = (APPROVAL_WAITING.slug, APPROVAL_OVERDUE.slug)


def alert_of_approvals(*, now: datetime) -> None:
    """Raise an alert for each approval that waits, a critical one in its place if it waits for
    long, and resolve those of the others.

    Each is raised once: a second call changes nothing, also if a person has resolved it since.
    """
    waiting = {_dedup_key(each): each for each in Approval.objects.waiting()}
    raised = set(Alert.objects.filter(dedup_key__in=waiting).values_list("kind", "dedup_key"))
    for dedup_key, approval in waiting.items():
        kind = _kind_of(approval, now)
        if (kind.slug, dedup_key) not in raised:
            _raise(kind, approval, now=now)
    standing = Alert.objects.unresolved().filter(kind__in=_KINDS)
    for dedup_key in {*standing.values_list("dedup_key", flat=True)} - waiting.keys():
        alerts.resolve_by_key(dedup_key, actor=_ACTOR, note="no longer waiting", now=now)


def _kind_of(approval: Approval, now: datetime) -> AlertKind:
    escalates_at = approval.asked_at + timedelta(hours=settings.APPROVAL_ESCALATES_HOURS)
    return APPROVAL_OVERDUE if escalates_at <= now else APPROVAL_WAITING


def _dedup_key(approval: Approval) -> str:
    # One for both kinds: the critical one takes the place of the other.
    return f"{APPROVAL_WAITING.slug}:{approval.pk}"


@transaction.atomic
def _raise(kind: AlertKind, approval: Approval, *, now: datetime) -> None:
    what = approval.kind.replace("_", " ")
    since = f" since {approval.asked_at:%Y-%m-%d %H:%M} UTC" if kind is APPROVAL_OVERDUE else ""
    alerts.raise_alert(
        kind=kind,
        dedup_key=_dedup_key(approval),
        title=f"{approval.asked_by} asks for an approval{since}: {what} of {approval.subject}",
        detail=f"{approval.effect}\nReason: {approval.reason}",
        facts={"approval_id": approval.pk, "expires_at": approval.expires_at},
        now=now,
    )
