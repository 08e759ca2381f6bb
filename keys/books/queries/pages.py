"""Reads for the dashboard and the admin: meters of limits, live allocations, history.

Every function here runs a fixed number of queries, however many keys there are.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, Prefetch, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from keys.limits import periods
from keys.limits.carry_over import carried_over
from keys.limits.periods import Calendar
from keys.limits.queries.budgets import granted
from keys.models import ROTATION_NEEDED, Allocation, Limit, Organisation, Window
from security.models import AuditEntry

_NOTHING = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Meter:
    """A limit at one moment: `used`, `committed` and `free` of `amount`, in its unit, with what is
    `granted` beside it. `carried`: the part of `amount` that was carried over.

    A window whose period has ended and that is not closed yet counts as reset: nothing is used, and
    what it leaves is carried over.
    """

    limit_id: int
    window_id: int
    scope: str
    unit: str
    period: str
    amount: Decimal
    used: Decimal
    committed: Decimal
    zone: str
    starts_at: datetime
    resets_at: datetime
    granted: Decimal = _NOTHING
    carried: Decimal = _NOTHING

    @property
    def free(self) -> Decimal:
        """What can still be committed; 0 when the limit was lowered below used plus committed."""
        return self.free_with(_NOTHING)

    def free_with(self, more: Decimal | int) -> Decimal:
        """What could still be committed if the limit allowed `more`."""
        return max(self.amount + self.granted + more - self.used - self.committed, _NOTHING)


class LiveCounts(NamedTuple):
    """How many allocations can still spend, and how many of them should rotate."""

    live: int
    rotation_needed: int


def midnight(now: datetime) -> datetime:
    """The start of the day of `now` in UTC, which pages call today."""
    return periods.bounds(period="day", at=now, zone="UTC", reset_hour=0)[0]


def meter_of(limit: Limit, window: Any, *, now: datetime) -> Meter:
    """The open window of a limit as of `now`, which was read by `with_open_windows`."""
    starts_at, resets_at = _period(limit, window, now)
    amount, carried = window.amount, window.carried
    if window.ends_at <= now:
        carried = carried_over(limit, window, starts_at=starts_at, calendar=_calendar(window))
        amount = limit.amount + carried
    return Meter(
        limit_id=limit.pk,
        window_id=window.pk,
        scope=window.scope,
        unit=window.unit,
        period=limit.period,
        amount=amount,
        carried=carried,
        used=_NOTHING if window.ends_at <= now else window.used,
        committed=window.committed,
        zone=limit.zone,
        starts_at=starts_at,
        resets_at=resets_at,
    )


def _period(limit: Limit, window: Any, now: datetime) -> tuple[datetime, datetime]:
    """The period that runs: the window's, or by the calendar the one that comes after it."""
    if window.starts_at <= now < window.ends_at:
        return window.starts_at, window.ends_at
    starts_at, resets_at = periods.bounds(
        period=limit.period,
        at=now,
        zone=limit.zone,
        reset_hour=limit.reset_hour,
        calendar=_calendar(window),
    )
    return (max(starts_at, window.ends_at) if window.ends_at <= now else starts_at), resets_at


def _calendar(window: Any) -> Calendar:
    return Calendar(window.week_starts, window.fiscal_year_starts)


def with_open_windows(limits: QuerySet[Limit]) -> QuerySet[Any]:
    """A queryset of limits, each with its open window in the list `open_windows`."""
    windows = _with_calendar(Window.objects.filter(closed_at=None))
    return limits.prefetch_related(Prefetch("windows", windows, to_attr="open_windows"))


def _with_calendar(windows: QuerySet[Window]) -> QuerySet[Any]:
    """Each window with the calendar of the organisation, without a query of its own."""
    calendar = {
        name: Coalesce(Subquery(Organisation.objects.values(name)[:1]), Value(default))
        for name, default in Calendar()._asdict().items()
    }
    return windows.annotate(**calendar)


def limits_with_windows() -> "Prefetch[str, Any, Any]":
    """For `prefetch_related`: the limits in force in `limits_in_force`, each with its window."""
    limits = Limit.objects.filter(removed_at=None).order_by("unit", "period")
    return Prefetch("limits", with_open_windows(limits), to_attr="limits_in_force")


def meters_of(subject: Any, *, now: datetime) -> list[Meter]:
    """Meters of a key, agent or cost centre that was read with `limits_with_windows`."""
    return [
        meter_of(limit, window, now=now)
        for limit in subject.limits_in_force
        for window in limit.open_windows
    ]


def budget_meters(windows: QuerySet[Window], *, now: datetime) -> list[Meter]:
    """Meters of the limits with these open windows, with what grants allow in addition; one
    query."""
    rows = _with_calendar(windows.filter(closed_at=None)).select_related("limit")
    return [
        replace(meter_of(row.limit, row, now=now), granted=row.allowed_more)
        for row in rows.annotate(allowed_more=granted("limit", now)).order_by("unit", "pk")
    ]


def live_allocations(*, now: datetime) -> QuerySet[Allocation]:
    """Allocations that can still spend, the newest first."""
    return Allocation.objects.filter(status=Allocation.Status.ACTIVE, expires_at__gt=now).order_by(
        "-id"
    )


def live_counts(allocations: QuerySet[Allocation]) -> LiveCounts:
    """How many `live_allocations` or part of them there are; one query."""
    return LiveCounts(
        **allocations.aggregate(
            live=Count("pk"),
            rotation_needed=Count("pk", filter=ROTATION_NEEDED),
        )
    )


def latest_history(*, about: str, without: str = "", most: int) -> QuerySet[AuditEntry]:
    """The newest audit entries about one subject, as `key:nvidia-1`, without those of an action."""
    return AuditEntry.objects.about(about).exclude(action=without)[:most]
