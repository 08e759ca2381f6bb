"""OpenAI: pages of `/v1/organization/costs` and `/v1/organization/usage/completions`."""

from collections.abc import Iterator, Mapping
from typing import Any

from treasury.reconciliation import values
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.reports.text import buckets, field, results

_QUANTITIES = {
    LineKind.CALLS: "num_model_requests",
    LineKind.INPUT: "input_tokens",
    LineKind.CACHED: "input_cached_tokens",
    LineKind.CACHE_WRITE: "input_cache_write_tokens",
    LineKind.OUTPUT: "output_tokens",
}


def read_costs(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """Costs in dollars. The line item is the model, or the model with a kind of token after it.

    Its quantities are not read: what they count differs by line item, and usage tells them.
    """
    return [_cost(*each) for each in _rows(content)]


def read_usage(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """Usage: tokens and calls, without money. Input contains what was cached and written."""
    return [line for each in _rows(content) for line in _usage(*each)]


def _rows(content: bytes) -> Iterator[tuple[Any, Any, str]]:
    for number, bucket in enumerate(buckets(content), 1):
        where = f"Bucket {number}"
        day = values.day(field(bucket, "start_time", where), where)
        for row_number, row in enumerate(results(bucket, where), 1):
            yield day, row, f"{where}, result {row_number}"


def _cost(day: Any, row: Any, where: str) -> Line:
    money = field(row, "amount", where)
    amount = values.amount(field(money, "value", where), where)
    model, _, item = values.name(row.get("line_item"), where).partition(", ")
    kind = LineKind.COST
    if amount < 0 or "refund" in item.lower() or "credit" in item.lower():
        kind = LineKind.REFUND
    elif model.lower() in ("tax", "vat") or "tax" in item.lower().split():
        kind, model = LineKind.TAX, ""
    currency = values.currency(field(money, "currency", where), where)
    key = values.name(row.get("api_key_id"), where)
    return Line(day, key, model, kind, None, amount, currency)


def _usage(day: Any, row: Any, where: str) -> Iterator[Line]:
    key = values.name(field(row, "api_key_id", where), where)
    model = values.name(field(row, "model", where), where)
    for kind, name in _QUANTITIES.items():
        if row.get(name) is not None:
            yield Line(day, key, model, kind, values.quantity(row[name], where), None)
