"""The table of people: their roles, cost centres, last sign-in, second factors and sessions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common import links
from dashboard import tables
from dashboard.tables import Cell, Column, Table
from gate import queries as gate

_COLUMNS = (
    Column("person", "Person", "link"),
    Column("status", "Status", "status"),
    Column("roles", "Roles"),
    Column("centres", "Cost centres"),
    Column("last", "Last sign-in", "moment"),
    Column("factor", "Second factor"),
    Column("sessions", "Sessions", "count", total=True),
    Column("email", "E-mail"),
)


def people_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """Every person; the query parameter `role` asks for those with one role. Six queries."""
    role = query.get("role", "")
    factors, counts = gate.second_factors(), gate.sign_in_counts(now=now)
    rows = [
        {
            "person": Cell(each.username, links.url("user", each.person)),
            "status": each.status,
            "roles": ", ".join([*each.roles, *each.others]),
            "centres": ", ".join(each.cost_centres) or "all",
            "last": each.last_sign_in,
            "factor": ", ".join(factors.get(each.person, [])) or "none",
            "sessions": counts.get(each.person, 0),
            "email": each.email,
        }
        for each in gate.access_review()
        if role in ("", *each.roles)
    ]
    table = Table(
        name="people",
        title="People",
        columns=_COLUMNS,
        rows=rows,
        totals={"sessions": sum(row["sessions"] for row in rows)},
        sort="person",
        empty="Nobody has this role.",
    )
    return tables.paged(table, query)
