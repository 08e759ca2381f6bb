"""The tables of differences and of runs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from treasury.models import Difference, DifferenceStatus, ReconciliationRun
from treasury.models.amounts import ZERO

_MOST = 5_000
# Filters of the page, by their query parameters, which have the names of columns of the rows.
FILTERS = ("provider", "account", "status", "kind", "day")
_COLUMNS = (
    Column("difference", "Difference", "link"),
    Column("status", "Status", "status"),
    Column("day", "Day (UTC)"),
    Column("provider", "Provider or account"),
    Column("kind", "Kind"),
    Column("api_key", "Key"),
    Column("model", "Model"),
    Column("own", "Butler", "money", "USD", total=True),
    Column("theirs", "Provider's", "money", "USD"),
    Column("amount", "Difference by", "money", "USD"),
    Column("currency", "Currency"),
    Column("evidence", "Evidence", sortable=False),
    Column("reason", "Why settled", sortable=False),
)
_RUN_COLUMNS = (
    Column("run", "Comparison"),
    Column("provider", "Provider"),
    Column("since", "From"),
    Column("until", "Through"),
    Column("own", "Butler", "money", "USD", total=True),
    Column("theirs", "Provider's", "money", "USD", total=True),
    Column("found", "Differences", "count"),
    Column("by", "By"),
    Column("at", "When", "moment"),
)


def asked_filters(query: Mapping[str, str]) -> dict[str, str]:
    """The filters of the page; without a status, those that are open."""
    asked = {name: query[name] for name in FILTERS if query.get(name)}
    asked.setdefault("status", DifferenceStatus.OPEN)
    return asked


def differences_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The differences that the filters ask for, the largest first."""
    asked: dict[str, Any] = asked_filters(query)
    if asked["status"] == "all":
        del asked["status"]
    if "day" in asked:
        asked["day__in"] = _days(asked.pop("day"))
    if "account" in asked:
        asked["account__name"] = asked.pop("account")
    found = visible_to(user, Difference.objects.filter(**asked).select_related("account"))
    rows = [_row(each) for each in found[:_MOST]]
    rows.sort(key=lambda row: abs(row["amount"] or ZERO), reverse=True)
    return tables.paged(
        Table(
            name="differences",
            title="Differences",
            columns=_COLUMNS,
            rows=rows,
            totals={"own": sum((row["own"] or ZERO for row in rows), ZERO)},
            empty="No difference is open: bills and statements agree with what Butler has, or "
            "nothing was compared yet.",
        ),
        query,
    )


def _days(text: str) -> list[str]:
    try:
        return [datetime.strptime(text, "%Y-%m-%d").date().isoformat()]  # noqa: DTZ007 - a day
    except ValueError:
        return []


def _row(each: Difference) -> dict[str, Any]:
    is_usd = each.currency == "USD"
    return {
        "difference": Cell(each.pk, links.url("difference", each.pk)),
        "status": each.status,
        "day": each.day.isoformat(),
        "provider": each.provider_id or str(each.account),
        "kind": each.kind.replace("_", " "),
        "api_key": each.api_key,
        "model": each.model,
        # Money is shown in USD; in another currency, the evidence has it.
        "own": each.own if is_usd or each.provider_id else None,
        "theirs": each.theirs if is_usd else None,
        "amount": each.amount if is_usd else None,
        "currency": each.currency,
        "evidence": each.evidence,
        "reason": each.reason,
    }


def runs_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The comparisons, the latest first."""
    found = visible_to(user, ReconciliationRun.objects.all())[:_MOST]
    rows: list[Row] = [
        {
            "run": each.pk,
            "provider": each.provider_id,
            "since": each.since.isoformat(),
            "until": each.until.isoformat(),
            "own": each.own,
            "theirs": each.theirs,
            "found": each.found,
            "by": each.run_by,
            "at": each.run_at,
        }
        for each in found
    ]
    return tables.paged(
        Table(
            name="reconciliation-runs",
            title="Comparisons",
            columns=_RUN_COLUMNS,
            rows=rows,
            sort="-run",
            totals={
                name: sum((tables.value(row, name) for row in rows), ZERO)
                for name in ("own", "theirs")
            },
            prefix="runs-",
            empty="Nothing was compared yet.",
        ),
        query,
    )
