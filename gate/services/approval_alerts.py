"""Tell people which approvals wait for them."""

from datetime import datetime

from django.db import transaction

from alerts import services as alerts
from alerts.models import Alert
from gate.alert_kinds import APPROVAL_WAITING
from security.actor import Actor
from security.models import Approval

_ACTOR = Actor.job("approvals")


def alert_of_approvals(*, now: datetime) -> None:
    """Raise an alert for each approval that waits, and resolve those of the others.

    A second call changes nothing.
    """
    standing = set(
        Alert.objects.unresolved()
        .filter(kind=APPROVAL_WAITING.slug)
        .values_list("dedup_key", flat=True)
    )
    waiting = {_dedup_key(each): each for each in Approval.objects.waiting()}
    for dedup_key in waiting.keys() - standing:
        _raise(waiting[dedup_key], now=now)
    for dedup_key in standing - waiting.keys():
        alerts.resolve_by_key(dedup_key, actor=_ACTOR, note="no longer waiting", now=now)


def _dedup_key(approval: Approval) -> str:
    return f"{APPROVAL_WAITING.slug}:{approval.pk}"


@transaction.atomic
def _raise(approval: Approval, *, now: datetime) -> None:
    kind = approval.kind.replace("_", " ")
    alerts.raise_alert(
        kind=APPROVAL_WAITING,
        dedup_key=_dedup_key(approval),
        title=f"{approval.asked_by} asks for an approval: {kind} of {approval.subject}",
        detail=f"{approval.effect}\nReason: {approval.reason}",
        facts={"approval_id": approval.pk, "expires_at": approval.expires_at},
        now=now,
    )
