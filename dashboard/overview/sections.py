"""The sections of the Overview that a person may see, as the context of its templates.

A section needs the permission to view its rows, because its figures lead to them, and counts only
rows that the person may see.
"""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString

from dashboard import charts
from dashboard.charts import MeterPart
from dashboard.figures import money
from dashboard.overview.landing import DAYS_MIN
from dashboard.overview.month import Month, month
from dashboard.overview.month_chart import STACKS, month_chart
from dashboard.overview.spend_links import spend_url
from dashboard.ranges import DateRange

_STACK = "cost_centre"


def overview(user: Any, *, stack: str, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """The context of the page; `stack`: one of `STACKS`, anything else is the usual one."""
    context: dict[str, Any] = {"now": now}
    if user.has_perm("keys.view_charge"):
        context |= _month(user, stack=stack if stack in STACKS else _STACK, zone=zone, now=now)
    return context


def _month(user: Any, *, stack: str, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    spent = month(user, group=STACKS[stack][0], zone=zone, now=now)
    today, budget = spent.days.ends_on, spent.payers.budget
    days = (spent.last_day - spent.days.starts_on).days + 1
    return {
        "month": spent,
        "meter": _meter(spent),
        "chart": month_chart(spent, stack=stack) if spent.spend.calls else None,
        "stacks": [(name, words) for name, (_, words) in STACKS.items()],
        "stack": stack,
        "days_min": DAYS_MIN,
        "budget_of_day": budget and budget / days,
        "month_url": spend_url(spent.days),
        "today_url": spend_url(_day(today, zone)),
        "week_ago_url": spend_url(_day(spent.comparison.week_ago, zone)),
    }


def _meter(spent: Month) -> SafeString | None:
    """The spend of the month as a part of the budget, with a mark where it lands."""
    budget = spent.payers.budget
    if budget is None:
        return None
    cost, lands = spent.spend.cost, spent.landing and spent.landing.cost
    words = f"{money(cost).text} of {money(budget).text} spent"
    colour = "hot" if cost > budget else "warm" if spent.lands_above_budget else "used"
    return charts.meter(
        [MeterPart(cost, colour)],
        whole=budget,
        label=words if lands is None else f"{words}, {money(lands).text} expected",
        mark=lands,
    )


def _day(day: date, zone: ZoneInfo) -> DateRange:
    return DateRange(day, day, zone)
