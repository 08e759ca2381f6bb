"""The tables of the page of one agent."""

from datetime import datetime
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard.row_tables import SHOWN, live_allocations_table
from dashboard.tables import Cell, Column, Table
from keys.books.queries.pages import live_allocations
from keys.models import Agent, AgentToken
from orchestration.models import Task


def allocations_table(user: Any, agent: Agent, now: datetime) -> Table:
    """Its live allocations; the file has all of them."""
    return live_allocations_table(
        visible_to(user, live_allocations(now=now)).filter(agent=agent),
        name="agent-allocations",
        title=f"Live allocations of {agent.pk}",
        columns=[
            Column("key", "API key", sortable=False),
            Column("label", "Task or label", sortable=False),
        ],
        cells=lambda each: {"key": each.api_key_id, "label": each.label},
        empty="It has no allocation now.",
    )


def tokens_table(user: Any, agent: Agent, now: datetime) -> Table:
    """Its agent tokens, the newest first, each without its secret."""
    tokens = list(visible_to(user, AgentToken.objects.filter(agent=agent)).order_by("-pk"))
    return Table(
        name="agent-tokens",
        title=f"Agent tokens of {agent.pk}",
        columns=[
            Column("token", "Token", sortable=False),
            Column("status", "Status", "status", sortable=False),
            Column("scopes", "May", sortable=False),
            Column("created", "Issued", "moment", sortable=False),
            Column("expires", "Expires", "moment", sortable=False),
            Column("used", "Last used", "moment", sortable=False),
        ],
        rows=[
            {
                "token": f"{each.prefix}…",
                "status": token_status(each, now),
                "scopes": ", ".join(each.scopes),
                "created": each.created_at,
                "expires": each.revoked_at or each.expires_at,
                "used": each.last_used_at,
            }
            for each in tokens[:SHOWN]
        ],
        count=len(tokens),
        prefix="tokens-",
        empty="It has no agent token, so it cannot ask for tokens.",
    )


def token_status(token: AgentToken, now: datetime) -> str:
    """`live`, `revoked` or `expired`."""
    if token.revoked_at:
        return "revoked"
    return "live" if token.expires_at > now else "expired"


def tasks_table(user: Any, agent: Agent, now: datetime) -> Table:
    """Its latest tasks."""
    tasks = list(visible_to(user, Task.objects.filter(agent=agent)).order_by("-pk")[:SHOWN])
    return Table(
        name="agent-tasks",
        title=f"Latest tasks of {agent.pk}",
        columns=[
            Column("task", "Task", "link", sortable=False),
            Column("status", "Status", "status", sortable=False),
            Column("used", "Used", "tokens", sortable=False),
            Column("budget", "Budget", "tokens", sortable=False),
            Column("created", "Submitted", "moment", sortable=False),
        ],
        rows=[
            {
                "task": Cell(each.name, links.url("task", each.pk)),
                "status": each.status,
                "used": each.used,
                "budget": each.budget,
                "created": each.created_at,
            }
            for each in tasks
        ],
        count=len(tasks),
        prefix="tasks-",
        empty="It has submitted no task.",
    )
