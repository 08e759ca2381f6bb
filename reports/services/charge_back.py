"""Charge-back: change how shared costs are split and marked up, and freeze it with a month."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from keys.models import CostCentre
from keys.reasons import check_reason
from reports.audit_actions import Action
from reports.cost_split import BUCKET, mark_up, received, unallocated
from reports.models import (
    CloseMarkUp,
    CloseShare,
    CostShare,
    CostShareTarget,
    MarkUp,
    MonthClose,
    StatementNote,
)
from reports.queries.charge_back import centre_costs, split_of
from reports.refusals import MonthNotLocked, SharesInvalid
from security import audit
from security.actor import Actor

_ALL = Decimal(100)
_Percents = Mapping[str, Decimal | None]


@transaction.atomic(durable=True)
def share_costs(  # noqa: PLR0913 - a rule has three parts
    *,
    source: str | None,
    method: str,
    targets: _Percents,
    actor: Actor,
    reason: str,
    now: datetime,
) -> CostShare:
    """Split the costs of a cost centre, or of the unallocated bucket (None), from the next close.

    `targets`: the cost centres that take a part, each with its percent if the method is `fixed`. It
    replaces the rule that the source has. Refusals: WrongValue, SharesInvalid.
    """
    check_reason(reason)
    _check(method, targets)
    share, is_new = CostShare.objects.select_for_update().get_or_create(
        source_id=source, defaults={"method": method}
    )
    before = None if is_new else _words(share)
    share.method = method
    share.save()
    share.targets.all().delete()
    is_fixed = method == CostShare.Method.FIXED
    CostShareTarget.objects.bulk_create(
        CostShareTarget(share=share, cost_centre_id=name, percent=percent if is_fixed else None)
        for name, percent in targets.items()
    )
    change = {"before": before, "after": _words(share)}
    _record(Action.COST_SHARE_SET, _subject(source), change, reason=reason, actor=actor, now=now)
    return share


@transaction.atomic(durable=True)
def stop_sharing(share: CostShare, *, actor: Actor, reason: str, now: datetime) -> None:
    """Delete a rule: the source keeps its costs from the next close on. Refusals: WrongValue."""
    check_reason(reason)
    rows = CostShare.objects.select_for_update().filter(pk=share.pk)
    for row in rows:
        change = {"before": _words(row)}
        row.delete()
        subject = _subject(row.source_id)
        _record(Action.COST_SHARE_DELETE, subject, change, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def change_mark_up(
    centre: CostCentre, *, percent: Decimal, actor: Actor, reason: str, now: datetime
) -> None:
    """Add so many percent to what the cost centre pays from the next close on.

    Below zero it is a discount; 0 takes away what was there. Refusals: WrongValue.
    """
    check_reason(reason)
    CostCentre.objects.select_for_update(no_key=True).get(pk=centre.pk)
    earlier = MarkUp.objects.filter(cost_centre=centre)
    change = {"before": _percent(earlier.first()), "after": {"percent": f"{percent:f}"}}
    earlier.delete()
    if percent:
        MarkUp.objects.create(cost_centre=centre, percent=percent)
    subject = _subject(centre.pk)
    _record(Action.MARK_UP_CHANGE, subject, change, reason=reason, actor=actor, now=now)


@transaction.atomic(durable=True)
def write_note(
    close: MonthClose, *, cost_centre: str, text: str, actor: Actor, now: datetime
) -> StatementNote:
    """Write or replace the note of a statement, until the month is signed.

    Refusals: MonthNotLocked.
    """
    close = MonthClose.objects.select_for_update(no_key=True).get(pk=close.pk)
    if close.status != MonthClose.Status.LOCKED:
        raise MonthNotLocked(month=close.slug)
    values = {"text": text, "written_by": str(actor), "written_at": now}
    note, _ = StatementNote.objects.update_or_create(
        close=close, cost_centre=cost_centre, defaults=values
    )
    audit.record(
        actor=actor,
        action=Action.STATEMENT_NOTE,
        subject=close.address,
        related=[_subject(cost_centre)],
        after={"note": text},
        at=now,
    )
    return note


def freeze_shares(close: MonthClose) -> Decimal:
    """Write what the rules of now do to the lines of a close that is open; what is unallocated."""
    shares = list(CostShare.objects.select_for_update().order_by("pk"))
    rules = CostShare.objects.filter(pk__in=[share.pk for share in shares])
    costs = centre_costs([close.pk]).get(close.pk, [])
    parts = split_of(costs, rules.prefetch_related("targets"))
    CloseShare.objects.bulk_create(CloseShare(close=close, **part._asdict()) for part in parts)
    own = {row["cost_centre"]: row["usage"] + row["corrections"] for row in costs}
    for rule in MarkUp.objects.all():
        name = rule.cost_centre_id
        cost = own.get(name, Decimal(0)) + received(parts, name)
        if amount := mark_up(cost, rule.percent):
            CloseMarkUp.objects.create(
                close=close, cost_centre=name, percent=rule.percent, cost=cost, amount=amount
            )
    return unallocated(parts)


def _check(method: str, targets: _Percents) -> None:
    """Refuse shares that are no parts of a whole."""
    if method != CostShare.Method.FIXED:
        return
    percents = [percent for percent in targets.values() if percent is not None]
    if len(percents) < len(targets):
        raise SharesInvalid(lacks="Give the percent of each cost centre, such as research 60.")
    if any(percent <= 0 for percent in percents) or sum(percents) > _ALL:
        raise SharesInvalid(lacks="Use shares above 0 that add up to 100 at most.")


def _words(share: CostShare) -> dict[str, Any]:
    names = [str(each) for each in share.targets.all()]
    return {"method": share.method, "targets": ", ".join(names) or BUCKET}


def _percent(rule: MarkUp | None) -> dict[str, str] | None:
    return {"percent": f"{rule.percent:f}"} if rule else None


def _subject(source: str | None) -> str:
    return f"centre:{source}" if source else "unallocated"


def _record(  # noqa: PLR0913 - an audit entry has so many
    action: Action,
    subject: str,
    change: Mapping[str, Any],
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    audit.record(actor=actor, action=action, subject=subject, reason=reason, at=now, **change)
