"""Anthropic: pages of the analytics and of the older cost and usage reports of an organization."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from common.file_text import UnreadableError
from treasury.reconciliation import values
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.reports.text import buckets, field, results

# Amounts are decimal strings in cents.
_CENTS = 100


def read_cost(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """Rows of `analytics/cost` (group, cost), or buckets of `cost_report` (results)."""
    return [_cost(*each) for each in _rows(content)]


def read_usage(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """Buckets of `usage_report/messages`: input is what was not cached, read and written."""
    return [line for each in _rows(content) for line in _usage(*each)]


def _rows(content: bytes) -> Iterator[tuple[Any, Any, str]]:
    for number, bucket in enumerate(buckets(content), 1):
        where = f"Row {number}"
        day = values.day(field(bucket, "starting_at", where), where)
        if isinstance(bucket, dict) and "results" not in bucket:
            yield day, bucket, where
            continue
        for row_number, row in enumerate(results(bucket, where), 1):
            yield day, row, f"{where}, result {row_number}"


def _cost(day: Any, row: Any, where: str) -> Line:
    group = row.get("group", row) if isinstance(row, dict) else row
    money = row.get("cost", row) if isinstance(row, dict) else row
    amount = values.amount(field(money, "amount", where), where, per_unit=_CENTS)
    currency = values.currency(field(money, "currency", where), where)
    key = values.name(field({"api_key_id": None, **group}, "api_key_id", where), where)
    model = values.name(group.get("model"), where)
    kind = LineKind.REFUND if amount < 0 else LineKind.COST
    if str(group.get("cost_type")).lower() == "tax":
        kind = LineKind.TAX
    return Line(day, key, model, kind, None, amount, currency)


def _usage(day: Any, row: Any, where: str) -> Iterator[Line]:
    key = values.name(field(row, "api_key_id", where), where)
    model = values.name(field(row, "model", where), where)
    written = row.get("cache_creation") or {}
    if not isinstance(written, dict):
        raise UnreadableError(f"{where}: cache_creation is no object.")
    cached = values.quantity(field(row, "cache_read_input_tokens", where), where)
    cache_write = sum((values.quantity(each, where) for each in written.values()), Decimal(0))
    rest = values.quantity(field(row, "uncached_input_tokens", where), where)
    output = values.quantity(field(row, "output_tokens", where), where)
    for kind, quantity in (
        (LineKind.INPUT, rest + cached + cache_write),
        (LineKind.CACHED, cached),
        (LineKind.CACHE_WRITE, cache_write),
        (LineKind.OUTPUT, output),
    ):
        yield Line(day, key, model, kind, quantity, None)
