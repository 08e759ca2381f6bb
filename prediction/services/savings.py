"""Keep what could have been saved, and what people say about it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from common.refusal import Refusal
from keys.reasons import check_reason
from keys.refusals import WrongValue
from prediction.audit_actions import Action
from prediction.models import Saving, SavingKind
from prediction.savings.intervals import Interval
from prediction.savings.portions import Spent
from security import audit
from security.actor import Actor

# The figures are of a month, so what was followed may be found until it is over.
_FOUND_AGAIN = timedelta(days=31)
_JOB = Actor.job("savings")
_FIGURES = (
    *("cost_centre", "advice", "words", "evidence", "spent"),
    *("amount", "amount_low", "amount_high"),
)


@dataclass(kw_only=True, eq=False)
class SavingClosed(Refusal):
    """The saving is not open any more."""

    status: str

    def sentence(self) -> str:
        return f"This saving is {self.status}. Only an open one can be followed or dismissed."


class FoundSaving(NamedTuple):
    """What the figures of the last 30 days say: see the fields of `Saving`."""

    kind: SavingKind
    subject: str
    advice: Saving.Advice
    amount: Interval
    words: str
    detail: str = ""
    cost_centre: str = ""
    evidence: dict[str, Any] = {}
    spent: Spent = {}


@transaction.atomic(durable=True)
def keep_savings(
    found: Iterable[FoundSaving], *, kinds: Collection[SavingKind], now: datetime
) -> int:
    """Keep what was found of these kinds; what was open and is not found any more is gone.

    Returns how many are open that were not. Repeating the call changes nothing.
    """
    # Two jobs at the same time keep one after the other.
    Saving.objects.bulk_create(
        [_row(each, now) for each in found_once(found)],
        update_conflicts=True,
        unique_fields=["kind", "subject", "detail"],
        update_fields=[*_FIGURES, "seen_at"],
    )
    rows = Saving.objects.filter(kind__in=kinds).order_by("pk").select_for_update(no_key=True)
    opened = 0
    for row in rows:
        if row.seen_at == now:
            opened += row.found_at == now or _open_again(row, now)
        elif row.status == Saving.Status.OPEN:
            _close(row, Saving.Status.GONE, by=_JOB, reason="", now=now)
    return opened


def found_once(found: Iterable[FoundSaving]) -> list[FoundSaving]:
    """Each with its own subject and detail: the last one counts."""
    return list({(each.kind, each.subject, each.detail): each for each in found}.values())


def _row(each: FoundSaving, now: datetime) -> Saving:
    low, amount, high = (Decimal(f"{end:.9f}") for end in each.amount)
    return Saving(
        kind=each.kind,
        subject=each.subject,
        detail=each.detail,
        cost_centre=each.cost_centre,
        advice=each.advice,
        words=each.words,
        evidence=each.evidence,
        spent=dict(each.spent),
        amount=amount,
        amount_low=low,
        amount_high=high,
        found_at=now,
        seen_at=now,
    )


def _open_again(row: Saving, now: datetime) -> bool:
    is_over = row.closed_at is not None and row.closed_at < now - _FOUND_AGAIN
    if row.status == Saving.Status.GONE or row.status == Saving.Status.DONE and is_over:
        _open(row)
        return True
    return False


@transaction.atomic(durable=True)
def dismiss_saving(pk: int, *, reason: str, actor: Actor, now: datetime) -> tuple[Saving, bool]:
    """Do not tell of it again; returns the row and whether this call did it. Refusals: WrongValue,
    SavingClosed."""
    check_reason(reason)
    row = lock_saving(pk)
    if row.status == Saving.Status.DISMISSED:
        return row, False
    if row.status == Saving.Status.DONE:
        raise SavingClosed(status=row.status)
    _say(row, Saving.Status.DISMISSED, Action.SAVING_DISMISS, reason=reason, actor=actor, now=now)
    return row, True


@transaction.atomic(durable=True)
def tell_saving_again(pk: int, *, reason: str, actor: Actor, now: datetime) -> tuple[Saving, bool]:
    """Tell again of what was dismissed; returns the row and whether this call did it. Refusals:
    WrongValue."""
    check_reason(reason)
    row = lock_saving(pk)
    if row.status != Saving.Status.DISMISSED:
        return row, False
    _record(row, Action.SAVING_TELL_AGAIN, after="open", reason=reason, actor=actor, now=now)
    _open(row)
    return row, True


def follow_saving(row: Saving, *, reason: str, actor: Actor, now: datetime) -> None:
    """A locked saving was followed, in the transaction of the service that did it. Refusals:
    WrongValue, SavingClosed."""
    check_reason(reason)
    if row.status != Saving.Status.OPEN:
        raise SavingClosed(status=row.status)
    _say(row, Saving.Status.DONE, Action.SAVING_FOLLOW, reason=reason, actor=actor, now=now)


def open_saving(pk: int) -> Saving:
    """The saving, which is open. Refusals: WrongValue, SavingClosed."""
    row = Saving.objects.filter(pk=pk).first()
    if row is None:
        raise _unknown()
    if row.status != Saving.Status.OPEN:
        raise SavingClosed(status=row.status)
    return row


def _unknown() -> WrongValue:
    return WrongValue("There is no such saving. Choose one of the list.", field="saving")


def lock_saving(pk: int) -> Saving:
    """The saving, locked until commit. Refusals: WrongValue."""
    row = Saving.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if row is None:
        raise _unknown()
    return row


def _say(
    row: Saving, status: Saving.Status, action: Action, *, reason: str, actor: Actor, now: datetime
) -> None:
    _record(row, action, after=status, reason=reason, actor=actor, now=now)
    _close(row, status, by=actor, reason=reason, now=now)


def _record(
    row: Saving, action: Action, *, after: str, reason: str, actor: Actor, now: datetime
) -> None:
    about = {"kind": row.kind, "detail": row.detail}
    audit.record(
        actor=actor,
        action=action,
        subject=row.subject,
        before={**about, "status": row.status},
        after={**about, "status": str(after)},
        reason=reason,
        at=now,
    )


def _close(row: Saving, status: str, *, by: Actor, reason: str, now: datetime) -> None:
    row.status, row.closed_at, row.closed_by, row.reason = status, now, str(by), reason
    row.save(update_fields=["status", "closed_at", "closed_by", "reason"])


def _open(row: Saving) -> None:
    row.status, row.closed_at, row.closed_by, row.reason = Saving.Status.OPEN, None, "", ""
    row.save(update_fields=["status", "closed_at", "closed_by", "reason"])
