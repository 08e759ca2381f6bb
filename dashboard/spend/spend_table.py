"""The table of the spend explorer: each group with its cost, share, change and tokens, and its
subgroups below it.

The page has the largest groups, and those of their subgroups; the rest is the row "Other", so what
is shown always adds up. Files have every row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from dashboard import tables
from dashboard.spend.breakdown import Breakdown, Spends, breakdown, cost_per_call, largest
from dashboard.spend.dimensions import DIMENSIONS
from dashboard.spend.query import SpendQuery, spend_query
from dashboard.tables import Cell, Column, Row, Table
from keys.books.queries.spend import Spend, sum_of
from keys.identity.queries.organisation import organisation
from keys.models import CostCentre

GROUPS_MAX = 500
# With subgroups, a page has so many groups, and of each so many subgroups.
PAGE_GROUPS, SUBGROUPS_MAX = 20, 5
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
_NOTHING = Spend()


def spend_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The table that the query parameters ask for, as the page and its files have it."""
    view = spend_query(user, query, organisation=organisation(), now=now)
    return table_of(breakdown(view), query)


def table_of(parts: Breakdown, query: Mapping[str, str]) -> Table:
    """The table of a breakdown, sorted and cut to the page that the query asks for."""
    view, columns = parts.view, _columns(parts)
    titles = [DIMENSIONS[name].title for name in (view.by, view.subgroup) if name]
    groups = largest(parts.now, parts.before, view.metric)
    table = tables.paged(
        Table(
            name="spend",
            title=f"Spend by {' and '.join(titles).lower()}, {view.days.label}",
            columns=[Column("group", titles[0], "link"), *columns],
            rows=_group_rows(parts, groups[:GROUPS_MAX]),
            totals=_linked(view, headline(parts)),
            sort=f"-{view.metric}",
            empty="Nothing was spent in these days.",
            message=view.message,
        ),
        query,
        page_rows=PAGE_GROUPS if view.subgroup else tables.PAGE_ROWS,
    )
    rest = [] if table.next_page else groups[GROUPS_MAX:]
    names = ("group", "subgroup")
    return replace(
        table,
        rows=[*_page_rows(parts, table), *_other(parts.now, parts.before, rest, parts.total)],
        count=sum(parts.subgroups(group) for group in groups),
        shown=sum(min(parts.subgroups(row["name"]), SUBGROUPS_MAX) for row in table.rows),
        every_row=lambda: _every_row(parts, groups, table.sort),
        file_columns=[*map(Column, names[: len(titles)], titles), *columns],
    )


def _columns(parts: Breakdown) -> list[Column]:
    compared = [
        Column("previous", "Previous", "money", "USD", total=True),
        Column("change", "Change", "percent"),
    ]
    return [
        Column("cost", "Cost", "money", "USD", total=True),
        Column("share", "Share", "percent", total=True),
        *(compared if parts.view.compares else []),
        Column("calls", "Calls", "count", total=True),
        Column("cost_per_call", "Per call", "money", "USD"),
        Column("estimated", "Estimated", "percent"),
        Column("tokens", "Tokens", "tokens", total=True),
        *(
            Column(name, title, "tokens", total=True)
            for name, title in _TOKEN_KINDS.items()
            if getattr(parts.total, name)
        ),
    ]


def headline(parts: Breakdown) -> Row:
    """The figures of the whole view."""
    return _figures(parts.total, parts.total_before, parts.total)


def _every_row(parts: Breakdown, groups: Sequence[str], sort: str) -> Iterator[Row]:
    """The rows of files: each subgroup of each group, or each group."""
    rows = tables.in_order(_group_rows(parts, groups), sort)
    if not parts.view.subgroup:
        yield from rows
        return
    for row in rows:
        names = largest(*parts.of_group(row["name"]), parts.view.metric)
        for part in tables.in_order(_subgroup_rows(parts, row["name"], names), sort):
            yield {**part, "group": row["group"], "subgroup": part["group"]}


