"""What the page of one task shows."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from common import links
from dashboard.charts import MeterPart, meter
from dashboard.ranges import DateRange
from dashboard.tasks.acts import TASK_ACTS
from dashboard.tasks.graph import NODES_MAX, graph, legend
from dashboard.tasks.parts_table import table_of, with_totals
from dashboard.tasks.timeline import ATTEMPTS_MAX, events, timeline
from dashboard.tasks.took import took
from keys.books.queries.pages import latest_history
from keys.services import TASK_LABEL
from orchestration.models import SubTask, Task
from orchestration.queries.pages import sub_task_counts
from orchestration.queries.parts import graph_parts, latest_attempts
from orchestration.queries.task_list import tasks_now
from security.audit_changes import changes

_HISTORY_SHOWN = 10
_DAY = timedelta(days=1)


def live_detail(
    user: Any, task: Task, query: Mapping[str, str], *, zone: ZoneInfo, now: datetime
) -> dict[str, Any]:
    """What changes on the page; nine queries for any number of parts."""
    [current] = tasks_now([task.pk])
    progress = current.progress
    attempts = list(latest_attempts(task)[:ATTEMPTS_MAX])
    parts = graph_parts(task, most=NODES_MAX)
    table = table_of(task, query, now=now)
    if not query.get("parts-status"):
        # The planning step is a part, too, but none of the plan.
        table = with_totals(
            table, count=_count(progress.total, attempts), used=progress.used, cost=current.cost
        )
    return {
        "task": task,
        "acts": [act for act in TASK_ACTS if act.is_for(user, task)],
        "current": current,
        "counts": sub_task_counts(progress),
        "bar": _bar(progress),
        "took": took(task.created_at, task.ended_at, now=now),
        "spend_url": spend_url(task, zone=zone, now=now)
        if user.has_perm("keys.view_charge")
        else "",
        "graph": graph(parts) if parts else "",
        "legend": legend(),
        "nodes_max": NODES_MAX,
        "timeline": timeline(task, attempts, now=now),
        "events": events(task, attempts, _approved(task)),
        "parts": table,
        "now": now,
    }


def history(user: Any, task: Task) -> list[dict[str, Any]] | None:
    """The latest changes by people and agents; None for those who may not see the audit."""
    if not user.has_perm("security.view_auditentry"):
        return None
    entries = latest_history(about=f"task:{task.pk}", most=_HISTORY_SHOWN)
    return [{"entry": entry, "changes": changes(entry)} for entry in entries]


def spend_url(task: Task, *, zone: ZoneInfo, now: datetime) -> str:
    """The spend of the task by model, over the days on which it can have spent."""
    first, today = (each.astimezone(zone).date() for each in (task.created_at, now))
    # What an attempt used may be settled after the task has ended.
    last = min(today, task.ended_at.astimezone(zone).date() + _DAY) if task.ended_at else today
    days = DateRange(first, max(first, last), zone)
    which = urlencode({"by": "model", "label": f"{TASK_LABEL}{task.pk}"})
    return f"{links.url('spend')}?{days.query}&{which}"


def _count(total: int, attempts: Any) -> int:
    return total + any(each.sub_task.position == 0 for each in attempts)


def _bar(progress: Any) -> Any:
    budget = progress.task.budget
    label = f"{progress.used:,} tokens used and {progress.lent:,} lent of {budget:,}"
    used = "hot" if progress.task.overrun else "used"
    parts = [MeterPart(progress.used, used), MeterPart(progress.lent, "committed")]
    return meter(parts, whole=budget, label=label)


def _approved(task: Task) -> list[SubTask]:
    rows = SubTask.objects.filter(task=task, approved_at__isnull=False).order_by("-approved_at")
    return list(
        rows.only(
            *("task_id", "position", "name", "not_before"),
            *("approved_at", "approved_by", "approved_reason"),
        )[:ATTEMPTS_MAX]
    )
