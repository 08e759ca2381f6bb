"""The table of decisions: who decided what, when and why, the latest first."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.approvals.items import Item, approval_item, gate_item
from dashboard.tables import Cell, Column, Row, Table
from orchestration.models import SubTask
from orchestration.queries.gates import VIEW, approved_gates
from security.deciders import visible_approvals
from security.delegations import delegations_to
from security.models import Approval

COUNT_MAX = 10_000
_COLUMNS = (
    Column("what", "What", "link", sortable=False),
    Column("status", "Decision", "status", sortable=False),
    Column("decided_by", "By", sortable=False),
    Column("decided_at", "When", "moment", sortable=False),
    Column("decided_reason", "Why", sortable=False),
    Column("effect", "Effect", sortable=False),
    Column("asked_by", "Asked by", sortable=False),
    Column("reason", "Asked because", sortable=False),
)


def done_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The page of decisions that the query parameter `after` asks for."""
    count = sum(rows[: COUNT_MAX + 1].count() for rows in _rows(user, now))
    start = tables.offset(query.get("after", ""), min(count, COUNT_MAX))
    end = start + tables.PAGE_ROWS
    return Table(
        name="approvals",
        title="Decisions",
        columns=_COLUMNS,
        rows=[_row(item) for item in islice(_items(user, now, most=end), start, end)],
        count=min(count, COUNT_MAX),
        is_capped=count > COUNT_MAX,
        next_page=str(end) if end < min(count, COUNT_MAX) else "",
        every_row=lambda: map(_row, _items(user, now)),
        empty="Nothing has been decided yet.",
    )


def _rows(user: Any, now: datetime) -> tuple[QuerySet[Approval], QuerySet[SubTask]]:
    gates = visible_to(user, approved_gates())
    seen = visible_approvals(user, now=now).exclude(status=Approval.Status.ASKED)
    approvals = seen.order_by("-decided_at", "-pk")
    found = gates if user.has_perm(VIEW) else gates.none()
    for each in delegations_to(user, now=now):
        found = found | approved_gates().filter(delegation=each)
    return approvals, found.order_by("-approved_at", "-pk")


def _items(user: Any, now: datetime, *, most: int | None = None) -> Iterator[Item]:
    """All decisions, or the latest `most`; two queries."""
    approvals, gates = _rows(user, now)
    return merge(
        (approval_item(each, now=now) for each in approvals[:most].iterator()),
        (gate_item(each) for each in gates[:most].iterator()),
        key=_decided_at,
        reverse=True,
    )


def _decided_at(item: Item) -> Any:
    return item.decided_at


def _row(item: Item) -> Row:
    return {
        "what": Cell(item.title, item.url),
        "status": item.status,
        "decided_by": item.decided_by,
        "decided_at": item.decided_at,
        "decided_reason": item.decided_reason,
        "effect": item.effect,
        "asked_by": item.asked_by,
        "reason": item.reason,
    }
