"""What cost centres and agents used on each day, as far back as a landing looks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.ranges import DateRange
from gate.rows import bindings
from keys.books.queries.spend import (
    SLICE_SECONDS,
    SpendColumn,
    SpendFilter,
    slice_start,
    spend_columns,
)
from prediction.run_rate.landing import HISTORY_DAYS

_SLICE, _DAY = timedelta(seconds=SLICE_SECONDS), timedelta(days=1)
Days = Mapping[date, Decimal]


def usage_of(user: Any, scope: str, *, zone: ZoneInfo, now: datetime) -> dict[str, Days]:
    """The usage of a cost centre or an agent by unit and day; one query."""
    kind, _, slug = scope.partition(":")
    which = _history(user, zone, now)
    if kind == "centre":
        which = which._replace(cost_centres=(slug,))
    else:
        which = which._replace(agents=(slug,))
    periods = _by_day(which, zone, by="", shown=[""])
    return {unit: {each.starts: _in(each, unit) for each in periods} for unit in ("usd", "tokens")}


def usage_of_many(
    user: Any,
    scopes: Iterable[str],
    *,
    unit: str,
    paths: Mapping[str, Sequence[str]],
    zone: ZoneInfo,
    now: datetime,
) -> Mapping[str, Days]:
    """The usage of each of `scopes` by day; two queries at most.

    `paths`: of each placement, by its id, the cost centres from the root to it. So what a cost
    centre used counts in those that were above it then.
    """
    found: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    wanted, which = set(scopes), _history(user, zone, now)
    if centres := _slugs(wanted, "centre"):
        which_centres = which._replace(cost_centres=centres)
        for each in _by_day(which_centres, zone, by="placement", shown=paths):
            for scope in wanted.intersection(
                f"centre:{slug}" for slug in paths.get(each.group or "", ())
            ):
                found[scope][each.starts] += _in(each, unit)
    if agents := _slugs(wanted, "agent"):
        for each in _by_day(which._replace(agents=agents), zone, by="agent", shown=agents):
            found[f"agent:{each.group}"][each.starts] += _in(each, unit)
    return found


def _history(user: Any, zone: ZoneInfo, now: datetime) -> SpendFilter:
    today = now.astimezone(zone).date()
    days = DateRange(today - HISTORY_DAYS * _DAY, today, zone)
    within = tuple(bindings(user)) or None
    return SpendFilter(days.starts_at, slice_start(now) + _SLICE, within=within)


def _by_day(
    which: SpendFilter, zone: ZoneInfo, *, by: str, shown: Iterable[str]
) -> list[SpendColumn]:
    return spend_columns(which, step="day", zone=zone, by=by, shown=shown)


def _slugs(scopes: Iterable[str], kind: str) -> tuple[str, ...]:
    parts = (scope.partition(":") for scope in scopes)
    return tuple(sorted(slug for each, _, slug in parts if each == kind))


def _in(column: SpendColumn, unit: str) -> Decimal:
    return column.cost if unit == "usd" else Decimal(column.tokens)
