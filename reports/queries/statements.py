"""Charge-back statements: what a cost centre pays for a closed month."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import QuerySet, Sum

from keys.books.queries.spend import SpendFilter, spend_total
from reports.models import CLOSED_MEASURES, CloseLine, MonthClose

_MILLION = 1_000_000


class StatementLine(NamedTuple):
    """What one agent used with one model for one label, in tokens and USD.

    `corrects` is the month that a correction is of, such as `2026-03`; blank for usage of the
    month itself. `cached_tokens` and `cache_write_tokens` are among the `input_tokens`.
    """

    corrects: str
    agent: str
    model: str
    label: str
    calls: int
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    tokens: int
    cost: Decimal

    @property
    def rate(self) -> Decimal | None:
        """What a million tokens cost on average; None without tokens."""
        return self.cost * _MILLION / self.tokens if self.tokens else None


class Statement(NamedTuple):
    """The statement of a cost centre for a closed month. Amounts are in USD.

    Only what the cost centre paid itself is in it, not what those below it paid: so each cent is in
    one statement. `previous` is the total of the month before; None if that was not closed.
    `later` is what the books have of the month now beyond `usage`: it is in a later statement.
    """

    close: MonthClose
    cost_centre: str
    lines: list[StatementLine]
    previous: Decimal | None
    later: Decimal

    @property
    def usage(self) -> Decimal:
        """The cost of calls of the month."""
        return sum((line.cost for line in self.lines if not line.corrects), Decimal(0))

    @property
    def corrections(self) -> Decimal:
        """What months closed before had changed by."""
        return sum((line.cost for line in self.lines if line.corrects), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What the cost centre pays."""
        return self.usage + self.corrections


def statement(close: MonthClose, cost_centre: str) -> Statement:
    """The statement of a cost centre: its frozen lines, and what the books have now; four
    queries."""
    lines = statement_lines(close, cost_centre)
    which = SpendFilter(close.starts_at, close.ends_at, paying_centres=(cost_centre,))
    usage = sum((line.cost for line in lines if not line.corrects), Decimal(0))
    return Statement(
        close=close,
        cost_centre=cost_centre,
        lines=lines,
        previous=_previous_total(close, cost_centre),
        later=spend_total(which).cost - usage,
    )


def statement_lines(close: MonthClose, cost_centre: str) -> list[StatementLine]:
    """The lines of a statement, usage before corrections; one query."""
    return [_line(row) for row in _sums(close.lines.filter(cost_centre=cost_centre))]


def _sums(lines: QuerySet[CloseLine]) -> Iterable[Mapping[str, Any]]:
    """The days of each group added up."""
    groups = ("corrects__month", "agent", "model_name", "label")
    sums = {f"{name}_sum": Sum(name) for name in CLOSED_MEASURES}
    rows = lines.order_by().values(*groups).annotate(**sums)
    return sorted(rows, key=lambda row: (str(row["corrects__month"] or ""), *_names(row)))


def _names(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["agent"], row["model_name"], row["label"]


def _line(row: Mapping[str, Any]) -> StatementLine:
    corrects = row["corrects__month"]
    figures = {
        name: row[f"{name}_sum"] for name in CLOSED_MEASURES if name in StatementLine._fields
    }
    agent, model, label = _names(row)
    month = f"{corrects:%Y-%m}" if corrects else ""
    return StatementLine(corrects=month, agent=agent, model=model, label=label, **figures)


def _previous_total(close: MonthClose, cost_centre: str) -> Decimal | None:
    previous = MonthClose.objects.standing().filter(ends_at=close.starts_at).first()
    if previous is None:
        return None
    total: Decimal = previous.lines.filter(cost_centre=cost_centre).aggregate(
        total=Sum("cost", default=Decimal(0))
    )["total"]
    return total
