"""Retention of charges: for how many months single charges are kept, and their deletion.

Sums of usage, limits, allocations, adjustments, closed months and the audit stay for ever.
"""

from datetime import UTC, datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Q

from alerts import services as alerts
from common import formatting
from keys.alert_kinds import CHARGES_NOT_DELETED
from keys.audit_actions import Action
from keys.books.queries.retention_guards import reasons_to_keep
from keys.books.services.partition_charges import LOCK_TIMEOUT, composed
from keys.books.sql import partitions
from keys.identity.queries.organisation import organisation
from keys.identity.services.organisation import write_organisation
from keys.models import CHARGES_KEPT_MONTHS_MIN, ChargePartition, Organisation
from keys.reasons import check_reason
from keys.refusals import WrongValue
from security import approvals, audit
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated

_ACTOR = Actor.job("retention of charges")


@transaction.atomic(durable=True)
def propose_retention(
    *, months: int | None, reason: str, actor: Actor, now: datetime
) -> Approval | None:
    """Keep single charges for `months` after their settlement; None: for ever.

    To keep them for less long deletes some, so another person must approve it. Returns the
    approval, or None if charges are kept for longer from now on. Refusals: WrongValue.
    """
    check_reason(reason)
    if months is not None and months < CHARGES_KEPT_MONTHS_MIN:
        raise WrongValue(
            f"Keep charges for {CHARGES_KEPT_MONTHS_MIN} months or more.", field="months"
        )
    before = organisation().charges_kept_months
    if months == before:
        raise WrongValue("Charges are already kept for so long.", field="months")
    if months is None or (before is not None and months > before):
        _set(months, reason=reason, actor=actor, now=now)
        return None
    approval, _ = security.ask_approval(
        kind=CHARGE_RETENTION,
        subject="organisation:1",
        change={"before": before, "after": months},
        effect=f"Now: {kept_for(before)}.\nThen: {kept_for(months)}. "
        + _effect(charges_due(months, now=now)),
        reason=reason,
        actor=actor,
        now=now,
    )
    return approval


def kept_for(months: int | None) -> str:
    """For how long charges are kept, in words."""
    if months is None:
        return "single charges are kept for ever"
    return f"single charges are kept for {months} months after the month of their settlement"


def _effect(due: list[ChargePartition]) -> str:
    if not due:
        return "No charge is old enough to be deleted at once."
    number = sum(partition.charges for partition in due)
    first, last = due[0], due[-1]
    return (
        f"At once, {number:,} charges of allocations from {first.month:%B %Y} to "
        f"{last.month:%B %Y} are deleted for good. Sums of usage and closed months stay."
    )


def _apply(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    if organisation().charges_kept_months != approval.change["before"]:
        raise ApprovalOutdated("The retention was changed since. Ask for the change again.")
    reason = f"asked for by {approval.asked_by}: {approval.reason}"
    _set(approval.change["after"], reason=reason, actor=actor, now=now)


CHARGE_RETENTION = approvals.register(
    ApprovalKind(
        slug="charge_retention",
        meaning="A person wants that single charges are kept for less long, so that old ones are "
        "deleted.",
        permission="security.decide_approval",
        apply=_apply,
    )
)


def _set(months: int | None, *, reason: str, actor: Actor, now: datetime) -> None:
    write_organisation({"charges_kept_months": months}, reason=reason, actor=actor, now=now)


def charges_due(months: int | None, *, now: datetime) -> list[ChargePartition]:
    """The complete months whose charges all settled long enough ago to be deleted, oldest first."""
    if months is None:
        return []
    since = kept_since(months, now=now)
    is_old = Q(settled_until__lt=since) | Q(settled_until=None, month__lt=since)
    complete = ChargePartition.objects.filter(completed_at__isnull=False, dropped_at=None)
    return list(complete.filter(is_old).order_by("month"))


def kept_since(months: int, *, now: datetime) -> datetime:
    """The moment from which settled charges are kept: a month's first, in UTC."""
    count = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1 - months
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)


def delete_old_charges(*, now: datetime) -> int:
    """Delete the charges of months that need not be kept any more; returns how many months.

    People are alerted of a month that is due and must be kept for another reason.
    """
    due = charges_due(organisation().charges_kept_months, now=now)
    kept = {partition: reasons for partition in due if (reasons := reasons_to_keep(partition))}
    _alert_of_kept(kept, now=now)
    return sum(_delete(partition, now=now) for partition in due if partition not in kept)


def _delete(partition: ChargePartition, *, now: datetime) -> bool:
    try:
        _drop(partition, now=now)
    except OperationalError:
        # Somebody reads the table for longer than we wait. Next time.
        return False
    return True


@transaction.atomic(durable=True)
def _drop(partition: ChargePartition, *, now: datetime) -> None:
    months = Organisation.objects.select_for_update(no_key=True).get().charges_kept_months
    partition = ChargePartition.objects.select_for_update(no_key=True).get(pk=partition.pk)
    # It may have been changed or done since it was looked at.
    if partition.pk not in {each.pk for each in charges_due(months, now=now)}:
        return
    with connection.cursor() as cursor:
        cursor.execute(LOCK_TIMEOUT)
        cursor.execute(composed(partitions.ROW_IDS, partition))
        (partition.row_ids,) = cursor.fetchone()
        cursor.execute(composed(partitions.DROP, partition))
    partition.dropped_at, partition.dropped_by = now, str(_ACTOR)
    partition.reason = f"{kept_for(months)}"
    partition.save()
    audit.record(
        actor=_ACTOR,
        action=Action.CHARGES_DELETE,
        subject=f"charges:{partition.month:%Y-%m}",
        before={
            "charges": partition.charges,
            "tokens": partition.tokens,
            "cost": f"{partition.cost:f}",
        },
        reason=partition.reason,
        at=now,
    )


def _alert_of_kept(kept: dict[ChargePartition, list[str]], *, now: datetime) -> None:
    if not kept:
        note = "Every month of charges that is due can be deleted."
        alerts.resolve_by_key(CHARGES_NOT_DELETED.slug, actor=_ACTOR, note=note, now=now)
        return
    facts: dict[str, Any] = {f"{each.month:%Y-%m}": reasons for each, reasons in kept.items()}
    facts["month"] = min(facts)
    alerts.raise_alert(
        kind=CHARGES_NOT_DELETED,
        dedup_key=CHARGES_NOT_DELETED.slug,
        title=f"Old charges of {formatting.count(len(kept), 'month')} cannot be deleted",
        detail="\n".join(f"{each}: {' '.join(reasons)}" for each, reasons in kept.items()),
        facts=facts,
        now=now,
    )
