"""The table of agents."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils.html import format_html

from common import formatting, links
from dashboard import tables
from dashboard.agents.lines import STATUSES, AgentLine, agent_lines
from dashboard.api_keys.table import limit_text
from dashboard.tables import Cell, Column, Row, Table
from keys.books.queries.pages import Meter
from keys.identity.queries.organisation import organisation
from keys.models import Agent

_TOKENS = "keys.view_agenttoken"
_COLUMNS = (
    Column("agent", "Agent", "link"),
    Column("cost_centre", "Cost centre", "link"),
    Column("status", "Status", "status"),
    Column("cost", "Spent this month", "money", "USD", total=True),
    Column("limits", "Budgets", sortable=False),
    Column("used", "Used", "percent"),
    Column("live", "Running", "count", "allocations", total=True),
    Column("last_call", "Last call", "moment"),
    Column("expires_at", "Token expires", "moment"),
)


class AgentsQuery(NamedTuple):
    """Which agents the query parameters ask for; a value that names nothing asks for all.

    `cost_centre` includes those below it. `tokens`: `soon`, those with a token that expires soon.
    """

    status: str = ""
    cost_centre: str = ""
    tokens: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "AgentsQuery":
        """Those of the query parameters."""
        status, tokens = query.get("status", ""), query.get("tokens", "")
        return cls(
            status if status in STATUSES else "",
            query.get("cost_centre", "").replace("\0", ""),
            tokens if tokens == "soon" else "",
        )


def agents_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The agents that the query parameters `status`, `cost_centre` and `tokens` ask for."""
    asked = AgentsQuery.of(query)
    lines = chosen(lines_in(user, asked, now), asked, now)
    return tables.paged(table_of(user, lines, now), query)


def lines_in(user: Any, asked: AgentsQuery, now: datetime) -> list[AgentLine]:
    """The agents of the cost centre that is asked for, of all statuses."""
    agents = Agent.objects.all()
    if asked.cost_centre:
        agents = agents.filter(cost_centre__path__contains=[asked.cost_centre])
    zone = ZoneInfo(organisation().reporting_zone)
    return agent_lines(user, agents, zone=zone, now=now)


def chosen(lines: Iterable[AgentLine], asked: AgentsQuery, now: datetime) -> list[AgentLine]:
    """Those of the lines with the status and the tokens that are asked for."""
    return [
        line
        for line in lines
        if asked.status in ("", line.status) and (not asked.tokens or line.expires_soon(now))
    ]


def table_of(user: Any, lines: list[AgentLine], now: datetime) -> Table:
    """The table of these agents; who may not see tokens does not see when they expire."""
    sees_tokens = user.has_perm(_TOKENS)
    return Table(
        name="agents",
        title="Agents",
        columns=[each for each in _COLUMNS if each.name != "expires_at" or sees_tokens],
        rows=[_row(line, now) for line in lines],
        totals={
            "cost": sum((line.month.cost for line in lines), Decimal(0)),
            "live": sum(line.live for line in lines),
        },
        sort="-cost",
        empty="No agent is as you asked.",
    )


def _row(line: AgentLine, now: datetime) -> Row:
    agent = line.agent
    return {
        "agent": Cell(agent.pk, links.url("agent", agent.pk), picture=_name(agent)),
        "cost_centre": Cell(agent.cost_centre_id, links.url("budget", agent.cost_centre_id)),
        "status": line.status,
        "cost": Cell(line.month.cost, links.url("spend", agent=agent.pk, range="month")),
        "limits": Cell("; ".join(map(budget_text, line.meters)), picture=_bars(line, now)),
        "used": line.used_percent,
        "live": line.live,
        "last_call": line.last_call,
        "expires_at": _expiry(line, now),
    }


def budget_text(meter: Meter) -> str:
    """`640k of 1M tokens a day, 120k committed`, with what is granted."""
    if not meter.granted:
        return limit_text(meter)
    return f"{limit_text(meter)}, {formatting.quantity(meter.granted, unit=meter.unit)} granted"


def _name(agent: Agent) -> str:
    name = "" if agent.name.casefold() == agent.pk else agent.name
    return format_html("{} <small>{}</small>", agent.pk, name)


def _bars(line: AgentLine, now: datetime) -> str:
    meters = [(meter, budget_text(meter)) for meter in line.meters]
    return render_to_string("dashboard/keys/bars.html", {"meters": meters, "now": now})


def _expiry(line: AgentLine, now: datetime) -> Any:
    if line.expires_at is None or not line.expires_soon(now):
        return line.expires_at
    left = formatting.duration(line.expires_at - now)
    picture = format_html('<span class="badge warning">in {}</span>', left)
    return Cell(line.expires_at, title=f"{line.expires_at:%Y-%m-%d %H:%M} UTC", picture=picture)
