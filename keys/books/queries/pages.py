"""Reads for the dashboard and the admin: meters of limits, busy keys, live allocations, history.

Every function here runs a fixed number of queries, however many keys there are.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import (
    Case,
    Count,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Prefetch,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Concat, Greatest

from keys.limits import periods
from keys.models import (
    ROTATION_NEEDED,
    Allocation,
    ApiKey,
    Limit,
    SettledUsage,
    Unit,
    Window,
)
from security import queries as security
from security.models import AuditEntry

_NOTHING = Decimal(0)
_SHARE = DecimalField(max_digits=30, decimal_places=9)


@dataclass(frozen=True, kw_only=True)
class Meter:
    """A limit at one moment: `used`, `committed` and `free` of `amount`, in its unit, with what is
    `granted` beside it.

    A window whose period has ended and that is not closed yet counts as reset: nothing is used.
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

    @property
    def free(self) -> Decimal:
        """What can still be committed; 0 when the limit was lowered below used plus committed."""
        return max(self.amount + self.granted - self.used - self.committed, _NOTHING)


@dataclass(frozen=True, kw_only=True)
class KeyCard:
    """An API key as the overview shows it; `unsealable` says why its secret cannot be read."""

    api_key: ApiKey
    meters: list[Meter]
    unsealable: str | None


class Totals(NamedTuple):
    """Since midnight UTC: `calls`, `tokens`, `cost` (USD). Of all daily token limits of API keys:
    `used`, `committed` and `free` of `capacity` tokens; `without_limit` keys have none.
    """

    calls: int
    tokens: int
    cost: Decimal
    used: Decimal
    committed: Decimal
    free: Decimal
    capacity: Decimal
    without_limit: int


class LiveCounts(NamedTuple):
    """How many allocations can still spend, and how many of them should rotate."""

    live: int
    rotation_needed: int


def midnight(now: datetime) -> datetime:
    """The start of the day of `now` in UTC, which pages call today."""
    return periods.bounds(period="day", at=now, zone="UTC", reset_hour=0)[0]


def meter_of(limit: Limit, window: Window, *, now: datetime) -> Meter:
    """The open window of a limit as of `now`."""
    starts_at, resets_at = periods.bounds(
        period=limit.period, at=now, zone=limit.zone, reset_hour=limit.reset_hour
    )
    return Meter(
        limit_id=limit.pk,
        window_id=window.pk,
        scope=window.scope,
        unit=window.unit,
        period=limit.period,
        amount=window.amount,
        used=_NOTHING if window.ends_at <= now else window.used,
        committed=window.committed,
        zone=limit.zone,
        starts_at=starts_at,
        resets_at=resets_at,
    )


def with_open_windows(limits: QuerySet[Limit]) -> QuerySet[Any]:
    """A queryset of limits, each with its open window in the list `open_windows`."""
    return limits.prefetch_related(
        Prefetch("windows", Window.objects.filter(closed_at=None), to_attr="open_windows")
    )


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


def settled_today(*, now: datetime) -> QuerySet[SettledUsage]:
    """What has counted since midnight UTC."""
    return SettledUsage.objects.filter(status="settled", settled_at__gte=midnight(now))


def totals(usage: QuerySet[SettledUsage], *, now: datetime) -> Totals:
    """The figures at the top of the overview, of `settled_today` or a part of it; three queries."""
    spent = usage.aggregate(
        # Aliases must not be names of columns: an aggregate hides the column with its name.
        sum_calls=Sum("calls", default=0),
        sum_tokens=Sum("tokens", default=0),
        sum_cost=Sum("cost", default=_NOTHING),
    )
    used, committed, nothing = _used_at(now), F("committed"), Value(_NOTHING)
    daily = _daily_token_windows().aggregate(
        sum_used=Sum(used, default=_NOTHING),
        sum_committed=Sum(committed, default=_NOTHING),
        sum_free=Sum(Greatest(F("amount") - used - committed, nothing), default=_NOTHING),
        capacity=Sum("amount", default=_NOTHING),
    )
    limited = Limit.objects.filter(
        api_key=OuterRef("pk"), unit=Unit.TOKENS, period="day", removed_at=None
    )
    without_limit = ApiKey.objects.filter(~Exists(limited)).count()
    return Totals(
        **{name.removeprefix("sum_"): figure for name, figure in (spent | daily).items()},
        without_limit=without_limit,
    )


def busiest_keys(*, now: datetime, most: int) -> list[KeyCard]:
    """The `most` keys with the fullest windows, the fullest first; three queries."""
    windows = Window.objects.filter(
        closed_at=None, amount__gt=0, scope=Concat(Value("key:"), OuterRef("slug"))
    )
    share = ExpressionWrapper((_used_at(now) + F("committed")) / F("amount"), output_field=_SHARE)
    fullest = windows.order_by().values("scope").annotate(share=Max(share)).values("share")
    api_keys = (
        ApiKey.objects.annotate(share=Subquery(fullest))
        .order_by(F("share").desc(nulls_last=True), "-priority", "slug")
        .prefetch_related(limits_with_windows())[:most]
    )
    return [
        KeyCard(
            api_key=api_key,
            meters=meters_of(api_key, now=now),
            unsealable=security.unsealable_reason(api_key, "secret"),
        )
        for api_key in api_keys
    ]


def key_counts() -> dict[str, int]:
    """How many API keys have each status; the result has every status."""
    counts = dict(ApiKey.objects.order_by().values_list("status").annotate(Count("pk")))
    return {status: counts.get(status, 0) for status in ApiKey.Status.values}


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


def latest_history(*, about: str, most: int) -> QuerySet[AuditEntry]:
    """The newest audit entries about one subject, as `key:nvidia-1`."""
    return AuditEntry.objects.about(about)[:most]


def _used_at(now: datetime) -> Case:
    """The amount used in an open window at `now`: 0 when the period has ended."""
    return Case(When(ends_at__gt=now, then=F("used")), default=Value(_NOTHING))


def _daily_token_windows() -> QuerySet[Window]:
    return Window.objects.filter(
        closed_at=None, unit=Unit.TOKENS, limit__period="day", limit__api_key__isnull=False
    )
