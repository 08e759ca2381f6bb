"""What the page of one API key shows."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q

from common import links
from common.admin.visible_rows import visible_to
from dashboard import charts, figures
from dashboard.api_keys.lines import KeyLine, key_lines
from dashboard.api_keys.table import limit_text
from dashboard.charts import Chart, Period
from dashboard.ranges import DateRange, date_range
from dashboard.spend_series import spend_series
from dashboard.tables import Cell, Column, Table
from keys.books.queries.pages import latest_history, live_allocations
from keys.books.queries.spend import SpendFilter, spend_over_time
from keys.models import ApiKey, Charge, Rotation
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
        context["charges"] = _charges(user, api_key)
    if user.has_perm("keys.view_allocation"):
        context["allocations"] = _allocations(user, api_key, now)
        context["rotations"] = _rotations(api_key)
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


def _allocations(user: Any, api_key: ApiKey, now: datetime) -> Table:
    live = visible_to(user, live_allocations(now=now)).filter(api_key=api_key)
    return Table(
        name="key-allocations",
        title=f"Live allocations on {api_key.pk}",
        columns=[
            Column("session", "Session", "link", sortable=False),
            Column("agent", "Agent", "link", sortable=False),
            Column("used", "Used", "tokens", sortable=False),
            Column("held", "Held", "tokens", sortable=False),
            Column("allocated", "Lent", "tokens", sortable=False),
            Column("expires", "Expires", "moment", sortable=False),
        ],
        rows=[
            {
                "session": Cell(each.session_id[:13], links.url("allocation", each.pk)),
                "agent": Cell(each.agent_id, links.url("agent", each.agent_id)),
                "used": each.used,
                "held": each.held,
                "allocated": each.allocated,
                "expires": each.expires_at,
            }
            for each in live[:_SHOWN]
        ],
        count=live.count(),
        empty="Nobody has an allocation on this key now.",
    )


def _charges(user: Any, api_key: ApiKey) -> Table:
    settled = Charge.objects.filter(api_key=api_key, status="settled")
    rows = visible_to(user, settled).select_related("allocation").order_by("-settled_at")
    return Table(
        name="key-charges",
        title=f"Latest charges on {api_key.pk}",
        columns=[
            Column("at", "When", "moment", sortable=False),
            Column("agent", "Agent", sortable=False),
            Column("model", "Model", sortable=False),
            Column("tokens", "Tokens", "tokens", sortable=False),
            Column("cost", "Cost", "money", "USD", sortable=False),
        ],
        rows=[
            {
                "at": Cell(each.settled_at, links.url("charge", each.pk)),
                "agent": each.allocation.agent_id,
                "model": each.model or api_key.model,
                "tokens": each.tokens,
                "cost": each.cost,
            }
            for each in rows[:_SHOWN]
        ],
        empty="No call on this key has been settled.",
    )


def _rotations(api_key: ApiKey) -> Table:
    moved = Rotation.objects.filter(Q(from_key=api_key) | Q(to_key=api_key)).order_by("-id")
    return Table(
        name="key-rotations",
        title=f"Latest rotations of {api_key.pk}",
        columns=[
            Column("at", "When", "moment", sortable=False),
            Column("from", "From", "link", sortable=False),
            Column("to", "To", "link", sortable=False),
            Column("moved", "Moved", "tokens", sortable=False),
            Column("reason", "Why", sortable=False),
        ],
        rows=[
            {
                "at": Cell(each.created_at, links.url("allocation", each.allocation_id)),
                "from": Cell(each.from_key_id, links.url("key", each.from_key_id)),
                "to": Cell(each.to_key_id, links.url("key", each.to_key_id)),
                "moved": each.moved_tokens,
                "reason": each.reason,
            }
            for each in moved[:_SHOWN]
        ],
        empty="No session moved to or from this key.",
    )
