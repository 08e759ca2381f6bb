"""Compare the reports of a provider with the charges."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from django.db import connection, transaction

from common.bulk_copy import copy_rows
from security import audit
from security.actor import Actor
from treasury.audit_actions import Action
from treasury.models import Difference, DifferenceStatus, ReconciliationRun
from treasury.models.transfer_triggers import LEDGER_LOCK
from treasury.queries.reconciliation import metered, metered_calls, names, reported
from treasury.reconciliation.asked_calls import explain_by_calls
from treasury.reconciliation.differences import Difference as Found
from treasury.reconciliation.differences import Tolerance
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.matching import match
from treasury.refusals import NothingToReconcile
from treasury.services.difference_alerts import tell
from treasury.services.true_up import true_up_estimates

# Two comparisons would each write the differences that the other finds.
_LOCK = LEDGER_LOCK + 2
_DAYS_MAX = 92
_STATUS = DifferenceStatus
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Reconciled:
    """A run, how many differences are new in it, and how many estimates were trued up before."""

    run: ReconciliationRun
    new: int
    trued_up: int = 0


def reconcile(
    provider: str,
    *,
    since: date,
    until: date,
    tolerance: Tolerance = Tolerance(),  # noqa: B008 - frozen
    actor: Actor,
    now: datetime,
) -> Reconciled:
    """Compare the UTC days from `since` to `until`, and bring the worklist up to date.

    Charges that were settled on an estimate are trued up before, each in a transaction of its own.
    What was found before and is settled stays so; what is not found any more is gone. An alert
    tells of open differences. Refusals: NothingToReconcile.
    """
    trued_up = true_up_estimates(provider, since=since, until=until, actor=actor, now=now)
    compared = _compare(
        provider, since=since, until=until, tolerance=tolerance, actor=actor, now=now
    )
    return replace(compared, trued_up=trued_up)


@transaction.atomic(durable=True)
def _compare(
    provider: str,
    *,
    since: date,
    until: date,
    tolerance: Tolerance,
    actor: Actor,
    now: datetime,
) -> Reconciled:
    if not 0 <= (until - since).days < _DAYS_MAX:
        raise NothingToReconcile(f"Choose from 1 to {_DAYS_MAX} days, the first one first.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    told = reported(provider, since=since, until=until)
    if not any(line.amount is not None for line in told.lines):
        raise NothingToReconcile(
            f"No report of {provider} has costs of these days. Import one first."
        )
    own = metered(provider, since=since, until=until)
    has_ids = any(line.request_id for line in told.lines)
    calls = metered_calls(own, since=since, until=until) if has_ids or told.asked else []
    known = names(provider)
    found = match(own, told.lines, calls=calls, names=known, tolerance=tolerance)
    if told.asked:
        found = explain_by_calls(found, calls, told.asked, names=known, tolerance=tolerance)
    run = ReconciliationRun.objects.create(
        provider_id=provider,
        since=since,
        until=until,
        reports=told.reports,
        tolerance=tolerance.absolute,
        tolerance_share=tolerance.relative,
        own=sum((each.cost for each in own), _ZERO),
        theirs=_billed(told.lines),
        found=len(found),
        run_by=str(actor),
        run_at=now,
    )
    new = _bring_up_to_date(run, found, now=now)
    _record(run, actor=actor, now=now)
    tell(provider, actor=actor, now=now)
    return Reconciled(run, new)


def _billed(lines: Iterable[Line]) -> Decimal:
    kinds = (LineKind.COST, LineKind.TAX, LineKind.REFUND)
    amounts = (
        line.amount
        for line in lines
        if line.amount and line.currency == "USD" and line.kind in kinds
    )
    return sum(amounts, _ZERO)


def _bring_up_to_date(run: ReconciliationRun, found: list[Found], *, now: datetime) -> int:
    """Each of them has a day of the run, so what was found of others stays as it is."""
    by_print = {_fingerprint(each): each for each in found}
    known = _known(run)
    again = [row.id for print_, row in known.items() if print_ in by_print]
    back = [
        row.id for print_, row in known.items() if print_ in by_print and row.status == _STATUS.GONE
    ]
    gone = [
        row.id
        for print_, row in known.items()
        if print_ not in by_print and row.status == _STATUS.OPEN
    ]
    rows = Difference.objects
    rows.filter(pk__in=again).update(run=run)
    rows.filter(pk__in=back).update(status=_STATUS.OPEN)
    rows.filter(pk__in=gone).update(status=_STATUS.GONE)
    new = by_print.keys() - known
    values = [_values(run, print_, by_print[print_], now=now) for print_ in new]
    copy_rows(Difference, _COLUMNS, values)
    return len(new)


class _Known(NamedTuple):
    """A difference that was found before."""

    id: int
    status: str


def _known(run: ReconciliationRun) -> dict[bytes, _Known]:
    rows = Difference.objects.filter(
        provider=run.provider_id, day__gte=run.since, day__lte=run.until
    )
    values = rows.values_list("fingerprint", "id", "status")
    return {bytes(print_): _Known(row_id, status) for print_, row_id, status in values}


def _fingerprint(found: Found) -> bytes:
    told = [found.kind, *map(str, found.group), found.request_id, found.currency]
    told += [f"{found.own:f}", f"{found.theirs:f}", found.evidence]
    return sha256(json.dumps(told).encode()).digest()


_COLUMNS = (
    *("provider_id", "fingerprint", "run_id", "kind", "day", "api_key", "model", "their_key"),
    *("their_model", "own", "theirs", "currency", "evidence", "request_id", "charge_id", "status"),
    *("reason", "settled_by", "found_at", "asked_persons", "approved_persons"),
)


def _values(
    run: ReconciliationRun, fingerprint: bytes, found: Found, *, now: datetime
) -> tuple[Any, ...]:
    return (
        *(run.provider_id, fingerprint, run.pk, str(found.kind), *found.group, found.their_key),
        *(found.their_model, found.own, found.theirs, found.currency, found.evidence[:500]),
        *(found.request_id, found.charge_id, _STATUS.OPEN.value, "", "", now, [], []),
    )


def _record(run: ReconciliationRun, *, actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=Action.RECONCILE,
        subject=f"provider:{run.provider_id}",
        after={
            "since": run.since.isoformat(),
            "until": run.until.isoformat(),
            "reports": run.reports,
            "found": run.found,
        },
        at=now,
    )
