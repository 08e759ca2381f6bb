"""The table of whole tasks: what was forecast beside what they took."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from orchestration.models import Task
from orchestration.queries.task_forecasts import TaskForecast, task_forecasts

_NEWEST = 200
_COLUMNS = (
    Column("task", "Task", "link"),
    Column("status", "Status", "status"),
    Column("ended", "Ended", "moment"),
    Column("parts", "Parts", "count"),
    Column("attempts", "Attempts", "count"),
    Column("p50", "P50", "tokens"),
    Column("p90", "P90", "tokens"),
    Column("tokens", "Used", "tokens"),
    Column("cost_p50", "Cost at P50", "money", "USD"),
    Column("cost_p90", "Cost at P90", "money", "USD"),
    Column("cost", "Cost", "money", "USD"),
)


def forecast_tasks_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The newest tasks that have ended and whose parts all had a learned forecast."""
    ended = visible_to(user, Task.objects.filter(status__in=Task.ENDED)).order_by("-pk")
    return tables.paged(
        Table(
            name="forecast-tasks",
            title="Tasks: forecast and actual",
            columns=_COLUMNS,
            rows=[_row(each) for each in task_forecasts(list(ended[:_NEWEST]))],
            sort="-ended",
            prefix="tasks-",
            empty="No task whose parts had a learned forecast has ended yet.",
        ),
        query,
    )


def _row(each: TaskForecast) -> Row:
    return {
        "task": Cell(each.task.name, links.url("task", each.task.pk)),
        "status": each.task.status,
        "ended": each.task.ended_at,
        "parts": each.parts,
        "attempts": each.attempts,
        "p50": each.p50,
        "p90": each.p90,
        "tokens": each.tokens,
        "cost_p50": each.cost_p50,
        "cost_p90": each.cost_p90,
        "cost": each.cost,
    }
