"""The table of API keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string

from common import formatting, links
from dashboard import tables
from dashboard.api_keys.lines import KeyLine, key_lines
from dashboard.tables import Cell, Column, Row, Table
from keys.books.queries.pages import Meter
from keys.identity.queries.organisation import organisation
from keys.limits import periods
from keys.models import ApiKey

_COLUMNS = (
    Column("key", "Key", "link"),
    Column("status", "Status", "status"),
    Column("reason", "Why"),
    Column("limits", "Limits", sortable=False),
    Column("exhausted_at", "Used up before its reset", "moment"),
    Column("burn", "Pace", "tokens", "an hour"),
    Column("cost", "Cost today", "money", "USD", total=True),
    Column("calls", "Calls", "count", total=True),
    Column("refused", "Refused", "count", total=True),
    Column("errors", "Unanswered", "count", total=True),
    Column("used", "Used", "percent"),
    Column("provider", "Provider"),
    Column("model", "Model"),
)
_STATUSES = {*ApiKey.Status.values, "frozen"}


def keys_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The keys that the query parameters `provider`, `status` and `idle` ask for."""
    return tables.paged(table_of(shown_lines(user, query, now)[0], now), query)


def shown_lines(user: Any, query: Mapping[str, str], now: datetime) -> tuple[list[KeyLine], int]:
    """The keys that the query asks for, and how many idle ones are not among them.

    `hidden=1` asks for the hidden ones, which are in no other list.
    """
    zone = ZoneInfo(organisation().reporting_zone)
    provider, status = query.get("provider", ""), query.get("status", "")
    is_hidden = query.get("hidden") == "1"
    rows = ApiKey.objects.filter(hidden_at__isnull=not is_hidden)
    if provider:
        rows = rows.filter(provider=provider.replace("\0", ""))
    lines = key_lines(user, rows, zone=zone, now=now)
    if status in _STATUSES:
        lines = [line for line in lines if line.status == status]
    if is_hidden or provider or status in _STATUSES or query.get("idle") == "1":
        return lines, 0
    busy = [line for line in lines if not line.is_idle]
    return busy, len(lines) - len(busy)


def table_of(lines: list[KeyLine], now: datetime) -> Table:
    """The table of these keys, the worst first."""
    return Table(
        name="keys",
        title="API keys",
        columns=_COLUMNS,
        rows=[_row(line, now) for line in lines],
        totals={
            "cost": sum(line.today.cost for line in lines),
            "calls": sum(line.today.calls for line in lines),
            "refused": sum(line.today.released for line in lines),
            "errors": sum(line.today.expired for line in lines),
        },
        empty="No API key is as you asked.",
        named_by="key",
    )


def _row(line: KeyLine, now: datetime) -> Row:
    key, today = line.api_key, line.today
    spent = {"api_key": key.pk, "range": "today"}
    return {
        "key": Cell(key.pk, links.url("key", key.pk)),
        "provider": key.provider_id,
        "model": key.model,
        "status": line.status,
        "reason": line.reason,
        "limits": Cell("; ".join(map(limit_text, line.meters)), picture=_bars(line, now)),
        "used": line.used_percent,
        "burn": line.burn.tokens,
        "exhausted_at": line.exhausted_at,
        "cost": Cell(today.cost, links.url("spend", **spent)),
        "calls": today.calls,
        "refused": today.released,
        "errors": today.expired,
    }


def limit_text(meter: Meter) -> str:
    """`640k of 1M tokens a day, 120k committed`."""
    used, committed, amount = (
        formatting.quantity(number, unit=meter.unit)
        for number in (meter.used, meter.committed, meter.amount)
    )
    unit = " tokens" if meter.unit == "tokens" else ""
    lent = f", {committed} committed" if meter.committed else ""
    return f"{used} of {amount}{unit} {periods.phrase(meter.period)}{lent}"


def _bars(line: KeyLine, now: datetime) -> str:
    meters = [(meter, limit_text(meter)) for meter in line.meters]
    return render_to_string("dashboard/keys/bars.html", {"meters": meters, "now": now})
