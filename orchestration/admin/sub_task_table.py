"""The table of sub-tasks below a task."""

from datetime import datetime, timedelta
from typing import Any

from common import formatting
from common.admin.widgets import NOTHING
from orchestration import widgets as task_widgets
from orchestration.models import Task
from orchestration.queries.pages import sealed_results
from orchestration.queries.tasks import SubTaskNow, sub_tasks_now

_MOST = 100


def sub_task_table(task: Task, *, now: datetime) -> dict[str, Any]:
    """The context of `sub_tasks_below.html`: the first lines, and whether there are more."""
    sub_tasks = sub_tasks_now(task, after=-1, most=_MOST + 1)
    more, sub_tasks = len(sub_tasks) > _MOST, sub_tasks[:_MOST]
    positions = [sub_task.position for sub_task in sub_tasks]
    results = sealed_results(task, positions=positions)
    lines = [_line(sub_task, *results[sub_task.position], now) for sub_task in sub_tasks]
    return {"butler_sub_tasks": lines, "butler_sub_tasks_more": more, "butler_task": task}


def _line(sub_task: SubTaskNow, pk: int, result_bytes: int | None, now: datetime) -> dict[str, Any]:
    return {
        "sub_task": sub_task,
        "pk": pk,
        "status": task_widgets.status_badge(sub_task.status),
        "tokens": task_widgets.tokens_bar(used=sub_task.tokens, lent=0, of=sub_task.share),
        "cost": formatting.dollars(sub_task.cost),
        "duration": elapsed(sub_task.started_at, sub_task.ended_at, now),
        "result_bytes": result_bytes,
    }


def elapsed(started_at: datetime | None, ended_at: datetime | None, now: datetime) -> str:
    """The time from start to end, or until now; `—` before the start."""
    if started_at is None:
        return NOTHING
    length = max((ended_at or now) - started_at, timedelta(0))
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else formatting.duration(length)
