"""Soft thresholds: alerts when a budget has used so much, each once in a window."""

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction

from alerts import services as alerts
from common import formatting
from common.statements import fetch
from keys import alert_kinds
from keys.audit_actions import Action
from keys.identity.queries.organisation import organisation
from keys.limits import sql
from keys.limits.sql import thresholds as statements
from keys.limits.sql.thresholds import Crossed, Rearmed
from keys.models import Limit, Unit
from keys.reasons import check_reason
from keys.refusals import WrongValue
from security import audit
from security.actor import Actor

THRESHOLDS_MAX = 20
PERCENT_MAX = 1000
_AMOUNT_MAX = Decimal(10) ** 14
_BOOKS = Actor.job("books")


def raise_crossed(windows: Collection[int], *, at: datetime) -> int:
    """Raise an alert for each threshold that these windows have reached; returns how many.

    Joins the caller's transaction. The windows are locked until its end, so of transactions that
    settle at once, one raises the alert.
    """
    crossed = fetch(
        statements.CROSS,
        windows=list(windows),
        percents=organisation().budget_threshold_percents,
        at=at,
    )
    for row in crossed:
        _raise(row, at=at)
    return len(crossed)


def arm(windows: Collection[int], *, at: datetime) -> None:
    """Find out which threshold comes next in these windows, which are new or have other amounts.

    What a raised limit has put above the usage again can be reached again; its alert is resolved.
    Joins the caller's transaction.
    """
    percents = organisation().budget_threshold_percents
    _resolve(
        fetch(statements.ARM, windows=list(windows), percents=percents, at=at),
        note="The limit was raised above what is used.",
        at=at,
    )


def arm_all(percents: list[int], *, at: datetime) -> None:
    """The same for all windows of budgets with the percentages of the organisation.

    Joins the caller's transaction.
    """
    fetch(sql.TAKE_BOOKS, books_lock=sql.BOOKS_LOCK)
    rearmed = fetch(statements.ARM_ALL, percents=percents, at=at)
    _resolve(rearmed, note="The thresholds were changed.", at=at)


@transaction.atomic(durable=True)
def watch_thresholds(*, now: datetime) -> int:
    """Tell of thresholds that are reached and that no settlement told of; returns how many.

    Alerts about windows that have closed are resolved.
    """
    ended = fetch(statements.END_CROSSINGS, at=now)
    _resolve(ended, note="The period of the budget has ended.", at=now)
    reached = [row.window_id for row in fetch(statements.REACHED)]
    return raise_crossed(reached, at=now) if reached else 0


@transaction.atomic(durable=True)
def set_thresholds(
    limit: Limit,
    *,
    percents: Iterable[int] | None,
    amounts: Iterable[Decimal],
    reason: str,
    actor: Actor,
    now: datetime,
) -> Limit:
    """Set at which percentages of a budget and at which amounts of usage an alert is raised.

    None: the percentages of the organisation. What is reached already is told within a minute.
    Refusals: WrongValue, also for a limit that was removed or is of an API key.
    """
    check_reason(reason)
    chosen = None if percents is None else _percents(percents)
    sums = _amounts(amounts, unit=limit.unit)
    # Nothing settles in a window while it is counted what comes next.
    fetch(sql.TAKE_BOOKS, books_lock=sql.BOOKS_LOCK)
    row = Limit.objects.filter(pk=limit.pk, removed_at=None, api_key=None).first()
    if row is None:
        raise WrongValue("The limit was removed, or is of an API key.", field="limit")
    before = _state(row)
    row.threshold_percents, row.threshold_amounts = chosen, sums
    if _state(row) == before:
        return row
    row.save(update_fields=["threshold_percents", "threshold_amounts"])
    arm(list(row.windows.filter(closed_at=None).values_list("pk", flat=True)), at=now)
    audit.record(
        actor=actor,
        action=Action.LIMIT_SET_THRESHOLDS,
        subject=row.scope,
        before=before,
        after=_state(row),
        reason=reason,
        at=now,
    )
    return row


def _percents(given: Iterable[int]) -> list[int]:
    chosen = sorted(set(given))
    if len(chosen) > THRESHOLDS_MAX or any(not 1 <= each <= PERCENT_MAX for each in chosen):
        raise WrongValue(
            f"Use at most {THRESHOLDS_MAX} percentages from 1 to {PERCENT_MAX:,}.",
            field="percents",
        )
    return chosen


def _amounts(given: Iterable[Decimal], *, unit: str) -> list[Decimal]:
    chosen = sorted(set(given))
    places = 9 if unit == Unit.USD else 0
    if len(chosen) > THRESHOLDS_MAX or not all(_is_amount(each, places) for each in chosen):
        raise WrongValue(
            f"Use at most {THRESHOLDS_MAX} amounts above zero, in whole tokens or in USD with up "
            "to 9 decimal places.",
            field="amounts",
        )
    return chosen


def _is_amount(amount: Decimal, places: int) -> bool:
    try:
        return amount.is_finite() and 0 < amount <= _AMOUNT_MAX and amount == round(amount, places)
    except InvalidOperation:
        return False


def _state(limit: Limit) -> dict[str, object]:
    own = limit.threshold_percents
    return {
        "limit": str(limit),
        "percents": "of the organisation" if own is None else own,
        "amounts": [format(each.normalize(), "f") for each in limit.threshold_amounts],
    }


def _key(window_id: int, threshold: str) -> str:
    return f"budget_threshold:{window_id}:{threshold}"


def _resolve(rows: Iterable[Rearmed], *, note: str, at: datetime) -> None:
    for row in rows:
        key = _key(row.window_id, row.threshold)
        alerts.resolve_by_key(key, actor=_BOOKS, note=note, now=at)


def _raise(row: Crossed, *, at: datetime) -> None:
    kind, _, name = row.scope.partition(":")
    is_agent = kind == "agent"
    about = alert_kinds.AGENT_BUDGET_THRESHOLD if is_agent else alert_kinds.BUDGET_THRESHOLD
    used, figure, amount = (
        formatting.quantity(each, unit=row.unit) for each in (row.used, row.figure, row.amount)
    )
    period = "in total" if row.period == "total" else f"this {row.period}"
    of = "tokens" if row.unit == Unit.TOKENS else "USD"
    reached = row.threshold if row.threshold.endswith("%") else f"{figure} of {amount}"
    alerts.raise_alert(
        kind=about,
        dedup_key=_key(row.window_id, row.threshold),
        title=f"{name} has reached {reached} of its {of} {period}",
        detail=f"{used} of {amount} are used {period}. The alert was set at {figure}. Grants are "
        "not counted in the amount.",
        facts={
            "scope": row.scope,
            "threshold": row.threshold,
            "unit": row.unit,
            "period": row.period,
            "used": f"{row.used.normalize():f}",
            "amount": f"{row.amount.normalize():f}",
            **({} if is_agent else {"cost_centre": name}),
        },
        agent_id=name if is_agent else None,
        now=at,
    )
