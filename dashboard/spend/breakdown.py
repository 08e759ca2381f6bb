"""The table of the spend explorer: each group with its cost, share, change and tokens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from dashboard import tables
from dashboard.spend.dimensions import DIMENSIONS
from dashboard.spend.query import SpendQuery, spend_query
from dashboard.tables import Cell, Column, Row, Table
from keys.books.queries.spend import Spend, SpendFilter, spend_by
from keys.identity.queries.organisation import organisation
from keys.models import CostCentre

# The kinds of tokens, of which the table has those that occur.
_TOKEN_KINDS = {
    "input_tokens": "Input",
    "cached_tokens": "Cached",
    "cache_write_tokens": "Cache write",
    "cache_write_long_tokens": "Cache write, long",
    "audio_input_tokens": "Audio input",
    "image_input_tokens": "Image input",
    "output_tokens": "Output",
    "reasoning_tokens": "Reasoning",
    "audio_output_tokens": "Audio output",
    "image_output_tokens": "Image output",
}


@dataclass(frozen=True)
class Breakdown:
    """The spend of a view by group, now and in the period before, and what each adds up to."""

    view: SpendQuery
    now: Mapping[str, Spend]
    before: Mapping[str, Spend]

    @property
    def total(self) -> Spend:
        """The spend of all groups."""
        return sum(self.now.values(), Spend())

    @property
    def total_before(self) -> Spend:
        """The spend of all groups in the period before."""
        return sum(self.before.values(), Spend())


def breakdown(view: SpendQuery) -> Breakdown:
    """The spend of the view by group; two queries, one without a comparison."""
    before = _by_group(view, view.previous) if view.compares else {}
    return Breakdown(view, _by_group(view, view.which), before)


def _by_group(view: SpendQuery, which: SpendFilter) -> dict[str, Spend]:
    groups = spend_by(which, by=DIMENSIONS[view.by].by, within_centre=view.level)
    return {each.group: each.spend for each in groups}


def spend_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The table that the query parameters ask for, as the page and its files have it."""
    view = spend_query(user, query, organisation=organisation(), now=now)
    return table_of(breakdown(view), query)


def table_of(parts: Breakdown, query: Mapping[str, str]) -> Table:
    """The table of a breakdown, sorted and cut to the page that the query asks for."""
    view, dimension = parts.view, DIMENSIONS[parts.view.by]
    table = Table(
        name="spend",
        title=f"Spend by {dimension.title.lower()}, {view.days.label}",
        columns=_columns(view, parts.total),
        rows=list(_rows(parts)),
        totals=_figures(view, parts.total, parts.total_before, parts.total),
        sort=f"-{view.metric}",
        empty="Nothing was spent in these days.",
    )
    return tables.paged(table, query)


def _columns(view: SpendQuery, total: Spend) -> list[Column]:
    compared = [
        Column("previous", "Previous", "money", "USD", total=True),
        Column("change", "Change", "percent"),
    ]
    return [
        Column("group", DIMENSIONS[view.by].title, "link"),
        Column("cost", "Cost", "money", "USD", total=True),
        Column("share", "Share", "percent", total=True),
        *(compared if view.compares else []),
        Column("calls", "Calls", "count", total=True),
        Column("cost_per_call", "Per call", "money", "USD"),
        Column("estimated", "Estimated", "percent"),
        Column("tokens", "Tokens", "tokens", total=True),
        *(
            Column(name, title, "tokens", total=True)
            for name, title in _TOKEN_KINDS.items()
            if getattr(total, name)
        ),
    ]


def headline(parts: Breakdown) -> dict[str, Any]:
    """The figures above the chart, without the links of the table."""
    figures = _figures(parts.view, parts.total, parts.total_before, parts.total)
    return {name: tables.value(figures, name) for name in figures}


def _rows(parts: Breakdown) -> Iterable[Row]:
    """A row for each group that has spend now or had some before."""
    parents = _with_parts(parts)
    for group in dict.fromkeys([*parts.now, *parts.before]):
        spend, before = parts.now.get(group, Spend()), parts.before.get(group, Spend())
        within = replace(parts.view, filters=parts.view.with_group(parts.view.by, group))
        name = parts.view.title_of(group)
        narrower = within.url if group in parents else _narrower(within)
        yield {"group": Cell(name, narrower)} | _figures(within, spend, before, parts.total)


def _with_parts(parts: Breakdown) -> set[str]:
    """Those of the groups that are cost centres with others below them."""
    if parts.view.by != "cost_centre":
        return set()
    below = CostCentre.objects.filter(parent__in=[*parts.now, *parts.before])
    parents = below.values_list("parent", flat=True).distinct()
    return {parent for parent in parents if parent and parent != parts.view.level}


def _narrower(view: SpendQuery) -> str:
    """The view by the next dimension that is not filtered yet; its charges, if all are."""
    unfiltered = (
        name
        for name in (DIMENSIONS[view.by].next, *DIMENSIONS)
        if name not in view.filters and name != "cost_centre"
    )
    by = next(unfiltered, "")
    return replace(view, by=by).url if by else view.charges_url


def _figures(view: SpendQuery, spend: Spend, before: Spend, total: Spend) -> dict[str, Any]:
    """The figures of a row; those that are sums of charges lead to the charges."""
    tokens = {name: getattr(spend, name) for name in ("tokens", *_TOKEN_KINDS)}
    earlier = replace(view, days=view.days.previous)
    return tokens | {
        "cost": Cell(spend.cost, view.charges_url),
        "share": _percent(spend.cost, total.cost),
        "previous": Cell(before.cost, earlier.charges_url),
        "change": _percent(spend.cost - before.cost, before.cost),
        "calls": Cell(spend.calls, view.charges_url),
        "cost_per_call": cost_per_call(spend),
        "estimated": _percent(spend.estimated_cost, spend.cost),
    }


def cost_per_call(spend: Spend) -> Decimal | None:
    """USD with nine places; None without a call."""
    return round(spend.cost / spend.calls, 9) if spend.calls else None


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    return round(100 * part / whole, 6) if whole else None
