"""The windows of a budget: how much was used in each period, as a chart and as a table."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet

from common.admin.visible_rows import visible_to
from dashboard import charts, tables
from dashboard.budgets.budget import limit_title
from dashboard.budgets.tree import Choice
from dashboard.charts import Chart, Series
from dashboard.overview.spend_links import spend_url
from dashboard.ranges import DateRange
from dashboard.tables import Cell, Column, Kind, Row, Table
from keys.identity.queries.organisation import organisation
from keys.models import Period, Window

_AN_INSTANT = timedelta(microseconds=1)
_BATCH = 2_000
# The filter of the spend explorer for each kind of scope.
_FILTERS = {"centre": "cost_centre", "agent": "agent"}


def windows_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The windows that the query parameters `kind`, `slug`, `unit` and `period` name."""
    scope = f"{query.get('kind', '')}:{query.get('slug', '')}".replace("\0", "")
    choice = Choice(query.get("unit", ""), query.get("period", ""))
    zone = ZoneInfo(organisation().reporting_zone)
    windows = windows_of(user, scope, choice)
    found = windows.aggregate(rows=Count("pk"), carried=Count("pk", filter=Q(carried__gt=0)))
    start = tables.offset(query.get("after", ""), count := found["rows"])
    end = start + tables.PAGE_ROWS
    return Table(
        name="budget-windows",
        title=f"{limit_title(*choice)} of {scope.partition(':')[2]}, period by period",
        columns=_columns(choice.unit, carries=bool(found["carried"])),
        rows=[_row(each, choice, zone, now) for each in windows[start:end]],
        count=count,
        next_page=str(end) if end < count else "",
        every_row=lambda: _every_row(windows, choice, zone, now),
        empty="No period has begun.",
    )


def windows_of(user: Any, scope: str, choice: Choice) -> QuerySet[Window]:
    """Every window of such a limit that the person may see, also of a limit that was removed; the
    latest first."""
    rows = Window.objects.filter(limit__scope=scope, unit=choice.unit, limit__period=choice.period)
    return visible_to(user, rows).order_by("-starts_at", "-pk")


def windows_chart(table: Table, choice: Choice, *, zone: ZoneInfo) -> Chart | None:
    """The used amounts of the table's page as bars; None for a limit in total."""
    if choice.period == Period.TOTAL or not table.rows:
        return None
    rows = table.rows[::-1]
    return charts.bars(
        name="budget-chart",
        title=f"{limit_title(*choice)}: used in each {choice.period}",
        periods=[
            charts.Period(
                _label(row["starts_at"].value.astimezone(zone), choice),
                row["starts_at"].url,
                is_running=row["state"] == "running",
            )
            for row in rows
        ],
        series=[Series("Used", [row["used"] for row in rows], 0)],
        kind=_kind(choice.unit),
        line=table.rows[0]["budget"],
    )


def _label(start: datetime, choice: Choice) -> str:
    if choice.period == Period.HOUR:
        return f"{start.day} {start:%b %H:%M}"
    is_short = choice.period in (Period.DAY, Period.WEEK)
    return f"{start.day} {start:%b}" if is_short else f"{start:%b %Y}"


def _columns(unit: str, *, carries: bool) -> Sequence[Column]:
    said = "USD" if unit == "usd" else "tokens"
    carried = Column("carried", "Carried over", _kind(unit), said, sortable=False)
    return (
        Column("starts_at", "From", "moment", sortable=False),
        Column("ends_at", "Until", "moment", sortable=False),
        Column("state", "State", "status", sortable=False),
        Column("budget", "Budget", _kind(unit), said, sortable=False),
        *([carried] if carries else []),
        Column("used", "Used", _kind(unit), said, sortable=False),
        Column("share", "Used", "percent", "of the budget", sortable=False),
    )


def _kind(unit: str) -> Kind:
    return "money" if unit == "usd" else "tokens"


def _every_row(
    windows: QuerySet[Window], choice: Choice, zone: ZoneInfo, now: datetime
) -> Iterator[Row]:
    for each in windows.iterator(chunk_size=_BATCH):
        yield _row(each, choice, zone, now)


def _row(window: Window, choice: Choice, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    is_total, is_closed = choice.period == Period.TOTAL, bool(window.closed_at)
    starts_at = None if is_total else window.starts_at
    url = "" if is_total else _spend_url(window, zone, now)
    return {
        "starts_at": Cell(starts_at, url),
        "ends_at": None if is_total and not is_closed else window.ends_at,
        "state": "closed" if is_closed or window.ends_at <= now else "running",
        "budget": window.amount,
        "carried": window.carried,
        "used": window.used,
        "share": round(100 * window.used / window.amount, 6) if window.amount else None,
    }


def _spend_url(window: Window, zone: ZoneInfo, now: datetime) -> str:
    """The spend of the days of the window."""
    kind, _, slug = window.scope.partition(":")
    last = min(window.ends_at - _AN_INSTANT, max(now, window.starts_at))
    first_day, last_day = (each.astimezone(zone).date() for each in (window.starts_at, last))
    days = DateRange(first_day, last_day, zone)
    return spend_url(days, **{_FILTERS[kind]: slug, "by": "agent"})
