"""Who spends a budget: in the running day, week, … or fiscal year of the reporting zone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dashboard.overview.spend_links import spend_url
from dashboard.ranges import DateRange, date_range
from dashboard.spend.dimensions import DIRECTLY, value_title
from dashboard.tables import Cell, Column, Table
from gate.rows import bindings
from keys.books.queries.spend import SpendFilter, SpendGroup, spend_by
from keys.models import Organisation, Period

SHOWN = 10
_RANGES = {
    Period.HOUR: "today",
    Period.DAY: "today",
    Period.QUARTER: "quarter",
    Period.YEAR: "year",
    Period.TOTAL: "year",
}
Url = Callable[[str], str]


class Spenders(NamedTuple):
    """A table of the dearest, and all of them in the spend explorer."""

    title: str
    table: Table
    url: str


def spenders(
    user: Any, scope: str, period: str, *, organisation: Organisation, now: datetime
) -> list[Spenders]:
    """Of a cost centre its parts and its agents, of an agent its tasks; two queries at most."""
    days = _days(period, organisation, now)
    which = SpendFilter(days.starts_at, days.ends_at, within=tuple(bindings(user)) or None)
    kind, _, slug = scope.partition(":")
    if kind == "agent":
        labels = spend_by(which._replace(agents=(slug,)), by="label")
        return [_spenders("Tasks and labels", "label", labels, days, {"agent": slug})]
    which = which._replace(cost_centres=(slug,))
    parts = spend_by(which, by="centre_at", within_centre=slug)
    agents = spend_by(which, by="agent")
    filters = {"cost_centre": slug}
    found = [_spenders("Agents", "agent", agents, days, filters)]
    if any(part.group != slug for part in parts):
        found.insert(0, _spenders("Cost centres below", "cost_centre", parts, days, filters))
    return found


def _days(period: str, organisation: Organisation, now: datetime) -> DateRange:
    zone = ZoneInfo(organisation.reporting_zone)
    if period == Period.WEEK:
        today = now.astimezone(zone).date()
        since = timedelta(days=(today.weekday() - organisation.week_starts) % 7)
        return DateRange(today - since, today, zone)
    return date_range(
        {"range": _RANGES.get(Period(period), "month")},
        now=now,
        zone=zone,
        fiscal_year_starts=organisation.fiscal_year_starts,
    )


def _spenders(
    title: str, by: str, groups: list[SpendGroup], days: DateRange, filters: dict[str, str]
) -> Spenders:
    """The dearest groups; the figures of each lead to it in the spend explorer."""
    slug = filters.get("cost_centre", "")

    def name(group: str) -> str:
        return value_title(DIRECTLY if (by, group) == ("cost_centre", slug) else by, group)

    def url(group: str) -> str:
        if (by, group) == ("cost_centre", slug):
            return spend_url(days, **{DIRECTLY: slug, "by": "agent"})
        following = "agent" if by == "cost_centre" else "label" if by == "agent" else "model"
        return spend_url(days, **{**filters, by: group, "by": following})

    table = Table(
        name=f"budget-{by}",
        title=f"The dearest: {title.lower()}, {days.label}",
        columns=(
            Column("name", title, "link", sortable=False),
            Column("cost", "Cost", "money", "USD", sortable=False),
            Column("tokens", "Tokens", "tokens", sortable=False),
            Column("calls", "Calls", "count", sortable=False),
        ),
        rows=[
            {
                "name": Cell(name(group), url(group)),
                "cost": Cell(spend.cost, url(group)),
                "tokens": spend.tokens,
                "calls": spend.calls,
            }
            for group, spend in groups[:SHOWN]
        ],
        count=len(groups),
        empty=f"Nothing was spent, {days.label}.",
    )
    return Spenders(f"{title}, {days.label}", table, spend_url(days, **filters, by=by))
