"""What the page of one agent shows."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from common import links
from dashboard.agents.agent_tables import allocations_table, tasks_table, tokens_table
from dashboard.agents.lines import AgentLine, agent_lines
from dashboard.agents.table import budget_text
from dashboard.charts import Chart
from dashboard.four_weeks import four_weeks
from gate.rows import bindings
from keys.books.queries.freezes import freezes_of
from keys.books.queries.pages import latest_history
from keys.books.queries.spend import SpendFilter
from keys.models import Agent
from security.audit_changes import changes

_SHOWN = 10


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
    """Four weeks by model."""
    slug, within = line.agent.pk, tuple(bindings(user)) or None
    return four_weeks(
        "agent-spend",
        by="model",
        which=lambda days: SpendFilter(days.starts_at, days.ends_at, agents=(slug,), within=within),
        url=lambda days: f"{links.url('spend')}?{days.query}&by=model&agent={slug}",
        zone=zone,
        now=now,
    )
