"""What people expect, and which kinds freeze by themselves."""

from datetime import datetime

from django.db import transaction

from keys.reasons import check_reason
from keys.refusals import WrongValue
from prediction.audit_actions import Action
from prediction.models import Anomaly, AnomalyFreeze, AnomalyKind, ExpectedAnomaly
from prediction.services.watch_anomalies import end
from security import audit
from security.actor import Actor


@transaction.atomic(durable=True)
def expect_anomaly(
    incident: int, *, reason: str, actor: Actor, now: datetime
) -> tuple[ExpectedAnomaly, bool]:
    """Expect the kind of an incident from its subject: it ends, and is not told again. Returns the
    row, and whether it is new. Refusals: WrongValue."""
    check_reason(reason)
    found = Anomaly.objects.select_for_update(no_key=True).filter(pk=incident).first()
    if found is None:
        raise WrongValue("There is no such anomaly. Choose one of the list.", field="anomaly")
    row, is_new = ExpectedAnomaly.objects.get_or_create(
        kind=found.kind,
        subject=found.subject,
        defaults={
            "cost_centre": found.cost_centre,
            "reason": reason,
            "expected_by": str(actor),
            "expected_at": now,
        },
    )
    if found.ended_at is None:
        end(found, actor=actor, note=f"It is expected: {reason}", now=now)
    if is_new:
        _record(Action.ANOMALY_EXPECT, row, actor=actor, reason=reason, now=now)
    return row, is_new


@transaction.atomic(durable=True)
def tell_again(expected: int, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Tell of what was expected again; returns whether this call did it. Refusals: WrongValue."""
    check_reason(reason)
    row = ExpectedAnomaly.objects.select_for_update().filter(pk=expected).first()
    if row is None:
        return False
    _record(Action.ANOMALY_TELL_AGAIN, row, actor=actor, reason=reason, now=now)
    row.delete()
    return True


@transaction.atomic(durable=True)
def set_anomaly_freeze(
    kind: str, *, freezes: str, reason: str, actor: Actor, now: datetime
) -> None:
    """Freeze the agent or the key at each new incident of a kind (`yes`), or leave it to people
    (`no`). Setting the same again changes nothing. Refusals: WrongValue."""
    check_reason(reason)
    if kind not in AnomalyKind.values or freezes not in ("yes", "no"):
        raise WrongValue("Choose a kind of anomalies, and yes or no.", field="kind")
    before = AnomalyFreeze.objects.select_for_update().filter(pk=kind).exists()
    after = freezes == "yes"
    if before == after:
        return
    if after:
        AnomalyFreeze.objects.get_or_create(pk=kind)
    else:
        AnomalyFreeze.objects.filter(pk=kind).delete()
    audit.record(
        actor=actor,
        action=Action.ANOMALY_FREEZE_SET,
        subject=f"anomaly_freeze:{kind}",
        before={"freezes": before},
        after={"freezes": after},
        reason=reason,
        at=now,
    )


def _record(
    action: Action, row: ExpectedAnomaly, *, actor: Actor, reason: str, now: datetime
) -> None:
    is_expected = action == Action.ANOMALY_EXPECT
    audit.record(
        actor=actor,
        action=action,
        subject=row.subject,
        before={"expected": not is_expected, "kind": row.kind},
        after={"expected": is_expected, "kind": row.kind},
        reason=reason,
        at=now,
    )
