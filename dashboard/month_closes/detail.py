"""What the page of a month shows: its checklist, or its frozen figures and what changed since."""

from decimal import Decimal
from typing import Any, NamedTuple

from common import links
from dashboard.month_closes.acts import Month
from dashboard.tables import Cell, Column, Row, Table
from keys.books.queries.spend import SpendFilter, spend_total
from keys.models import BooksCheck
from reports.models import MonthClose
from reports.month_periods import MonthPeriod
from reports.queries.closed_centres import CentreClose, centres_of
from reports.queries.month_closes import BILL, later_adjustments
from security.audit_changes import changes
from security.models import AuditEntry

_SHOWN = 20
_FIGURES = ("calls", "tokens", "usage", "corrections", "shared", "mark_up", "total", "later")


class ItemLine(NamedTuple):
    """An item of the checklist, and the page on which it can be seen to."""

    says: str
    figure: str
    is_met: bool
    waiver: str
    url: str


def detail(user: Any, month: Month) -> dict[str, Any]:
    """The context of the page."""
    context: dict[str, Any] = {"month": month, "close": month.close}
    context["items"] = _items(user, month)
    if month.close:
        context |= _closed(month.close)
    else:
        spend = spend_total(SpendFilter(month.period.starts_at, month.period.ends_at))
        context["figures"] = spend
    if user.has_perm("security.view_auditentry"):
        entries = AuditEntry.objects.about(f"month:{month.period.slug}")[:_SHOWN]
        context["history"] = [{"entry": entry, "changes": changes(entry)} for entry in entries]
    return context


def _items(user: Any, month: Month) -> list[ItemLine]:
    pages = _pages(user, month.period)
    if month.close:
        return [
            ItemLine(each["says"], each["figure"], each["is_met"], each["waiver"], "")
            for each in month.close.checklist
        ]
    return [
        ItemLine(item.says, item.figure, item.is_met, "", pages.get(_about(item.name), ""))
        for item in month.items
    ]


def _about(name: str) -> str:
    """The name of an item, without the provider that it is about."""
    return BILL if name.startswith(BILL) else name


def _pages(user: Any, period: MonthPeriod) -> dict[str, str]:
    """Where each item is seen to, of the pages that the person may see."""
    pages = {
        "order": ("reports.view_monthclose", links.url("months")),
        "books": ("keys.view_bookscheck", _latest_check()),
        "holds": ("keys.view_allocation", links.url("allocations")),
        "estimates": ("keys.view_charge", links.url("spend")),
        "prices": ("keys.view_price", links.url("prices")),
        "approvals": ("security.view_approval", links.url("approvals")),
        "days": ("keys.view_charge", links.url("spend")),
        "differences": ("treasury.view_difference", links.url("reconciliation")),
        "rail_statements": ("treasury.view_railstatement", links.url("rail_statements")),
        "shares": ("reports.view_costshare", links.url("cost_shares")),
        BILL: ("treasury.view_difference", links.url("reconciliation")),
        "unallocated": ("reports.view_costshare", links.url("cost_shares")),
    }
    return {name: url for name, (permission, url) in pages.items() if user.has_perm(permission)}


def _latest_check() -> str:
    latest = BooksCheck.objects.order_by("-begun_at").first()
    return links.url("books_check", latest.pk) if latest else ""


def _closed(close: MonthClose) -> dict[str, Any]:
    centres = centres_of(close)
    later = sum((each.later for each in centres), Decimal(0))
    return {
        "figures": close,
        "corrections": sum((each.corrections for each in centres), Decimal(0)),
        "mark_up": sum((each.mark_up for each in centres), Decimal(0)),
        "later": later,
        "centres": _centre_table(close, centres),
        "adjustments": later_adjustments(close)[:_SHOWN],
    }


def _centre_table(close: MonthClose, centres: list[CentreClose]) -> Table:
    return Table(
        name="closed-centres",
        title=f"Cost centres of {close.name}",
        columns=[
            Column("centre", "Cost centre", "link", sortable=False),
            Column("calls", "Calls", "count", sortable=False),
            Column("tokens", "Tokens", "tokens", sortable=False),
            Column("usage", "Usage", "money", "USD", sortable=False),
            Column("corrections", "Corrections of earlier months", "money", "USD", sortable=False),
            Column("shared", "Shared costs", "money", "USD", sortable=False),
            Column("mark_up", "Mark-up", "money", "USD", sortable=False),
            Column("total", "Total", "money", "USD", sortable=False),
            Column("later", "Changed since", "money", "USD", sortable=False),
        ],
        rows=[_centre_row(close, each) for each in centres],
        totals={name: sum(getattr(each, name) for each in centres) for name in _FIGURES},
        count=len(centres),
    )


def _centre_row(close: MonthClose, each: CentreClose) -> Row:
    return {
        "centre": Cell(each.cost_centre, links.url("statement", close.slug, each.cost_centre)),
        **{name: getattr(each, name) for name in _FIGURES},
    }
