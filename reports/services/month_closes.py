"""Close a month: lock its figures, sign them by two persons, reopen it by an approval."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum

from common.statements import fetch_unprepared
from keys.identity.queries.organisation import organisation
from keys.limits.services.windows import take_books_alone
from keys.reasons import check_reason
from reports import sql
from reports.audit_actions import Action
from reports.models import CLOSED_MEASURES, CloseLine, MonthClose
from reports.month_periods import fiscal_year_began
from reports.queries.month_closes import (
    ChecklistItem,
    checklist,
    last_close,
    period_to_close,
    unallocated_item,
)
from reports.refusals import (
    ChecklistUnmet,
    MonthNotLocked,
    MonthNotReopenable,
    SecondSignerNeeded,
    SignerUnknown,
)
from reports.services.charge_back import freeze_shares
from security import approvals, audit, persons
from security import services as security
from security.actor import Actor
from security.approvals import ApprovalKind
from security.models import Approval
from security.refusals import ApprovalOutdated

_STATUS = MonthClose.Status


def lock_month(
    *, month: date, waivers: Mapping[str, str], actor: Actor, now: datetime
) -> MonthClose:
    """Freeze the figures of a month, with what earlier closed months have changed by since.

    `month` is its first day, `waivers` the reason for each item of the checklist that is broken on
    purpose, by its name. Refusals: ChecklistUnmet.
    """
    _wait_for_settlements()
    return _lock_month(month, waivers, actor=actor, now=now)


@transaction.atomic(durable=True)
def _wait_for_settlements() -> None:
    """Return when the transactions that may have settled in the month have ended."""
    take_books_alone()


@transaction.atomic(durable=True)
def _lock_month(
    month: date, waivers: Mapping[str, str], *, actor: Actor, now: datetime
) -> MonthClose:
    _close_one_at_a_time()
    settings = organisation()
    period = period_to_close(month, settings)
    items = checklist(period, settings, now=now)
    if broken := [item for item in items if not (item.is_met or _is_waived(item, waivers))]:
        raise ChecklistUnmet(month=period.slug, items=[item.name for item in broken])
    close = MonthClose(
        **period._asdict(),
        fiscal_year_began=fiscal_year_began(month, settings.fiscal_year_starts),
        checklist=[],
        locked_by=str(actor),
        locked_at=now,
    )
    close.save(force_insert=True)
    _freeze_lines(close)
    close.unallocated = freeze_shares(close)
    items = [*items, unallocated_item(close.unallocated)]
    _lock(close, items, waivers)
    _record(close, Action.MONTH_LOCK, reason=_waived(items, waivers), actor=actor, now=now)
    return close


def _lock(close: MonthClose, items: list[ChecklistItem], waivers: Mapping[str, str]) -> None:
    """Freeze the row with the sums of its lines, unless something is unallocated for no reason."""
    bucket = items[-1]
    if not bucket.is_met and not _is_waived(bucket, waivers):
        raise ChecklistUnmet(month=close.slug, items=[bucket.name])
    close.checklist = [_as_json(item, waivers) for item in items]
    close.unallocated_reason = close.checklist[-1]["waiver"]
    close.status = _STATUS.LOCKED
    sums = {name: Sum(name, default=0) for name in CLOSED_MEASURES}
    figures = CloseLine.objects.filter(close=close).aggregate(**sums)
    for name, figure in figures.items():
        setattr(close, name, figure)
    close.save(
        update_fields=[
            *figures,
            *("checklist", "unallocated", "unallocated_reason", "status"),
        ]
    )


def _close_one_at_a_time() -> None:
    """Until the end of the transaction, no other close is written: each builds on the last one."""
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE reports_monthclose IN SHARE ROW EXCLUSIVE MODE")


def _is_waived(item: ChecklistItem, waivers: Mapping[str, str]) -> bool:
    return item.can_be_waived and bool(waivers.get(item.name, "").strip())


def _as_json(item: ChecklistItem, waivers: Mapping[str, str]) -> dict[str, Any]:
    waiver = "" if item.is_met else waivers.get(item.name, "").strip()[:300]
    return {**item._asdict(), "waiver": waiver}


def _waived(items: Iterable[ChecklistItem], waivers: Mapping[str, str]) -> str:
    """The reasons of the waivers, for the audit."""
    return "; ".join(
        f"{item.name}: {waivers[item.name].strip()[:300]}" for item in items if not item.is_met
    )


def _freeze_lines(close: MonthClose) -> None:
    """Write the lines: those of the month, and corrections of each month closed before."""
    for each in MonthClose.objects.standing().order_by("month"):
        fetch_unprepared(
            sql.FREEZE,
            close=close.pk,
            month=each.pk,
            since=each.starts_at,
            until=each.ends_at,
            zone=each.zone,
        )
    close.refresh_from_db()


@transaction.atomic(durable=True)
def sign_month(close: MonthClose, *, actor: Actor, now: datetime) -> MonthClose:
    """Sign a locked month; the second signature, by another person, makes it signed.

    Refusals: MonthNotLocked, SecondSignerNeeded, SignerUnknown.
    """
    close = MonthClose.objects.select_for_update(no_key=True).get(pk=close.pk)
    if close.status != _STATUS.LOCKED:
        raise MonthNotLocked(month=close.slug)
    if persons.user_of(actor) is None:
        raise SignerUnknown()
    signer = persons.identities(actor)
    if {*signer} & {*close.first_signed_persons}:
        raise SecondSignerNeeded(month=close.slug)
    if close.first_signed_at is None:
        close.first_signed_by, close.first_signed_at = str(actor), now
        close.first_signed_persons = signer
    else:
        close.second_signed_by, close.second_signed_at = str(actor), now
        close.second_signed_persons = signer
        close.status = _STATUS.SIGNED
    close.save()
    _record(close, Action.MONTH_SIGN, reason="", actor=actor, now=now)
    return close


@transaction.atomic(durable=True)
def ask_reopening(close: MonthClose, *, reason: str, actor: Actor, now: datetime) -> Approval:
    """Ask that the latest closed month is opened again, which another person decides.

    Refusals: WrongValue, MonthNotReopenable.
    """
    check_reason(reason)
    close = MonthClose.objects.select_for_update(no_key=True).get(pk=close.pk)
    _check_reopenable(close)
    approval, _ = security.ask_approval(
        kind=REOPENING,
        subject=close.address,
        change={"close": close.pk},
        effect=f"{close.name}, closed with ${close.cost:,.9f}, is open again: its pages show the "
        "present figures until it is locked and signed again.",
        reason=reason,
        actor=actor,
        now=now,
    )
    return approval


def _check_reopenable(close: MonthClose) -> None:
    """Refuse if the close does not count, or a later one builds on it."""
    last = last_close()
    if last is None or last.pk != close.pk:
        raise MonthNotReopenable(month=close.slug, latest=last.slug if last else "")


def _reopen(approval: Approval, /, *, actor: Actor, now: datetime) -> None:
    _close_one_at_a_time()
    close = MonthClose.objects.select_for_update(no_key=True).get(pk=approval.change["close"])
    try:
        _check_reopenable(close)
    except MonthNotReopenable as refusal:
        raise ApprovalOutdated(refusal.detail) from None
    close.status, close.reopening, close.reopened_at = _STATUS.REOPENED, approval, now
    close.save()
    _record(close, Action.MONTH_REOPEN, reason=approval.reason, actor=actor, now=now)


REOPENING = approvals.register(
    ApprovalKind(
        slug="month_reopening",
        meaning="A person wants to open a closed month again.",
        permission="reports.reopen_monthclose",
        apply=_reopen,
    )
)


def _record(close: MonthClose, action: Action, *, reason: str, actor: Actor, now: datetime) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject=close.address,
        after={
            "status": close.status,
            "cost": f"{close.cost:f}",
            "tokens": close.tokens,
            "calls": close.calls,
        },
        reason=reason,
        at=now,
    )
