"""The overview: today's usage and cost, capacity, live allocations, tasks, alerts and events.

Each section needs the permission to view its rows, because its figures link to them, and counts
only rows that the user may see.
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
from common.admin.visible_rows import visible_to
from dashboard import organisation
from dashboard.overview import sections
from keys.books.queries import pages
from orchestration.models import Task
from orchestration.queries import pages as tasks
from security.audit_changes import changes
from security.models import AuditEntry

KEYS_SHOWN = 50
ALLOCATIONS_SHOWN = 12
TASKS_SHOWN = 6
ALERTS_SHOWN = 8
HISTORY_SHOWN = 10


def _totals(user: Any, now: datetime) -> dict[str, Any]:
    return {"totals": pages.totals(visible_to(user, pages.settled_today(now=now)), now=now)}


def _keys(user: Any, now: datetime) -> dict[str, Any]:
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


def _allocations(user: Any, now: datetime) -> dict[str, Any]:
    live = visible_to(user, pages.live_allocations(now=now))
    counts, rows = pages.live_counts(live), list(live[:ALLOCATIONS_SHOWN])
    return {"live": counts, "allocations": rows, "allocations_more": counts.live - len(rows)}


def _tasks(user: Any, now: datetime) -> dict[str, Any]:
    seen = visible_to(user, Task.objects.all())
    return {
        "tasks": tasks.open_and_recent_tasks(seen, most=TASKS_SHOWN),
        "tasks_live": tasks.open_tasks(seen).count(),
    }


def _alerts(user: Any, now: datetime) -> dict[str, Any]:
    seen = visible_to(user, alerts.open_alerts())
    counts = alerts.open_counts(seen)
    return {
        "alerts": seen[:ALERTS_SHOWN],
        "alerts_open": sum(counts.values()),
        "alerts_critical": counts["critical"],
        "alerts_more": max(sum(counts.values()) - ALERTS_SHOWN, 0),
    }


def _history(user: Any, now: datetime) -> dict[str, Any]:
    seen = visible_to(user, AuditEntry.objects.all())
    return {
        "history": [{"entry": entry, "changes": changes(entry)} for entry in seen[:HISTORY_SHOWN]]
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
    now, zone = timezone.now(), organisation.zone(request)
    stack = request.GET.get("by", "")
    context = sections.overview(request.user, stack=stack, zone=zone, now=now)
    for permission, section in _SECTIONS.items():
        if request.user.has_perm(permission):
            context |= section(request.user, now)
    return render(request, "dashboard/overview.html", context)