def _page_rows(parts: Breakdown, table: Table) -> Iterator[Row]:
    """The groups of a page with their links, each with its subgroups below it."""
    view, parents = parts.view, _with_parts(parts)
    for row in table.rows:
        group = row["name"]
        within = replace(view, filters=view.with_group(view.by, group))
        url = within.url if group in parents else _narrower(within)
        yield {**_linked(within, row), "group": Cell(row["group"], url)}
        if view.subgroup:
            yield from _parts_of_group(parts, group, within, table.sort)


def _parts_of_group(parts: Breakdown, group: str, within: SpendQuery, sort: str) -> Iterator[Row]:
    now, before = parts.of_group(group)
    names = largest(now, before, parts.view.metric)
    shown, rest = names[:SUBGROUPS_MAX], names[SUBGROUPS_MAX:]
    for row in tables.in_order(_subgroup_rows(parts, group, shown), sort):
        filters = within.with_group(within.subgroup, row["name"])
        narrower = replace(within, filters=filters)
        cell = Cell(row["group"], _narrower(narrower), is_part=True)
        yield {**_linked(narrower, row), "group": cell}
    for other in _other(now, before, rest, parts.total):
        yield {**other, "group": Cell(other["group"], is_part=True)}


def _group_rows(parts: Breakdown, groups: Sequence[str]) -> list[Row]:
    return _rows(parts, parts.view.by, parts.now, parts.before, groups)


def _subgroup_rows(parts: Breakdown, group: str, names: Sequence[str]) -> list[Row]:
    return _rows(parts, parts.view.subgroup, *parts.of_group(group), names)


def _rows(
    parts: Breakdown, dimension: str, now: Spends, before: Spends, names: Sequence[str]
) -> list[Row]:
    """A row for each of the groups `names`: beside its columns, it has the `name` itself."""
    return [
        {"name": name, "group": parts.view.title_of(dimension, name)}
        | _figures(now.get(name, _NOTHING), before.get(name, _NOTHING), parts.total)
        for name in names
    ]


def _other(now: Spends, before: Spends, names: Sequence[str], total: Spend) -> list[dict[str, Any]]:
    """What is not shown, as one row; none, if all is shown."""
    if not names:
        return []
    spend, earlier = (
        sum_of(spends[name] for name in names if name in spends) for spends in (now, before)
    )
    return [{"group": f"Other ({len(names):,})"} | _figures(spend, earlier, total)]


def _with_parts(parts: Breakdown) -> set[str]:
    """Those of the groups that are cost centres with others below them."""
    if parts.view.by != "cost_centre":
        return set()
    below = CostCentre.objects.filter(parent__in=[*parts.now, *parts.before])
    parents = below.values_list("parent", flat=True).distinct()
    return {parent for parent in parents if parent and parent != parts.view.level}


def _narrower(view: SpendQuery) -> str:
    """The view by its subgroups, or by the next dimension that is not filtered yet; its charges, if
    all are."""
    unfiltered = (
        name
        for name in (view.subgroup, DIMENSIONS[view.by].next, *DIMENSIONS)
        if name and name not in view.filters and name != "cost_centre"
    )
    by = next(unfiltered, "")
    return view.grouped(by).url if by else view.charges_url


def _figures(spend: Spend, before: Spend, total: Spend) -> dict[str, Any]:
    return {name: getattr(spend, name) for name in ("cost", "calls", "tokens", *_TOKEN_KINDS)} | {
        "share": _percent(spend.cost, total.cost),
        "previous": before.cost,
        "change": _percent(spend.cost - before.cost, before.cost),
        "cost_per_call": cost_per_call(spend),
        "estimated": _percent(spend.estimated_cost, spend.cost),
    }


def _linked(view: SpendQuery, row: Row) -> Row:
    """The row, whose figures that are sums of charges lead to the charges."""
    earlier = replace(view, days=view.days.previous)
    return {
        **row,
        "cost": Cell(row["cost"], view.charges_url),
        "previous": Cell(row["previous"], earlier.charges_url),
        "calls": Cell(row["calls"], view.charges_url),
    }


def _percent(part: Decimal, whole: Decimal) -> Decimal | None:
    return round(100 * part / whole, 6) if whole else None
