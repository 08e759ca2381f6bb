"""Close a period of the ledger."""

from datetime import date, datetime

from django.db import connection, transaction

from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import ClosedPeriod
from treasury.models.transfer_triggers import LEDGER_LOCK
from treasury.refusals import PeriodClosed, WrongTransfer


@transaction.atomic(durable=True)
def close_period(through: date, *, reason: str, actor: Actor, now: datetime) -> ClosedPeriod:
    """Close the ledger through a day: no transfer is effective on or before it from now on.

    Waits for the transfers that are being recorded. Refusals: PeriodClosed when the day is closed
    already; WrongTransfer without a reason.
    """
    if not reason.strip():
        raise WrongTransfer("Say why the period is closed.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LEDGER_LOCK])
    last = ClosedPeriod.objects.first()
    if last and through <= last.through:
        raise PeriodClosed(through=last.through)
    closed = ClosedPeriod.objects.create(
        through=through, closed_by=str(actor), reason=reason, closed_at=now
    )
    audit.record(
        actor=actor,
        action=Action.PERIOD_CLOSE,
        subject="ledger",
        before={"through": last and last.through},
        after={"through": through},
        reason=reason,
        at=now,
    )
    return closed
