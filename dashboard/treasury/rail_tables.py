"""The table of rails."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from treasury.models import RailAccount
from treasury.queries import rail_kind

_COLUMNS = (
    Column("rail", "Rail", "link"),
    Column("vendor", "Vendor"),
    Column("state", "Status", "status"),
    Column("money", "Money", "status"),
    Column("can", "Can"),
    Column("tested", "Tested", "moment"),
    Column("error", "Last error", sortable=False),
)


def rails_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The organisation's accounts with vendors; one query."""
    rows: list[Row] = [
        {
            "rail": Cell(each.pk, links.url("rail", each.pk)),
            "vendor": rail_kind(each).title,
            "state": "on" if each.enabled_at else "off",
            "money": money(each),
            "can": ", ".join(sorted(rail_kind(each).capabilities)),
            "tested": each.tested_at,
            "error": each.last_error,
        }
        for each in visible_to(user, RailAccount.objects.all())
    ]
    return tables.paged(
        Table(
            name="rails",
            title="Rails",
            columns=_COLUMNS,
            rows=rows,
            sort="rail",
            empty="No rail is connected yet. Choose a vendor below; the simulator needs none.",
        ),
        query,
    )


def money(account: RailAccount) -> str:
    """Whether it is play money, in words."""
    return "play money" if account.is_play_money else "real money"
