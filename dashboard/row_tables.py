"""Tables of the page of one row: they are files too, and the row is the `slug` in the path."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.shortcuts import get_object_or_404

from common import links
from common.admin.visible_rows import visible_to
from dashboard.tables import Builder, Cell, Column, Row, Table
from keys.models import Allocation

SHOWN = 10
ModelT = TypeVar("ModelT", bound=Model)


def of_row(
    model: type[ModelT], table: Callable[[Any, ModelT, datetime], Table], *, permission: str
) -> Builder:
    """The builder of a table of one row of `model`, which the person may see."""

    def build(user: Any, query: Mapping[str, str], now: datetime) -> Table:
        if not user.has_perm(permission):
            raise PermissionDenied
        seen = visible_to(user, model._default_manager.all())
        return table(user, get_object_or_404(seen, pk=query.get("slug", "")), now)

    return build


def live_allocations_table(
    live: QuerySet[Allocation],
    *,
    name: str,
    title: str,
    columns: Sequence[Column],
    cells: Callable[[Allocation], Row],
    empty: str,
) -> Table:
    """The first of some live allocations; the file has all. `columns` with their `cells` stand
    after the session."""

    def row(each: Allocation) -> Row:
        url = links.url("allocation", each.pk)
        return {
            "session": Cell(each.session_id, url, picture=each.session_id[:13]),
            **cells(each),
            "used": each.used,
            "held": each.held,
            "allocated": each.allocated,
            "expires": each.expires_at,
        }

    shown = list(live[: SHOWN + 1])
    return Table(
        name=name,
        title=title,
        columns=[
            Column("session", "Session", "link", sortable=False),
            *columns,
            Column("used", "Used", "tokens", sortable=False),
            Column("held", "Held", "tokens", sortable=False),
            Column("allocated", "Lent", "tokens", sortable=False),
            Column("expires", "Expires", "moment", sortable=False),
        ],
        rows=[row(each) for each in shown[:SHOWN]],
        count=live.count() if len(shown) > SHOWN else len(shown),
        every_row=lambda: map(row, live.iterator()),
        prefix="allocations-",
        empty=empty,
    )
