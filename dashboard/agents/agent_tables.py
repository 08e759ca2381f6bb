"""The tables of the page of one agent."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from common import links
from common.admin.visible_rows import visible_to
from dashboard.tables import Builder, Cell, Column, Row, Table
from keys.books.queries.pages import live_allocations
from keys.models import Agent, AgentToken, Allocation
from orchestration.models import Task

SHOWN = 10
TableOfAgent = Callable[[Any, Agent, datetime], Table]


def of_agent(table: TableOfAgent, *, permission: str) -> Builder:
    """The builder of a table whose agent is the `slug` in the path of the page."""

    def build(user: Any, query: Mapping[str, str], now: datetime) -> Table:
        if not user.has_perm(permission):
            raise PermissionDenied
        seen = visible_to(user, Agent.objects.all())
        return table(user, get_object_or_404(seen, pk=query.get("slug", "")), now)

    return build


def allocations_table(user: Any, agent: Agent, now: datetime) -> Table:
    """Its live allocations; the file has all of them."""
    live = visible_to(user, live_allocations(now=now)).filter(agent=agent)
    shown = list(live[: SHOWN + 1])
    return Table(
        name="agent-allocations",
        title=f"Live allocations of {agent.pk}",
        columns=[
            Column("session", "Session", "link", sortable=False),
            Column("key", "API key", sortable=False),
            Column("label", "Task or label", sortable=False),
            Column("used", "Used", "tokens", sortable=False),
            Column("held", "Held", "tokens", sortable=False),
            Column("allocated", "Lent", "tokens", sortable=False),
            Column("expires", "Expires", "moment", sortable=False),
        ],
        rows=[_allocation_row(each) for each in shown[:SHOWN]],
        count=live.count() if len(shown) > SHOWN else len(shown),
        every_row=lambda: map(_allocation_row, live.iterator()),
        prefix="allocations-",
        empty="It has no allocation now.",
    )


def _allocation_row(each: Allocation) -> Row:
    return {
        "session": Cell(
            each.session_id, links.url("allocation", each.pk), picture=each.session_id[:13]
        ),
        "key": each.api_key_id,
        "label": each.label,
        "used": each.used,
        "held": each.held,
        "allocated": each.allocated,
        "expires": each.expires_at,
    }


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
