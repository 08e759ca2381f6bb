"""Closed months: their figures, what changed since, and whether a month can be closed."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from common import formatting
from keys.books.queries.month_usage import days_not_made, overdue_holds, unpriced_models
from keys.books.queries.spend import (
    Spend,
    SpendFilter,
    spend_over_time,
    spend_total,
)
from keys.models import Adjustment, BooksCheck, Organisation
from reports.models import CostShareTarget, MonthClose
from reports.month_periods import (
    MonthPeriod,
    midnight,
    month_period,
    next_month,
    previous_month,
)
from reports.queries.bills import BillOfMonth, bills
from security.models import Approval
from treasury.queries import has_rail_statements, open_differences, open_rail_differences

# Settlements of the month may be under way so long after its end.
SETTLED_AFTER = timedelta(hours=1)
# Begins the names of the items about bills, such as `bill-openai`.
BILL = "bill-"


class ChecklistItem(NamedTuple):
    """A condition of closing a month: what it says, its figure now, and whether it holds.

    One that `can_be_waived` may be broken with a reason.
    """

    name: str
    says: str
    figure: str
    is_met: bool
    can_be_waived: bool = True


def standing_close(month: date) -> MonthClose | None:
    """The close of the month that counts; None if the month is open."""
    return MonthClose.objects.standing().filter(month=month).first()


def last_close() -> MonthClose | None:
    """The latest close that counts: only the month after it can be closed."""
    return MonthClose.objects.standing().order_by("-month").first()


def period_to_close(month: date, organisation: Organisation) -> MonthPeriod:
    """The period that the month has if it is closed now."""
    last = last_close()
    follows = last and next_month(last.month) == month
    return month_period(
        month, organisation.reporting_zone, starts_at=last.ends_at if last and follows else None
    )


def checklist(
    period: MonthPeriod, organisation: Organisation, *, now: datetime
) -> list[ChecklistItem]:
    """The items of the checklist of a month, with their figures now.

    The unallocated bucket is an item of its own, since its figure comes with the lines.
    """
    return [
        _is_over(period, now),
        _is_next(period),
        _balances(period),
        _holds(period, now),
        _estimates(period, organisation),
        _prices(period),
        _approvals(period),
        _days(period),
        _differences(period),
        *_rail_statements(period),
        *_shares_of_closed(),
        *map(_bill, bills(period)),
    ]


def unallocated_item(amount: Decimal) -> ChecklistItem:
    """That so much, in USD, is in no statement."""
    return ChecklistItem(
        "unallocated", "No cost is left in the unallocated bucket", f"${amount:,.9f}", not amount
    )


def present_figures(close: MonthClose) -> Spend:
    """What the books have for the period of a closed month now."""
    return spend_total(SpendFilter(close.starts_at, close.ends_at))


def _is_over(period: MonthPeriod, now: datetime) -> ChecklistItem:
    at = period.ends_at + SETTLED_AFTER
    ends = period.ends_at.astimezone(ZoneInfo(period.zone))
    figure = f"ends {ends:%Y-%m-%d %H:%M}" if now < at else "over"
    return ChecklistItem(
        "over", "The month has been over for an hour", figure, now >= at, can_be_waived=False
    )


def _is_next(period: MonthPeriod) -> ChecklistItem:
    last = last_close()
    wanted = next_month(last.month) if last else period.month
    figure = f"{last.name} is the latest closed month" if last else "no month is closed yet"
    return ChecklistItem(
        "order",
        "It is the month after the latest closed month",
        figure,
        wanted == period.month,
        can_be_waived=False,
    )


def _balances(period: MonthPeriod) -> ChecklistItem:
    says = "The books balance, by a check after the end of the month"
    finished = BooksCheck.objects.filter(begun_at__gte=period.ends_at, finished_at__isnull=False)
    check = finished.order_by("-begun_at").first()
    if check is None:
        return ChecklistItem("books", says, "not checked since", is_met=False)
    figure = f"{len(check.findings)} of {check.checks} checks found errors"
    return ChecklistItem("books", says, figure, check.is_balanced)


def _holds(period: MonthPeriod, now: datetime) -> ChecklistItem:
    count = overdue_holds(until=period.ends_at, now=now)
    return _none("holds", "No call of the month is held beyond its time", count, "call")


def _estimates(period: MonthPeriod, organisation: Organisation) -> ChecklistItem:
    percent = organisation.estimated_share_warning_percent
    spend = spend_total(SpendFilter(period.starts_at, period.ends_at))
    share = spend.estimated_cost * 100 / spend.cost if spend.cost else spend.cost
    return ChecklistItem(
        "estimates",
        f"At most {percent} % of the cost is estimated",
        f"{share:.2f} %",
        share <= percent,
    )


def _prices(period: MonthPeriod) -> ChecklistItem:
    names = unpriced_models(since=period.starts_at, until=period.ends_at)
    figure = ", ".join(names[:5]) or "none"
    says = "No model is free here that its provider charges for"
    return ChecklistItem("prices", says, figure, not names)


def _approvals(period: MonthPeriod) -> ChecklistItem:
    waiting = Approval.objects.waiting().filter(asked_at__lt=period.ends_at).count()
    return _none("approvals", "No approval of the month is undecided", waiting, "approval")


def _days(period: MonthPeriod) -> ChecklistItem:
    count = days_not_made(last=period.last_day, until=period.ends_at, zone=period.zone)
    return _none("days", "The days of the month are rolled up", count, "change")


def _differences(period: MonthPeriod) -> ChecklistItem:
    count = open_differences(since=period.month, until=period.last_day).count()
    says = "No difference from the bills of providers is open"
    return _none("differences", says, count, "difference")


def _rail_statements(period: MonthPeriod) -> list[ChecklistItem]:
    """An item where statements of rails are imported at all."""
    if not has_rail_statements():
        return []
    count = open_rail_differences(since=period.month, until=period.last_day).count()
    says = "No difference from the statements of rails and banks is open"
    return [_none("rail_statements", says, count, "difference")]


def _shares_of_closed() -> list[ChecklistItem]:
    """An item where a rule of shared costs gives to a cost centre that was closed since."""
    targets = CostShareTarget.objects.filter(cost_centre__closed_at__isnull=False)
    closed = targets.order_by("cost_centre").values_list("cost_centre", flat=True).distinct()
    says = "No rule of shared costs gives to a closed cost centre"
    found = ", ".join(closed[:5])
    return [ChecklistItem("shares", says, found, is_met=False)] if found else []


def _bill(bill: BillOfMonth) -> ChecklistItem:
    """An item for each provider, so that each is waived with a reason of its own."""
    return ChecklistItem(
        f"{BILL}{bill.provider}",
        f"The bill of {bill.provider} was compared with the charges",
        f"{bill.compared} of {bill.days} days compared",
        bill.compared == bill.days,
    )


def _none(name: str, says: str, count: int, noun: str) -> ChecklistItem:
    figure = formatting.count(count, noun)
    return ChecklistItem(name, says, figure, count == 0)


def later_adjustments(close: MonthClose) -> QuerySet[Adjustment]:
    """The adjustments of a closed month's charges since it was locked, the latest first."""
    since = Adjustment.objects.filter(
        settled_at__gte=close.starts_at,
        settled_at__lt=close.ends_at,
        created_at__gt=close.locked_at,
    )
    return since.select_related("allocation").order_by("-created_at", "-pk")


def open_months(*, zone: ZoneInfo, now: datetime) -> dict[date, Spend]:
    """What the books have of each month that is not closed, until now; one query for figures.

    From the latest closed one or, before any was closed, from the first of the last twelve that has
    usage.
    """
    last = last_close()
    this = now.astimezone(zone).date().replace(day=1)
    first = next_month(last.month) if last else _months_before(this, 11)
    since = last.ends_at if last else midnight(first, zone.key)
    months = {month: Spend() for month in _months(first, this)}
    if since < (until := midnight(next_month(this), zone.key)):
        for period in spend_over_time(SpendFilter(since, until), step="month", zone=zone):
            # After a change of the zone, some hours before the first midnight are of the month.
            month = max(date(period.starts.year, period.starts.month, 1), first)
            months[month] = months.get(month, Spend()) + period.spend
    if last:
        return months
    used = [month for month, spend in months.items() if spend != Spend()]
    return {month: spend for month, spend in months.items() if month >= min(used, default=this)}


def _months(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first = next_month(first)


def _months_before(month: date, count: int) -> date:
    for _ in range(count):
        month = previous_month(month)
    return month
