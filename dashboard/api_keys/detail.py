"""What the page of one API key shows."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from common import links
from dashboard.api_keys.key_tables import allocations_table, charges_table, rotations_table
from dashboard.api_keys.lines import KeyLine, key_lines
from dashboard.api_keys.table import limit_text
from dashboard.charts import Chart
from dashboard.four_weeks import four_weeks
from keys.books.queries.pages import latest_history
from keys.books.queries.spend import SpendFilter
from keys.models import ApiKey
from security.audit_changes import changes

_SHOWN = 10


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
    """Four weeks by agent."""
    slug = line.api_key.pk
    return four_weeks(
        "key-spend",
        by="agent",
        which=lambda days: SpendFilter(days.starts_at, days.ends_at, key_ids=(slug,)),
        url=lambda days: f"{links.url('spend')}?{days.query}&by=agent&key={slug}",
        zone=zone,
        now=now,
    )
