"""The month so far: what was spent of the budget, where it lands, and today beside last week."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from common.admin.visible_rows import visible_to
from dashboard.overview.spend_links import day_range
from dashboard.ranges import DateRange, date_range
from gate.rows import bindings
from keys.books.queries.spend import (
    SLICE_SECONDS,
    Spend,
    SpendFilter,
    SpendPeriod,
    slice_start,
    spend_over_time,
    spend_total,
)
from keys.limits.queries.budgets import monthly_budgets
from keys.models import CostCentre
from prediction.run_rate.landing import HISTORY_DAYS, Landing, complete_days, landing

_DAY, _WEEK, _MONTH = timedelta(days=1), timedelta(days=7), timedelta(days=31)
_SLICE = timedelta(seconds=SLICE_SECONDS)


class Payers(NamedTuple):
    """The cost centres at the top of what a person sees.

    `within`: those that the person is bound to, None for all. `budget`: what the tops may spend in
    a month, None unless each of them has a limit.
    """

    within: tuple[str, ...] | None
    tops: list[str]
    budget: Decimal | None


class Comparison(NamedTuple):
    """What was spent today until `clock`, and on the same day of last week until that time."""

    clock: datetime
    cost: Decimal
    week_ago: date
    cost_week_ago: Decimal

    @property
    def change_percent(self) -> Decimal | None:
        """How much more it is than last week, in percent; None if nothing was spent then."""
        return 100 * (self.cost / self.cost_week_ago - 1) if self.cost_week_ago else None


class Month(NamedTuple):
    """The month of now in the reporting zone.

    `days`: from its first day to today. `periods`: the spend of each day and group since before the
    month, as far back as the landing looks. `landing`: None with too little history, of which
    `history_days` says how many days there are.
    """

    days: DateRange
    last_day: date
    payers: Payers
    spend: Spend
    today: Spend
    comparison: Comparison
    landing: Landing | None
    history_days: int
    periods: Sequence[SpendPeriod]

    def lands_above(self, percent: int) -> bool:
        """Whether more than `percent` of the budget is expected to be spent."""
        budget = self.payers.budget
        if self.landing is None or budget is None:
            return False
        return self.landing.cost * 100 > budget * percent


def month(user: Any, *, group: str, zone: ZoneInfo, now: datetime) -> Month:
    """The month so far as the person may see it, by `group` of `keys.books.queries.spend.GROUPS`;
    four queries."""
    days = date_range({"range": "month"}, now=now, zone=zone)
    today, last_day = days.ends_on, (days.starts_on + _MONTH).replace(day=1) - _DAY
    until = slice_start(now)
    payers = payers_of(user, now)
    periods = _periods(payers, group=group, days=days, until=until + _SLICE)
    by_day = _by_day(periods)
    costs = {day: spend.cost for day, spend in by_day.items()}
    return Month(
        days=days,
        last_day=last_day,
        payers=payers,
        spend=sum((by_day[day] for day in by_day if day >= days.starts_on), Spend()),
        today=by_day.get(today, Spend()),
        comparison=_comparison(payers, today=today, zone=zone, until=until),
        landing=landing(costs, today=today, last_day=last_day),
        history_days=len(complete_days(costs, today)),
        periods=periods,
    )


def payers_of(user: Any, now: datetime) -> Payers:
    """The payers at the top of what the person sees; one query."""
    bound = bindings(user)
    seen = visible_to(user, CostCentre.objects.order_by("slug"))
    tops = seen.filter(pk__in=bound) if bound else seen.filter(parent=None)
    budgets = monthly_budgets(tops, now=now)
    amounts = [amount for amount in budgets.values() if amount is not None]
    is_whole = len(amounts) == len(budgets) > 0
    return Payers(tuple(bound) or None, [*budgets], sum(amounts, Decimal(0)) if is_whole else None)


def _periods(payers: Payers, *, group: str, days: DateRange, until: datetime) -> list[SpendPeriod]:
    first = min(days.starts_on, days.ends_on - HISTORY_DAYS * _DAY)
    since = DateRange(first, days.ends_on, days.zone).starts_at
    # Of one cost centre at the top its parts, of several each with all below it.
    top = payers.tops[0] if group == "centre_at" and len(payers.tops) == 1 else None
    by = "cost_centre" if group == "centre_at" and payers.within and not top else group
    which = SpendFilter(since, until, within=payers.within)
    return spend_over_time(which, step="day", zone=days.zone, by=by, within_centre=top)


def _by_day(periods: Iterable[SpendPeriod]) -> dict[date, Spend]:
    days: dict[date, Spend] = defaultdict(Spend)
    for period in periods:
        days[period.starts] += period.spend
    return days


def _comparison(payers: Payers, *, today: date, zone: ZoneInfo, until: datetime) -> Comparison:
    week_ago = today - _WEEK
    clock = until.astimezone(zone)
    then = datetime.combine(week_ago, clock.time(), zone).astimezone(UTC)
    cost, cost_week_ago = (
        spend_total(SpendFilter(day_range(day, zone).starts_at, end, within=payers.within)).cost
        for day, end in ((today, until), (week_ago, then))
    )
    return Comparison(clock, cost, week_ago, cost_week_ago)
