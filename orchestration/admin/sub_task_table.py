"""The sub-tasks of a task, as they stand below it."""

from datetime import datetime, timedelta
from typing import Any

from common import formatting
from common.admin.widgets import NOTHING
from orchestration import widgets as task_widgets
from orchestration.models import Task
from orchestration.queries.pages import beginnings
from orchestration.queries.tasks import SubTaskNow, sub_tasks_now

_MOST = 100
_CHARACTERS = 2_000


def sub_task_table(task: Task, *, now: datetime) -> dict[str, Any]:
    """What the template needs: lines, and how many more there are."""
    parts = sub_tasks_now(task, after=-1, most=_MOST + 1)
    more, parts = len(parts) > _MOST, parts[:_MOST]
    rows = beginnings(task, positions=[part.position for part in parts], characters=_CHARACTERS)
    lines = [_line(part, rows[part.position], now) for part in parts]
    return {"butler_sub_tasks": lines, "butler_sub_tasks_more": more, "butler_task": task}


def _line(part: SubTaskNow, row, now: datetime) -> dict[str, Any]:
    return {
        "part": part,
        "pk": row.pk,
        "status": task_widgets.status_badge(part.status),
        "tokens": task_widgets.tokens_bar(used=part.tokens, lent=0, of=part.share),
        "cost": formatting.dollars(part.cost),
        "took": took(part.started_at, part.ended_at, now),
        "result": row.beginning,
        "cut": row.long > _CHARACTERS,
    }


def took(started_at: datetime | None, ended_at: datetime | None, now: datetime) -> str:
    """From the beginning to the end, or until now; `—` before it began."""
    if started_at is None:
        return NOTHING
    length = max((ended_at or now) - started_at, timedelta(0))
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else formatting.duration(length)
