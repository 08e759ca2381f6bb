"""The tables of the page of one API key."""

from datetime import datetime
from typing import Any

from django.db.models import Q

from common import links
from common.admin.visible_rows import visible_to
from dashboard.row_tables import SHOWN, live_allocations_table
from dashboard.tables import Cell, Column, Table
from keys.books.queries.pages import live_allocations
from keys.books.queries.spend_charges import counted
from keys.models import ApiKey, Charge, Rotation


def allocations_table(user: Any, api_key: ApiKey, now: datetime) -> Table:
    """Its live allocations; the file has all of them."""
    return live_allocations_table(
        visible_to(user, live_allocations(now=now)).filter(api_key=api_key),
        name="key-allocations",
        title=f"Live allocations on {api_key.pk}",
        columns=[Column("agent", "Agent", "link", sortable=False)],
        cells=lambda each: {"agent": Cell(each.agent_id, links.url("agent", each.agent_id))},
        empty="Nobody has an allocation on this key now.",
    )


def charges_table(user: Any, api_key: ApiKey, now: datetime) -> Table:
    """Its latest charges, each with its adjustments."""
    settled = Charge.objects.filter(api_key=api_key, status="settled")
    seen = visible_to(user, settled).select_related("allocation").prefetch_related("adjustments")
    charges = list(seen.order_by("-settled_at", "-pk")[:SHOWN])
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
            }
            | counted(each, ("tokens", "cost"))
            for each in charges
        ],
        count=len(charges),
        prefix="charges-",
        empty="No call on this key has been settled.",
    )


def rotations_table(user: Any, api_key: ApiKey, now: datetime) -> Table:
    """The latest rotations from it or to it."""
    moved = Rotation.objects.filter(Q(from_key=api_key) | Q(to_key=api_key)).order_by("-id")
    rotations = list(moved[:SHOWN])
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
            for each in rotations
        ],
        count=len(rotations),
        prefix="rotations-",
        empty="No session moved to or from this key.",
    )
