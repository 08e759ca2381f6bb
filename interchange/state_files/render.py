"""Butler's rows as the values of the state files that `export_state` writes, without secrets.

Lists of keys are rendered as objects by identity (`docs/decisions/0004`), so that two renderings
can be compared. `sections` renders what there can be millions of.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django.db.models import Q, Sum

from interchange.state_files.files import NO_KEY
from interchange.state_files.periods_of_limits import ADDED, NAMES, ORIGINAL, calendar_of, member
from interchange.state_files.storable import iso
from keys.limits import periods
from keys.models import ApiKey, Limit, ModelAlias, ModelFallback, SettledUsage, Window

# The open window of each scope, unit and period.
_Windows = dict[tuple[str, str, str], Window]
_UNITS = ("tokens", "usd")


def rendering(*, now: datetime) -> dict[str, Any]:
    """Both documents from the rows, without what `sections` renders."""
    api_keys = list(ApiKey.objects.filter(hidden_at=None).select_related("price").order_by("slug"))
    windows = {
        (window.scope, window.unit, window.limit.period): window
        for window in Window.objects.filter(closed_at=None, scope__startswith="key:")
        .select_related("limit")
        .order_by("pk")
    }
    used = _used_tokens(now=now)
    return {
        "state": {"keys": {key.slug: _key_state(key, windows, used, now) for key in api_keys}},
        "api_keys": {
            "keys": {key.slug: _api_key(key, windows) for key in api_keys},
            "modelAliases": {alias.name: _alias(alias) for alias in ModelAlias.objects.all()},
            "modelFallbacks": _fallbacks(),
        },
    }


def _used_tokens(*, now: datetime) -> dict[str, dict[str, int]]:
    """Tokens of each key in total and, for keys without such limits, of today and this month."""
    day, month = (
        Q(settled_at__gte=periods.bounds(period=period, at=now, zone="UTC", reset_hour=0)[0])
        for period in ("day", "month")
    )
    sums = {
        "total": Sum("tokens"),
        "day": Sum("tokens", filter=day, default=0),
        "month": Sum("tokens", filter=month, default=0),
    }
    settled = SettledUsage.objects.filter(status="settled")
    rows = cast(Iterable[dict[str, Any]], settled.values("api_key").annotate(**sums))
    return {row["api_key"]: row for row in rows}


def _key_state(
    key: ApiKey, windows: _Windows, used: dict[str, dict[str, int]], now: datetime
) -> dict[str, Any]:
    sums = used.get(key.slug, {"day": 0, "month": 0, "total": 0})
    return {
        # The original Token Manager knows no suspended keys: they wait too.
        "status": "cooling" if key.status == "suspended" else key.status,
        "statusReason": key.status_reason,
        "coolingUntil": iso(key.cooling_until),
        "usage": {
            "daily": _usage(windows.get((key.scope, "tokens", "day")), "day", sums, now),
            "monthly": _usage(windows.get((key.scope, "tokens", "month")), "month", sums, now),
            "total": sums["total"],
            **{
                name: _usage_of(window)
                for period, name in ADDED.items()
                if (window := windows.get((key.scope, "tokens", period)))
            },
            **_if_any("carriedOver", _carried(key, windows)),
        },
    }


def _usage(
    window: Window | None, period: str, sums: dict[str, int], now: datetime
) -> dict[str, Any]:
    if window:
        return _usage_of(window)
    _, ends_at = periods.bounds(period=period, at=now, zone="UTC", reset_hour=0)
    return {"used": sums[period], "limit": None, "resetAt": iso(ends_at)}


def _usage_of(window: Window) -> dict[str, Any]:
    """`limit` is what the limit allows, without what was carried over."""
    limit = int(window.amount - window.carried)
    return {"used": int(window.used), "limit": limit, "resetAt": iso(window.ends_at)}


def _carried(key: ApiKey, windows: _Windows) -> dict[str, int | float]:
    """What was carried over into the open windows, by the member of their limits."""
    return {
        member(period, unit): _number(window.carried, unit)
        for period in NAMES
        for unit in _UNITS
        if (window := windows.get((key.scope, unit, period))) and window.carried
    }


def _number(amount: Decimal, unit: str) -> int | float:
    return int(amount) if unit == "tokens" else float(amount)


def _if_any(name: str, members: dict[str, Any]) -> dict[str, Any]:
    """A member that the files have only if it says something."""
    return {name: members} if members else {}


def _api_key(key: ApiKey, windows: _Windows) -> dict[str, Any]:
    price = key.price
    return {
        "id": key.slug,
        "provider": key.provider_id,
        "model": key.model,
        "serves": key.serves,
        "passedFields": key.passed_fields,
        "baseUrl": key.base_url,
        "priority": key.priority,
        # The original Token Manager knows no suspended keys: they wait too.
        "status": "cooling" if key.status == "suspended" else key.status,
        "requestsPerMinute": key.requests_per_minute,
        "tokensPerMinute": key.tokens_per_minute,
        "costPer1kTokens": {
            "input": float(price.input),
            "output": float(price.output),
            "cached": float(price.cached),
            "cacheWrite": float(price.cache_write),
        },
        "limits": _limits(key, windows),
    }


def _alias(alias: ModelAlias) -> dict[str, Any]:
    return {"model": alias.model, "position": alias.position}


def _fallbacks() -> dict[str, dict[str, list[str]]]:
    """By model, and in it by the percentage of the budget, or `noKey`."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in ModelFallback.objects.all():
        found.setdefault(row.model, {})[str(row.budget_percent or NO_KEY)] = row.fallbacks
    return found


def _limits(key: ApiKey, windows: _Windows) -> dict[str, Any]:
    """The limits of a key by period and unit, with the calendar of the first.

    `calendars` has those that differ, by the member of their limit.
    """
    in_force = {
        (period, unit): window.limit
        for period in (*ORIGINAL, "week", "quarter", "year", "hour")
        for unit in _UNITS
        if (window := windows.get((key.scope, unit, period)))
    }
    limits: dict[str, Any] = {
        member(period, unit): None for period in ORIGINAL for unit in _UNITS
    } | {member(*of): _number(limit.amount, of[1]) for of, limit in in_force.items()}
    carry_over = {
        member(*of): _number(limit.carry_over_max, of[1])
        for of, limit in in_force.items()
        if limit.carry_over_max is not None
    }
    if in_force:
        common = calendar_of(next(iter(in_force.values())))
        limits |= common | _if_any("calendars", _calendars(in_force, common))
    return limits | _if_any("carryOver", carry_over)


def _calendars(
    in_force: dict[tuple[str, str], Limit], common: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """The calendars that differ from `common`. Totals have no calendar."""
    return {
        member(*of): calendar_of(limit)
        for of, limit in in_force.items()
        if of[0] != "total" and calendar_of(limit) != common
    }
