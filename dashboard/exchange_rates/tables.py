"""The table of exchange rates."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Column, Row, Table
from treasury.models import ExchangeRate

# Of the page and its files: the days that people look at. Programs read all of them.
_MOST = 5_000
_COLUMNS = (
    Column("day", "Day"),
    Column("base", "From"),
    Column("quote", "To"),
    Column("rate", "Rate"),
    Column("source", "Source"),
    Column("status", "Status", "status"),
    Column("reason", "Why", sortable=False),
    Column("by", "Recorded by"),
    Column("at", "When", "moment"),
)


def rates_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The rates of the currency that is asked for, the latest days first."""
    rates = ExchangeRate.objects.select_related("corrected_by").order_by("-day", "-pk")
    if quote := query.get("currency"):
        rates = rates.filter(quote=quote)
    rows: list[Row] = [_row(each) for each in visible_to(user, rates)[:_MOST]]
    return tables.paged(
        Table(
            name="exchange-rates",
            title="Exchange rates",
            columns=_COLUMNS,
            rows=rows,
            sort="-day",
            empty="No rate was recorded yet.",
        ),
        query,
    )


def _row(each: ExchangeRate) -> Row:
    is_corrected = getattr(each, "corrected_by", None) is not None
    return {
        "day": each.day.isoformat(),
        "base": each.base,
        "quote": each.quote,
        "rate": f"{each.rate.normalize():f}",
        "source": each.get_source_display(),
        "status": "corrected" if is_corrected else "counts",
        "reason": each.reason,
        "by": each.recorded_by,
        "at": each.recorded_at,
    }
