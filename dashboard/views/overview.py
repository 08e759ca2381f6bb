"""The overview: today's usage and cost, capacity, live allocations, tasks, alerts and events.

Each section needs the permission to view its rows, because its figures link to them.
"""

from datetime import datetime
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from alerts import queries as alerts
from keys.books.queries import pages
from orchestration.queries import pages as tasks
from security.audit_changes import changes

KEYS_SHOWN = 50
ALLOCATIONS_SHOWN = 12
TASKS_SHOWN = 6
ALERTS_SHOWN = 8
HISTORY_SHOWN = 10


def _totals(now: datetime) -> dict[str, Any]:
    return {"totals": pages.totals(now=now)}


def _keys(now: datetime) -> dict[str, Any]:
    counts = pages.key_counts()
    cards = pages.busiest_keys(now=now, most=KEYS_SHOWN)
    everything = sum(counts.values())
    return {
        "keys": cards,
        "keys_all": everything,
        "keys_more": everything - len(cards),
        "keys_active": counts["active"],
        "keys_out": {status: n for status, n in counts.items() if n and status != "active"},
    }


def _allocations(now: datetime) -> dict[str, Any]:
    counts = pages.live_counts(now=now)
    live = list(pages.live_allocations(now=now)[:ALLOCATIONS_SHOWN])
    return {"live": counts, "allocations": live, "allocations_more": counts.live - len(live)}


def _tasks(now: datetime) -> dict[str, Any]:
    return {
        "tasks": tasks.open_and_recent_tasks(most=TASKS_SHOWN),
        "tasks_live": tasks.open_tasks().count(),
    }


def _alerts(now: datetime) -> dict[str, Any]:
    counts = alerts.open_counts()
    return {
        "alerts": alerts.open_alerts()[:ALERTS_SHOWN],
        "alerts_open": sum(counts.values()),
        "alerts_critical": counts["critical"],
        "alerts_more": max(sum(counts.values()) - ALERTS_SHOWN, 0),
    }


def _history(now: datetime) -> dict[str, Any]:
    return {
        "history": [
            {"entry": entry, "changes": changes(entry)}
            for entry in pages.latest_history(most=HISTORY_SHOWN)
        ]
    }


_SECTIONS = {
    "keys.view_charge": _totals,
    "keys.view_apikey": _keys,
    "keys.view_allocation": _allocations,
    "orchestration.view_task": _tasks,
    "alerts.view_alert": _alerts,
    "security.view_auditentry": _history,
}


@never_cache
@require_safe
@staff_member_required
def overview(request: HttpRequest) -> HttpResponse:
    """GET /: the state of the fleet now, in a fixed number of queries."""
    now = timezone.now()
    context: dict[str, Any] = {"now": now}
    for permission, section in _SECTIONS.items():
        if request.user.has_perm(permission):
            context |= section(now)
    return render(request, "dashboard/overview.html", context)
