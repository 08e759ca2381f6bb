"""The alerts of the inbox as a table, for files."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from alerts.models import Alert
from common import links
from dashboard.alerts.inbox import inbox_query, listed, times_of
from dashboard.tables import Cell, Column, Row, Table

_COLUMNS = (
    Column("alert", "Alert", "link"),
    Column("title", "What happened"),
    Column("severity", "Severity", "status"),
    Column("stage", "Status", "status"),
    Column("kind", "Kind"),
    Column("key", "API key"),
    Column("agent", "Agent"),
    Column("session", "Session"),
    Column("raised_at", "Raised", "moment"),
    Column("times", "Times", "count"),
    Column("acknowledged_at", "Acknowledged", "moment"),
    Column("acknowledged_by", "Acknowledged by"),
    Column("acknowledged_note", "Note"),
    Column("snoozed_until", "Snoozed until", "moment"),
    Column("snoozed_by", "Snoozed by"),
    Column("resolved_at", "Resolved", "moment"),
    Column("resolved_by", "Resolved by"),
    Column("resolved_note", "What was done"),
)
# Those that are no fields of the model.
_OTHERS = {"alert", "stage", "key", "agent", "session", "times"}
_BATCH = 1_000


def alerts_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The alerts that the query parameters of the inbox ask for."""
    asked = inbox_query(query)
    found = listed(user, asked, now=now)

    def rows() -> Iterator[Row]:
        for alert in found.iterator(chunk_size=_BATCH):
            yield _row(alert, now)

    return Table(
        name="alerts",
        title=f"Alerts, {asked.stage}",
        columns=_COLUMNS,
        rows=(),
        count=found.count(),
        every_row=rows,
    )


def _row(alert: Alert, now: datetime) -> Row:
    own = [column.name for column in _COLUMNS if column.name not in _OTHERS]
    shown = {name: getattr(alert, name) for name in own}
    return {
        **shown,
        "alert": Cell(str(alert.pk), links.url("alert", alert.pk)),
        "stage": alert.stage_at(now),
        "key": alert.key_id,
        "agent": alert.agent_id,
        "session": alert.session_id,
        "times": times_of(alert),
    }
