"""What the page of one agent shows."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from common import links
from dashboard import charts, figures
from dashboard.agents.agent_tables import allocations_table, tasks_table, tokens_table
from dashboard.agents.lines import AgentLine, agent_lines
from dashboard.agents.table import budget_text
from dashboard.charts import Chart, Period
from dashboard.ranges import DateRange, date_range
from dashboard.spend_series import spend_series
from gate.rows import bindings
from keys.books.queries.freezes import freezes_of
from keys.books.queries.pages import latest_history
from keys.books.queries.spend import SpendFilter, spend_over_time
from keys.models import Agent
from security.audit_changes import changes

_SHOWN = 10
_DAY = timedelta(days=1)


def detail(user: Any, agent: Agent, *, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """The context of the page, as far as the person may see its parts."""
    [line] = agent_lines(user, Agent.objects.filter(pk=agent.pk), zone=zone, now=now)
    context: dict[str, Any] = {
        "line": line,
        "limits": [(meter, budget_text(meter)) for meter in line.meters],
        "freezes": freezes_of(agent) if line.status == "frozen" else [],
        "now": now,
    }
    if user.has_perm("keys.view_charge"):
        context["chart"] = _chart(user, line, zone, now)
    if user.has_perm("keys.view_allocation"):
        context["allocations"] = allocations_table(user, agent, now)
    if user.has_perm("keys.view_agenttoken"):
        context["tokens"] = tokens_table(user, agent, now)
    if user.has_perm("orchestration.view_task"):
        context["tasks"] = tasks_table(user, agent, now)
    if user.has_perm("security.view_auditentry"):
        entries = latest_history(about=f"agent:{agent.pk}", most=_SHOWN)
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return context


def _chart(user: Any, line: AgentLine, zone: ZoneInfo, now: datetime) -> Chart | None:
    """Four weeks by model; None if nothing was spent."""
    days, slug = date_range({"range": "28d"}, now=now, zone=zone), line.agent.pk
    which = SpendFilter(
        days.starts_at, days.ends_at, agents=(slug,), within=tuple(bindings(user)) or None
    )
    periods = spend_over_time(which, step="day", zone=zone, by="model")
    if not periods:
        return None
    dates = [days.starts_on + number * _DAY for number in range(days.days)]
    total = sum(each.spend.cost for each in periods)
    return charts.bars(
        name="agent-spend",
        title=f"Spend by model, {days.label}: {figures.money(total).text}",
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
            kind="model",
            url=lambda model: f"{_spend_url(slug, days)}&model={model}",
            others_url=_spend_url(slug, days),
        ),
    )


def _spend_url(slug: str, days: DateRange) -> str:
    return f"{links.url('spend')}?{days.query}&by=model&agent={slug}"
