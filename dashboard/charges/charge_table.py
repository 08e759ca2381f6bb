"""The table of charges: those that a figure is the sum of, page by page."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q, QuerySet

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.charges.query import ChargesQuery, charges_query
from dashboard.tables import Cell, Column, Row, Table
from keys.books.queries.spend import spend_total
from keys.books.queries.spend_charges import (
    Totals,
    charges_of,
    counted,
    totals_of_allocation,
    with_counted_cost,
)
from keys.identity.queries.organisation import organisation
from keys.models import Charge, SettledUsage

COLUMNS = (
    Column("charge", "Charge", "link", sortable=False),
    Column("settled_at", "Settled", "moment"),
    Column("cost", "Cost", "money", "USD", total=True),
    Column("tokens", "Tokens", "count", sortable=False, total=True),
    Column("agent", "Agent", "link", sortable=False),
    Column("cost_centre", "Cost centre", sortable=False),
    Column("label", "Task or label", "link", sortable=False),
    Column("model", "Model", sortable=False),
    Column("key", "API key", "link", sortable=False),
    Column("basis", "Basis", sortable=False),
)
_SUMMED = ("tokens", "cost")
# What a row shows: a file has hundreds of thousands of them.
_READ = (
    "settled_at",
    "model",
    "basis",
    *_SUMMED,
    *(f"allocation__{name}" for name in ("agent", "cost_centre", "label")),
    "api_key__model",
)
_BATCH = 2_000
_DIGITS_MAX, _COST_MAX = 19, 10**11


def charge_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The table that the query parameters ask for, as the page and its files have it."""
    return table_of(user, charges_query(user, query, organisation=organisation(), now=now), query)


def table_of(user: Any, asked: ChargesQuery, query: Mapping[str, str]) -> Table:
    """One page of the charges; the sums and the count are of all. Three queries."""
    sort = tables.sort_parameter(query, COLUMNS, default="-settled_at")
    charges = _sorted(visible_to(user, _charges(asked)), asked, sort)
    # Found by an index alone, before anything else of them is read.
    found = _after(charges, sort, query.get("after", ""))[: tables.PAGE_ROWS + 1]
    page = list(charges.filter(pk__in=found.values("pk")))
    shown, more = page[: tables.PAGE_ROWS], page[tables.PAGE_ROWS :]
    totals = _totals(user, asked)
    return Table(
        name="charges",
        title=f"Charges, {asked.label}",
        columns=COLUMNS,
        rows=[_row(charge) for charge in shown],
        totals={"tokens": totals.tokens, "cost": totals.cost},
        sort=sort,
        count=totals.calls,
        next_page=_place(shown[-1], sort) if more else "",
        every_row=lambda: _every_row(charges),
        empty="No charge was settled.",
        message=asked.view.message,
    )


def _charges(asked: ChargesQuery) -> QuerySet[Charge]:
    charges = charges_of(asked.which).only(*_READ)
    return charges.filter(allocation=asked.allocation) if asked.allocation else charges


def _totals(user: Any, asked: ChargesQuery) -> Totals:
    """What all the charges add up to: from the slices, which know no allocations."""
    if asked.allocation:
        usage = SettledUsage.objects.filter(allocation=asked.allocation)
        return totals_of_allocation(visible_to(user, usage), asked.which)
    spend = spend_total(asked.which)
    return Totals(spend.calls, spend.tokens, spend.cost)


def _sorted(charges: QuerySet[Charge], asked: ChargesQuery, sort: str) -> QuerySet[Charge]:
    name, descending = _SORTED_BY[sort.removeprefix("-")], "-" if sort.startswith("-") else ""
    if name == "counted_cost":
        charges = with_counted_cost(charges, asked.which)
    return charges.order_by(f"{descending}{name}", f"{descending}pk")


def _after(charges: QuerySet[Charge], sort: str, text: str) -> QuerySet[Charge]:
    """The charges after a place in the order; all, if the text names none."""
    column = sort.removeprefix("-")
    name = _SORTED_BY[column]
    value, _, number = text.rpartition("_")
    try:
        place = _PLACES[column](value)
        pk = _number(number)
    except (ValueError, InvalidOperation):
        return charges
    than = "lt" if sort.startswith("-") else "gt"
    return charges.filter(
        Q(**{f"{name}__{than}": place}) | Q(**{name: place, f"pk__{than}": pk}),
        **{f"{name}__{than}e": place},
    )


def _cost(text: str) -> Decimal:
    cost = Decimal(text)
    if not cost.is_finite() or abs(cost) > _COST_MAX:
        raise ValueError("It is no cost of a charge.")
    return cost


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("The moment has no zone.")
    return moment


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS_MAX):
        raise ValueError("It is no id of a charge.")
    return int(text)


# What the charges of a column that sorts are sorted by, and how such a value is read.
_SORTED_BY = {"cost": "counted_cost", "settled_at": "settled_at"}
_PLACES: dict[str, Callable[[str], Any]] = {"cost": _cost, "settled_at": _moment}


def _place(charge: Charge, sort: str) -> str:
    value = getattr(charge, _SORTED_BY[sort.removeprefix("-")])
    text = f"{value:f}" if isinstance(value, Decimal) else value.isoformat()
    return f"{text}_{charge.pk}"


def _every_row(charges: QuerySet[Charge]) -> Iterator[Row]:
    yield from map(_row, charges.iterator(chunk_size=_BATCH))


def _row(charge: Charge) -> dict[str, Any]:
    allocation, figures = charge.allocation, counted(charge, _SUMMED)
    page = links.url("charge", charge.pk)
    return {
        "charge": Cell(str(charge.pk), page),
        "settled_at": charge.settled_at,
        "agent": Cell(allocation.agent_id, links.url("agent", allocation.agent_id)),
        "cost_centre": allocation.cost_centre_id,
        "label": allocation.label,
        "model": charge.model or charge.api_key.model,
        "key": Cell(charge.api_key_id, links.url("key", charge.api_key_id)),
        "tokens": figures["tokens"],
        "cost": Cell(figures["cost"], page),
        "basis": charge.basis,
    }
