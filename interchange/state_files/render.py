"""Butler's state as the state files that `export_state` writes, without secrets.

Lists are rendered as objects by identity (`docs/decisions/0004`), so that two renderings can be
compared.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from django.db.models import Q, Sum

from alerts.models import Alert
from interchange.models import ImportedState
from interchange.state_files.event_types import TYPE_OF_ACTION
from interchange.state_files.files import NO_KEY
from interchange.state_files.merge import merge
from interchange.state_files.periods_of_limits import ADDED, NAMES, ORIGINAL, member
from keys import services as keys
from keys.limits import periods
from keys.models import Allocation, ApiKey, Charge, ModelAlias, ModelFallback, SettledUsage, Window
from security.models import AuditEntry

# The open window of each scope, unit and period.
_Windows = dict[tuple[str, str, str], Window]
_UNITS = ("tokens", "usd")
NO_MARKS: dict[str, list[int]] = {"alerts": [], "history": []}
_LISTS = ("alerts", "history")
_EMPTY = {
    "state": {"version": "1.0", "keys": {}, "allocations": {}, "alerts": {}, "history": {}},
    "api_keys": {"version": "1.0", "keys": {}},
}


def documents(*, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """`token-manager-state.json` and `api-keys.json` as of now.

    Imported values that have not changed since are as in the files, including those that Butler
    does not know. `timestamp` is `now` if anything has changed.
    """
    imported = ImportedState.objects.first()
    original = json.loads(imported.original) if imported else _EMPTY
    then = json.loads(imported.rendered) if imported else {"state": {}, "api_keys": {}}
    current = rendering(marks=imported.marks if imported else NO_MARKS, now=now)
    merged = merge(original, then, json.loads(json.dumps(current)))
    state, api_keys = merged["state"], merged["api_keys"]
    if merged != original or not imported:
        state = {**state, "timestamp": _iso(now)}
    lists = {name: list(state[name].values()) for name in _LISTS if name in state}
    listed = list(api_keys["keys"].values())
    return {**state, **lists}, {**api_keys, "keys": listed}


def by_identity(*, state: dict[str, Any], api_keys: dict[str, Any]) -> dict[str, Any]:
    """Both documents with their lists as objects, as they are compared and stored; no secrets."""
    lists = {
        name: {str(index): entry for index, entry in enumerate(state[name])}
        for name in _LISTS
        if name in state
    }
    keys = {
        entry["id"]: {name: value for name, value in entry.items() if name != "apiKey"}
        for entry in api_keys["keys"]
    }
    return {"state": {**state, **lists}, "api_keys": {**api_keys, "keys": keys}}


def rendering(*, marks: dict[str, list[int]], now: datetime) -> dict[str, Any]:
    """Both documents from the rows. `marks`: the ids of imported rows, in the order of the file."""
    api_keys = list(ApiKey.objects.filter(hidden_at=None).select_related("price").order_by("slug"))
    windows = {
        (window.scope, window.unit, window.limit.period): window
        for window in Window.objects.filter(closed_at=None, scope__startswith="key:")
        .select_related("limit")
        .order_by("pk")
    }
    used = _used_tokens(now=now)
    return {
        "state": {
            "keys": {key.slug: _key_state(key, windows, used, now) for key in api_keys},
            "allocations": {row.session_id: _allocation(row) for row in _allocations()},
            "alerts": dict(_alerts(marks["alerts"])),
            "history": dict(_history(marks["history"])),
        },
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
        "coolingUntil": _iso(key.cooling_until),
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
    return {"used": sums[period], "limit": None, "resetAt": _iso(ends_at)}


def _usage_of(window: Window) -> dict[str, Any]:
    """`limit` is what the limit allows, without what was carried over."""
    limit = int(window.amount - window.carried)
    return {"used": int(window.used), "limit": limit, "resetAt": _iso(window.ends_at)}


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
    """The limits of a key by period and unit; the files have one calendar for all of a key."""
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
    if calendar := next(iter(in_force.values()), None):
        limits |= {"timezone": calendar.zone, "resetHour": calendar.reset_hour}
    return limits | _if_any("carryOver", carry_over)


def _allocations() -> Iterator[Allocation]:
    return Allocation.objects.select_related("api_key").order_by("pk").iterator(chunk_size=2000)


def _allocation(row: Allocation) -> dict[str, Any]:
    return {
        "agentId": row.agent_id,
        "keyId": row.api_key_id,
        "provider": row.api_key.provider_id,
        "model": row.default_model,
        "allocated": row.allocated,
        "used": row.used,
        "status": row.status,
        "rotationThreshold": row.rotation_threshold,
        "autoRotate": row.auto_rotate,
        "createdAt": _iso(row.created_at),
        "expiresAt": _iso(row.expires_at),
        "closedAt": _iso(row.closed_at),
    }


def _alerts(imported: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    index = {pk: str(number) for number, pk in enumerate(imported)}
    for row in Alert.objects.order_by("pk"):
        yield (
            index.get(row.pk, f"pk-{row.pk}"),
            {
                "id": str(row.pk),
                "type": row.kind,
                "severity": row.severity,
                "message": row.detail if row.detail.startswith(row.title) else row.title,
                "keyId": row.key_id,
                "sessionId": row.session_id,
                "timestamp": _iso(row.raised_at),
                "acknowledged": row.acknowledged_at is not None,
                "resolved": row.is_resolved,
            },
        )


def _history(imported: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The audit entries, and every call as a `usage_update`, oldest first."""
    index = {pk: str(number) for number, pk in enumerate(imported)}
    entries = AuditEntry.objects.filter(action__in=TYPE_OF_ACTION)
    events: list[tuple[datetime | None, str, dict[str, Any]]] = [
        (row.at, index.get(row.pk, f"pk-{row.pk}"), _event(row)) for row in entries
    ]
    calls = Charge.objects.filter(status="settled").exclude(
        idempotency_key__startswith=keys.IMPORTED_CHARGE
    )
    events += [
        (row.settled_at, f"charge-{row.pk}", _call(row))
        for row in calls.select_related("allocation")
    ]
    for _, identity, entry in sorted(events, key=lambda event: event[:2]):
        yield identity, entry


def _event(row: AuditEntry) -> dict[str, Any]:
    # The first subject of each kind: for a rotation, the key that it moved to.
    about = dict(subject.split(":", 1) for subject in reversed(row.subjects))
    return {
        "timestamp": _iso(row.at),
        "type": TYPE_OF_ACTION[row.action],
        "keyId": about.get("key"),
        "agentId": about.get("agent"),
        "sessionId": about.get("session"),
        "by": row.actor,
        "reason": row.reason,
        "before": row.before,
        "after": row.after,
    }


def _call(row: Charge) -> dict[str, Any]:
    return {
        "timestamp": _iso(row.settled_at),
        "type": "usage_update",
        "keyId": row.api_key_id,
        "agentId": row.allocation.agent_id,
        "sessionId": row.allocation.session_id,
        "tokens": row.tokens,
        "inputTokens": row.input_tokens,
        "outputTokens": row.output_tokens,
        "cost": format(row.cost, "f"),
    }


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
