"""Spend: what was used and what it cost, by time and by who used it, from slices and days."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from common.statements import fetch_unprepared
from keys.books.spend_sums import Spend, sum_of
from keys.books.sql.spend_sums import SPEND, SPEND_COLUMNS, SpendRow

__all__ = [
    "GROUPS",
    "SLICE_SECONDS",
    "Spend",
    "SpendColumn",
    "SpendFilter",
    "SpendGroup",
    "SpendPart",
    "SpendPeriod",
    "Step",
    "is_on_border",
    "slice_start",
    "spend_by",
    "spend_by_part",
    "spend_columns",
    "spend_over_time",
    "spend_total",
    "sum_of",
]

Step = Literal["quarter", "hour", "day", "month"]
# How spend can be grouped. `cost_centre`: the one that paid; `placement`: the id of where that was
# in the tree then; `centre_at`: the one below `within_centre` that it was of then.
GROUPS = (
    "provider", "key", "agent", "cost_centre", "placement", "centre_at", "label", "model",
)  # fmt: skip
SLICE_SECONDS = 15 * 60


class SpendFilter(NamedTuple):
    """A filter of usage in `[since, until)`, which begins and ends on a quarter of an hour.

    An empty tuple does not filter. `cost_centres` includes what was below them then,
    `paying_centres` only what these paid directly. `within`: the cost centres that a person is
    bound to, with those that were below them then; None: all.
    """

    since: datetime
    until: datetime
    providers: tuple[str, ...] = ()
    key_ids: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    cost_centres: tuple[str, ...] = ()
    paying_centres: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    within: tuple[str, ...] | None = None


class SpendGroup(NamedTuple):
    """The spend of one group."""

    group: str
    spend: Spend


class SpendPart(NamedTuple):
    """The spend of one subgroup of a group."""

    group: str
    subgroup: str
    spend: Spend


class SpendPeriod(NamedTuple):
    """The spend of one group in one period, which starts at a `datetime` in UTC or on a `date`."""

    starts: date
    group: str
    spend: Spend


class SpendColumn(NamedTuple):
    """The usage of one group in one period, which starts as that of a `SpendPeriod`.

    `group` is None for all groups that are not shown by themselves. `cost` is in USD.
    """

    starts: date
    group: str | None
    calls: int
    tokens: int
    cost: Decimal


def spend_total(which: SpendFilter) -> Spend:
    """What the filter's usage adds up to; one query."""
    return sum_of(row.spend for row in _rows(which))


def spend_by(which: SpendFilter, *, by: str, within_centre: str | None = None) -> list[SpendGroup]:
    """The spend of each group (see GROUPS), dearest first; one query.

    By `centre_at`: of each cost centre right below `within_centre`, with all below it, and of
    `within_centre` what it paid directly; without it, of each tree.
    """
    rows = _rows(which, by=by, within_centre=within_centre)
    groups = [SpendGroup(row.group, row.spend) for row in rows]
    return sorted(groups, key=lambda each: (-each.spend.cost, -each.spend.tokens, each.group))


def spend_by_part(
    which: SpendFilter, *, by: str, then_by: str, within_centre: str | None = None
) -> list[SpendPart]:
    """The spend of each group and, in it, of each subgroup, in no order; one query.

    `by` and `then_by` are ways to group, as in `spend_by`. With a blank `then_by`, each group has
    one subgroup, which is blank.
    """
    rows = _rows(which, by=by, then_by=then_by, within_centre=within_centre)
    return [SpendPart(row.group, row.subgroup, row.spend) for row in rows]


def spend_over_time(
    which: SpendFilter,
    *,
    step: Step,
    zone: ZoneInfo,
    by: str = "",
    within_centre: str | None = None,
) -> list[SpendPeriod]:
    """The spend of each period in `zone` that has any, and of each group; one query.

    Ordered by time and group. Periods of a `quarter` or an `hour` start with a datetime in UTC,
    days and months with a date.
    """
    rows = _rows(which, by=by, within_centre=within_centre, step=step, zone=zone.key)
    periods = [
        SpendPeriod(starts, row.group, row.spend)
        for row in rows
        if (starts := row.starts_at or row.day)
    ]
    return sorted(periods, key=lambda each: each[:2])


def spend_columns(
    which: SpendFilter,
    *,
    step: Step,
    zone: ZoneInfo,
    by: str,
    shown: Iterable[str],
    within_centre: str | None = None,
) -> list[SpendColumn]:
    """What each period in `zone` has used, of each of the groups `shown` and of all others as one;
    one query. In no order."""
    asked = _asked(which, by=by, within_centre=within_centre, step=step, zone=zone.key)
    return [
        SpendColumn(starts, row.group, row.calls, row.tokens, row.cost)
        for row in fetch_unprepared(SPEND_COLUMNS, **asked, shown=list(shown))
        if (starts := row.starts_at or row.day)
    ]


def _rows(which: SpendFilter, *, by: str = "", then_by: str = "", **asked: Any) -> list[SpendRow]:
    return fetch_unprepared(
        SPEND, **_asked(which, by=by, then_by=then_by, **asked), then_by=then_by
    )


def _asked(
    which: SpendFilter,
    *,
    by: str = "",
    then_by: str = "",
    within_centre: str | None = None,
    step: str = "",
    zone: str = "UTC",
) -> dict[str, Any]:
    if unknown := {by, then_by} - {"", *GROUPS}:
        raise ValueError(f"Spend cannot be grouped by {unknown}.")
    if not (is_on_border(which.since) and is_on_border(which.until)):
        raise ValueError("Use moments on a quarter of an hour.")
    return _as_lists(which) | {
        "by": by,
        "within_centre": within_centre,
        "step": step,
        "zone": zone,
        # They have no labels.
        "by_days": "label" not in (by, then_by)
        and not which.labels
        and step in ("", "day", "month"),
    }


def slice_start(moment: datetime) -> datetime:
    """The start of the slice that the moment is in."""
    return datetime.fromtimestamp(moment.timestamp() // SLICE_SECONDS * SLICE_SECONDS, UTC)


def is_on_border(moment: datetime) -> bool:
    """Whether a slice begins at the moment."""
    return moment.timestamp() % SLICE_SECONDS == 0


def _as_lists(which: SpendFilter) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in which._asdict().items()
    }
