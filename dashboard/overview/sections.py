"""The sections of the Overview that a person may see, as the context of its templates.

A section needs the permission to view its rows, because its figures lead to them, and counts only
rows that the person may see.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.safestring import SafeString

from common.admin.visible_rows import visible_to
from dashboard import charts
from dashboard.charts import MeterPart
from dashboard.figures import about, money, tokens
from dashboard.overview.month import Month, month
from dashboard.overview.month_chart import STACKS, month_chart
from dashboard.overview.movers import DAYS, RECENT_DAYS, Mover, movers
from dashboard.overview.spend_links import day_range, spend_url
from dashboard.ranges import DateRange
from gate.rows import bindings
from keys.books.queries.pages import live_allocations, live_counts
from keys.books.queries.spend import SpendFilter, spend_over_time
from keys.limits.queries.capacity import ProviderCapacity, provider_capacity
from keys.models import Organisation
from orchestration.models import Task
from orchestration.queries.pages import open_task_lines
from prediction.run_rate.landing import DAYS_MIN
from reports.queries import notes_between

MOVERS_SHOWN = 5
TASKS_SHOWN = 6
_STACK = "cost_centre"
Context = dict[str, Any]


class MoverLine(NamedTuple):
    """A mover with the pages of its spend: of the seven days, and of the day of its peak."""

    mover: Mover
    url: str
    peak_url: str


class CapacityLine(NamedTuple):
    """The capacity of a provider, and its bar."""

    capacity: ProviderCapacity
    meter: SafeString | None


def sections(user: Any, *, stack: str, organisation: Organisation, now: datetime) -> Context:
    """All sections that the person may see but for what waits for the person; the same for all who
    may see the same. `stack`: one of `STACKS`, anything else is the usual one."""
    by_permission: dict[str, Callable[[], Context]] = {
        "keys.view_charge": lambda: _spend(user, stack, organisation, now),
        "orchestration.view_task": lambda: _tasks(user),
        "keys.view_allocation": lambda: _allocations(user, now),
        "keys.view_apikey": lambda: _capacity(now),
    }
    context: Context = {"now": now}
    for permission, section in by_permission.items():
        if user.has_perm(permission):
            context |= section()
    return context


def _spend(user: Any, stack: str, organisation: Organisation, now: datetime) -> Context:
    stack, zone = stack if stack in STACKS else _STACK, ZoneInfo(organisation.reporting_zone)
    spent = month(user, group=STACKS[stack][0], zone=zone, now=now)
    budget = spent.payers.budget
    notes = list(notes_between(spent.days.starts_on, spent.days.ends_on))
    lands_above = spent.lands_above(organisation.landing_warning_percent)
    return {
        "month": spent,
        "lands_above": lands_above,
        "month_meter": budget and _month_meter(spent, budget, lands_above),
        "chart": month_chart(spent, stack=stack, notes=notes) if spent.spend.calls else None,
        "notes": notes,
        "stacks": [(name, words) for name, (_, words) in STACKS.items()],
        "stack": stack,
        "days_min": DAYS_MIN,
        "budget_of_day": budget and budget / spent.last_day.day,
        "month_url": spend_url(spent.days),
        "today_url": spend_url(day_range(spent.days.ends_on, zone)),
        "week_ago_url": spend_url(day_range(spent.comparison.week_ago, zone)),
        "movers": _movers(user, spent.days),
    }


def _movers(user: Any, month_days: DateRange) -> list[MoverLine]:
    today, zone = month_days.ends_on, month_days.zone
    days = DateRange(today - timedelta(days=DAYS - 1), today, zone)
    recent = DateRange(today - timedelta(days=RECENT_DAYS - 1), today, zone)
    which = SpendFilter(days.starts_at, days.ends_at, within=tuple(bindings(user)) or None)
    periods = spend_over_time(which, step="day", zone=zone, by="agent")
    return [
        MoverLine(
            each,
            spend_url(recent, agent=each.agent, by="label"),
            spend_url(day_range(each.peak, zone), agent=each.agent, by="label"),
        )
        for each in movers(periods, today=today)[:MOVERS_SHOWN]
    ]


def _tasks(user: Any) -> Context:
    lines = open_task_lines(visible_to(user, Task.objects.all()), most=TASKS_SHOWN + 1)
    return {"tasks": lines[:TASKS_SHOWN], "has_more_tasks": len(lines) > TASKS_SHOWN}


def _allocations(user: Any, now: datetime) -> Context:
    return {"live": live_counts(visible_to(user, live_allocations(now=now)))}


def _capacity(now: datetime) -> Context:
    lines = [CapacityLine(each, _capacity_meter(each)) for each in provider_capacity(now=now)]
    return {
        "has_keys": bool(lines),
        "capacity": [line for line in lines if not line.capacity.is_idle],
        "idle": [line for line in lines if line.capacity.is_idle],
    }


def _month_meter(spent: Month, budget: Any, lands_above: bool) -> SafeString:
    """The spend of the month as a part of the budget, with a mark where it lands."""
    cost, lands = spent.spend.cost, spent.landing and spent.landing.cost
    words = f"{money(cost).text} of {money(budget).text} spent"
    colour = "hot" if cost > budget else "warm" if lands_above else "used"
    return charts.meter(
        [MeterPart(cost, colour)],
        whole=budget,
        label=words if lands is None else f"{words}, {about(lands).text} expected",
        mark=lands,
    )


def _capacity_meter(each: ProviderCapacity) -> SafeString | None:
    """Used and committed of the tokens of a provider's keys; None if none of them has a limit."""
    if not each.amount:
        return None
    used, committed, amount = (
        tokens(number).text for number in (each.used, each.committed, each.amount)
    )
    return charts.meter(
        [MeterPart(each.used), MeterPart(each.committed, "committed")],
        whole=each.amount,
        label=f"{used} used and {committed} committed of {amount} tokens",
    )
