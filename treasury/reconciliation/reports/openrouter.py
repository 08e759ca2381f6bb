"""OpenRouter: `/api/v1/activity`, completed UTC days with money in US dollars."""

from collections.abc import Iterator, Mapping
from typing import Any

from treasury.reconciliation import values
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.reports.text import buckets, field

_QUANTITIES = {
    LineKind.CALLS: "requests",
    LineKind.INPUT: "prompt_tokens",
    LineKind.OUTPUT: "completion_tokens",
}


def read_activity(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """A line for the cost and for each quantity of a row. The key is a hash, if it was asked for.

    Cached tokens are not read: there may be more of them than of the input.
    """
    rows = enumerate(buckets(content), 1)
    return [line for number, row in rows for line in _lines(row, f"Row {number}")]


def _lines(row: Any, where: str) -> Iterator[Line]:
    # The date may have the time of its midnight.
    day = values.day(str(field(row, "date", where))[:10], where)
    model = values.name(field(row, "model", where), where)
    key = values.name(row.get("api_key_hash"), where)
    amount = values.amount(field(row, "usage", where), where)
    kind = LineKind.REFUND if amount < 0 else LineKind.COST
    yield Line(day, key, model, kind, None, amount)
    for kind, name in _QUANTITIES.items():
        quantity = values.quantity(field(row, name, where), where)
        yield Line(day, key, model, kind, quantity, None)
