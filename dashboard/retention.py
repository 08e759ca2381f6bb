"""Retention: for how long single charges are kept, and the months of charges that there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms

from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.acts import Act, ActForm, Outcome
from dashboard.tables import Column, Row, Table
from keys import services as keys
from keys.books.queries.partitions import partition_sizes
from keys.models import CHARGES_KEPT_MONTHS_MIN, ChargePartition, Organisation
from security.actor import Actor

_FOR_EVER = ""
_CHOICES = [CHARGES_KEPT_MONTHS_MIN, 15, 18, 24, 36, 48, 60, 84, 120]

_COLUMNS = [
    Column("month", "Lent in"),
    Column("status", "Status", "status"),
    Column("charges", "Charges", "count", total=True),
    Column("tokens", "Tokens", "tokens", total=True),
    Column("cost", "Cost", "money", "USD", total=True),
    Column("settled_until", "Last settled", "moment"),
    Column("bytes", "Bytes on disk", "count", total=True),
    Column("deleted", "Deleted", "moment"),
]


class RetentionForm(ActForm):
    """Asks for how long charges are kept, and why."""

    months = forms.TypedChoiceField(
        label="Keep single charges for",
        choices=[
            (_FOR_EVER, "ever"),
            *((months, f"{months} months") for months in _CHOICES),
        ],
        coerce=int,
        empty_value=None,
        required=False,
        help_text="Counted after the month in which a call was settled. Sums of usage, closed "
        "months and the audit are always kept.",
    )
    field_order = ["months", "reason"]


def _propose(
    organisation: Organisation, asked: dict[str, Any], actor: Actor, now: datetime
) -> Outcome:
    approval = keys.propose_retention(**asked, actor=actor, now=now)
    return approval or "Single charges are kept for longer from now on."


ACTS = [
    Act(
        name="keep",
        button="Change how long charges are kept",
        about="To keep charges for longer counts at once. To keep them for less long deletes old "
        "charges for good, so a second person must approve it, who sees how many. A month is only "
        "deleted when it is closed.",
        permission="keys.set_charge_retention",
        form=RetentionForm,
        perform=_propose,
    )
]


def partition_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The months of charges: how many, how large, and which are deleted."""
    sizes = partition_sizes()
    seen = visible_to(user, ChargePartition.objects.all())
    rows = [_row(partition, sizes.get(partition.table, 0)) for partition in seen]
    table = Table(
        name="charge-months",
        title="Months of charges",
        columns=_COLUMNS,
        rows=rows,
        sort="-month",
        totals={name: sum(tables.value(row, name) or 0 for row in rows) for name in _SUMMED},
    )
    return tables.paged(table, query)


_SUMMED = [column.name for column in _COLUMNS if column.total]


def _row(partition: ChargePartition, size: int) -> Row:
    # They are counted when the month is complete.
    counted = {name: getattr(partition, name) for name in ("charges", "tokens", "cost")}
    return {
        "month": f"{partition.month:%Y-%m}",
        "status": partition.status,
        **(counted if partition.completed_at else dict.fromkeys(counted)),
        "settled_until": partition.settled_until,
        "bytes": size,
        "deleted": partition.dropped_at,
    }
