"""OpenRouter: `/api/v1/activity`, completed UTC days, and `/api/v1/generation`, single calls; with
money in US dollars."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from common.file_text import UnreadableError
from treasury.reconciliation import values
from treasury.reconciliation.lines import Line, LineKind
from treasury.reconciliation.reports.text import buckets, field, parsed

_QUANTITIES = {
    LineKind.CALLS: "requests",
    LineKind.INPUT: "prompt_tokens",
    LineKind.OUTPUT: "completion_tokens",
}
_FOUND = 200


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


def pack_generation(day: date, request_id: str, status: int, answer: bytes) -> bytes:
    """An answer about a call as it came, with the call that was asked for; of one that OpenRouter
    does not know, the status is all that counts."""
    about = json.dumps({"day": f"{day}", "id": request_id, "status": status})
    told = answer if status == _FOUND else json.dumps(answer.decode(errors="replace")).encode()
    return b'%s, "answer": %s}' % (about.removesuffix("}").encode(), told)


def read_generations(content: bytes, columns: Mapping[str, str]) -> list[Line]:
    """A line for each call that was asked for: what it cost or, if OpenRouter does not know it,
    that there is none. The key is not told."""
    rows = parsed(content)
    if not isinstance(rows, list):
        raise UnreadableError("The answers are no list.")
    return [_generation(row, f"Call {number}") for number, row in enumerate(rows, 1)]


def _generation(row: Any, where: str) -> Line:
    request_id = values.name(field(row, "id", where), where)
    if field(row, "status", where) != _FOUND:
        day = values.day(field(row, "day", where), where)
        return Line(day, "", "", LineKind.CALLS, Decimal(0), None, request_id=request_id)
    told = field(field(row, "answer", where), "data", where)
    if values.name(field(told, "id", where), where) != request_id:
        raise UnreadableError(f"{where}: the answer is of another call.")
    return Line(
        values.day(field(told, "created_at", where), where),
        "",
        values.name(field(told, "model", where), where),
        LineKind.COST,
        None,
        values.amount(field(told, "total_cost", where), where),
        request_id=request_id,
    )
