"""What the page of one API key shows."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from common import links
from dashboard import charts, figures
from dashboard.api_keys.key_tables import allocations_table, charges_table, rotations_table
from dashboard.api_keys.lines import KeyLine, key_lines
from dashboard.api_keys.table import limit_text
from dashboard.charts import Chart, Period
from dashboard.ranges import DateRange, date_range
from dashboard.spend_series import spend_series
from keys.books.queries.pages import latest_history
from keys.books.queries.spend import SpendFilter, spend_over_time
from keys.models import ApiKey
from security.audit_changes import changes

_SHOWN = 10
_DAY = timedelta(days=1)


def detail(user: Any, api_key: ApiKey, *, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """The context of the page, as far as the person may see its parts."""
    [line] = key_lines(user, ApiKey.objects.filter(pk=api_key.pk), zone=zone, now=now)
    context: dict[str, Any] = {
        "line": line,
        "limits": [(meter, limit_text(meter)) for meter in line.meters],
        "models": api_key.served_models.select_related("model", "price").order_by("model__name"),
        "now": now,
    }
    if user.has_perm("keys.view_charge"):
        context["chart"] = _chart(line, zone, now)
        context["charges"] = charges_table(user, api_key, now)
    if user.has_perm("keys.view_allocation"):
        context["allocations"] = allocations_table(user, api_key, now)
        context["rotations"] = rotations_table(user, api_key, now)
        # Most keys have none: a query less.
        if getattr(api_key, "newest_run", None):
            context["run"] = api_key.rotation_runs.first()
    if user.has_perm("security.view_auditentry"):
        entries = latest_history(about=api_key.scope, most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return context


def _chart(line: KeyLine, zone: ZoneInfo, now: datetime) -> Chart | None:
    """Four weeks by agent; None if nothing was spent."""
    days, slug = date_range({"range": "28d"}, now=now, zone=zone), line.api_key.pk
    which = SpendFilter(days.starts_at, days.ends_at, key_ids=(slug,))
    periods = spend_over_time(which, step="day", zone=zone, by="agent")
    if not periods:
        return None
    dates = [days.starts_on + number * _DAY for number in range(days.days)]
    total = sum(each.spend.cost for each in periods)
    return charts.bars(
        name="key-spend",
        title=f"Spend by agent, {days.label}: {figures.money(total).text}",
        periods=[
            Period(
                f"{day.day} {day:%b}",
                _spend_url(slug, DateRange(day, day, zone)),
                is_running=day == days.ends_on,
            )
            for day in dates
        ],
        series=spend_series(
            periods,
            dates,
            kind="agent",
            url=lambda agent: f"{_spend_url(slug, days)}&agent={agent}",
            others_url=_spend_url(slug, days),
        ),
    )


def _spend_url(slug: str, days: DateRange) -> str:
    return f"{links.url('spend')}?{days.query}&by=agent&key={slug}"
