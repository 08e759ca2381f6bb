"""The tables of savings: those that are open, and those that were followed or dismissed."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from prediction.models import Saving

_SHOWN = 500
_COLUMNS = (
    Column("subject", "Agent or key", "link"),
    Column("kind", "Kind"),
    Column("amount", "30 days", "money", unit="USD", total=True),
    Column("low", "At least", "money", unit="USD"),
    Column("high", "At most", "money", unit="USD"),
    Column("words", "What was seen", sortable=False),
    Column("todo", "What to do", "link", sortable=False),
    Column("found", "Since", "moment"),
)
_CLOSED_COLUMNS = (
    Column("subject", "Agent or key", "link"),
    Column("kind", "Kind"),
    Column("status", "Status", "status"),
    Column("amount", "30 days", "money", unit="USD"),
    Column("words", "What was seen", sortable=False),
    Column("by", "By"),
    Column("reason", "Why", sortable=False),
    Column("closed", "At", "moment"),
)
EMPTY = (
    "Nothing is sure to cost less. Each night Butler compares the API keys and models that did the "
    "same kind of work, once each has done it 30 times, and tells what is cheaper and as good."
)


def open_savings(user: Any) -> list[Saving]:
    """The open savings that the person may see, the largest first."""
    rows = Saving.objects.filter(status=Saving.Status.OPEN)
    return list(visible_to(user, rows)[:_SHOWN])


def savings_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """What is open."""
    rows = open_savings(user)
    may_prefer = user.has_perm("keys.change_apikey")
    return tables.paged(
        Table(
            name="savings",
            title="Savings",
            columns=_COLUMNS,
            rows=[_open(each, may_prefer=may_prefer) for each in rows],
            totals={"amount": sum((each.amount for each in rows), Decimal(0))} if rows else {},
            sort="-amount",
            empty=EMPTY,
        ),
        query,
    )


def _open(each: Saving, *, may_prefer: bool) -> Row:
    return {
        "subject": subject_cell(each.subject),
        "kind": each.get_kind_display(),
        "amount": each.amount,
        "low": each.amount_low,
        "high": each.amount_high,
        "words": each.words,
        "todo": _todo(each, may_prefer=may_prefer),
        "found": each.found_at,
    }


def _todo(each: Saving, *, may_prefer: bool) -> Cell:
    text = f"Lend {each.evidence['to_key']} first"
    return Cell(text, f"?act=prefer&saving={each.pk}" if may_prefer else "")


def closed_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """What was followed, dismissed, or is not found any more."""
    rows = visible_to(user, Saving.objects.exclude(status=Saving.Status.OPEN))
    return tables.paged(
        Table(
            name="closed-savings",
            title="Followed and dismissed",
            columns=_CLOSED_COLUMNS,
            rows=[
                {
                    "subject": subject_cell(each.subject),
                    "kind": each.get_kind_display(),
                    "status": each.status,
                    "amount": each.amount,
                    "words": each.words,
                    "by": each.closed_by,
                    "reason": each.reason,
                    "closed": each.closed_at,
                }
                for each in rows.order_by("-closed_at")[:_SHOWN]
            ],
            sort="-closed",
            prefix="closed-",
            empty="No saving was followed or dismissed yet.",
        ),
        query,
    )


def subject_cell(subject: str) -> Cell:
    """The agent or key that a saving is about, with its page."""
    kind, _, slug = subject.partition(":")
    return Cell(slug, links.url("agent" if kind == "agent" else "key", slug))
