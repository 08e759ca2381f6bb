"""What the last books check found, for the footer and the page of a check."""

from datetime import datetime
from zoneinfo import ZoneInfo

from common import formatting, links
from dashboard.tables import Cell, Column, Table
from keys.models import BooksCheck

_SHOWN = 30


def outcome(check: BooksCheck | None, *, zone: ZoneInfo, now: datetime) -> str:
    """`Books checked 02:00: balanced`; a check that has not finished is never balanced."""
    if check is None:
        return "Books not checked yet"
    begun = check.begun_at.astimezone(zone)
    is_today = begun.date() == now.astimezone(zone).date()
    at = f"{begun:%H:%M}" if is_today else f"{begun.day} {begun:%b} {begun:%H:%M}"
    if check.finished_at is None:
        return f"Books check began {at}: not finished"
    return f"Books checked {at}: {_found(check)}"


def latest_checks() -> Table:
    """The last runs, the newest first."""
    return Table(
        name="books-checks",
        title="Latest books checks",
        columns=[
            Column("begun", "Began", "moment", sortable=False),
            Column("took", "Took", sortable=False),
            Column("checks", "Checks", "count", sortable=False),
            Column("found", "Found", sortable=False),
        ],
        rows=[
            {
                "begun": Cell(each.begun_at, links.url("books_check", each.pk)),
                "took": each.finished_at and formatting.duration(each.finished_at - each.begun_at),
                "checks": each.checks,
                "found": _found(each) if each.finished_at else "not finished",
            }
            for each in BooksCheck.objects.all()[:_SHOWN]
        ],
        count=BooksCheck.objects.count(),
    )


def _found(check: BooksCheck) -> str:
    if check.is_balanced:
        return "balanced"
    return f"{len(check.findings)} of {check.checks} checks found errors"
