"""The table of sub-tasks below a task."""

from datetime import datetime, timedelta
from typing import Any

from common import formatting
from common.admin.widgets import NOTHING
from orchestration import widgets as task_widgets
from orchestration.models import SubTask, Task
from orchestration.queries.pages import beginnings
from orchestration.queries.tasks import SubTaskNow, sub_tasks_now

_MOST = 100
_CHARACTERS = 2_000


def sub_task_table(task: Task, *, now: datetime) -> dict[str, Any]:
    """The context of `sub_tasks_below.html`: lines, and whether there are more."""
    parts = sub_tasks_now(task, after=-1, most=_MOST + 1)
    more, parts = len(parts) > _MOST, parts[:_MOST]
    rows = beginnings(task, positions=[part.position for part in parts], characters=_CHARACTERS)
    lines = [_line(part, rows[part.position], now) for part in parts]
    return {"butler_sub_tasks": lines, "butler_sub_tasks_more": more, "butler_task": task}


def _line(part: SubTaskNow, row: SubTask, now: datetime) -> dict[str, Any]:
    return {
        "part": part,
        "pk": row.pk,
        "status": task_widgets.status_badge(part.status),
        "tokens": task_widgets.tokens_bar(used=part.tokens, lent=0, of=part.share),
        "cost": formatting.dollars(part.cost),
        "duration": elapsed(part.started_at, part.ended_at, now),
        "result": vars(row)["beginning"],
        "cut": vars(row)["long"] > _CHARACTERS,
    }


def elapsed(started_at: datetime | None, ended_at: datetime | None, now: datetime) -> str:
    """The time from start to end, or until now; `—` before the start."""
    if started_at is None:
        return NOTHING
    length = max((ended_at or now) - started_at, timedelta(0))
    seconds = length.total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else formatting.duration(length)
