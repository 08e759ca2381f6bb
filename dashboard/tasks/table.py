"""The table of tasks: those that run first, then those that wait, failed and are done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.utils.html import format_html

from common import formatting, links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.charts import MeterPart, meter
from dashboard.figures import percent
from dashboard.tables import Cell, Column, Row, Table
from dashboard.tasks.took import seconds_of, took
from orchestration.models import Task
from orchestration.queries.pages import SubTaskCounts, sub_task_counts
from orchestration.queries.task_list import (
    SORTED_BY,
    STATES,
    TaskFilter,
    TaskNow,
    recently_ended,
    task_sums,
    tasks_now,
)

# Of more tasks the sums are not shown: a filter makes them fewer.
SUMMED_MAX = 2_000
COLUMNS = (
    Column("task", "Task", "link", sortable=False),
    Column("state", "State", "status"),
    Column("agent", "Agent", "link", sortable=False),
    Column("cost_centre", "Cost centre", "link", sortable=False),
    Column("parts", "Parts", sortable=False),
    Column("tokens", "Tokens", sortable=False),
    Column("used", "Used", "tokens", sortable=False, total=True),
    Column("budget", "Budget", "tokens", total=True),
    Column("cost", "Cost", "money", "USD", sortable=False, total=True),
    Column("started", "Submitted", "moment"),
    Column("took", "Took"),
)
_FILE_COLUMNS = (
    Column("pk", "Task", "count"),
    Column("task", "Name"),
    *(each for each in COLUMNS if each.name not in ("task", "tokens", "took")),
    Column("lent", "Lent", "tokens", total=True),
    Column("ended", "Ended", "moment"),
    Column("seconds", "Took", "count", "s"),
)
_SUMMED = ("used", "lent", "budget", "cost")
_BATCH = 500
_TEXT_MAX = 200
_LIVE_FOR = timedelta(minutes=30)
_DIGITS_MAX = 19


def tasks_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The page of tasks that the query parameters ask for; eight queries."""
    return table_of(visible_tasks(user, query), query, now=now)


def task_filter(query: Mapping[str, str]) -> TaskFilter:
    """What the query parameters filter by; what is no state filters nothing."""
    state = query.get("state", "")
    return TaskFilter(
        state=state if state in STATES else "",
        agent=_text(query, "agent"),
        cost_centre=_text(query, "cost_centre"),
        words=_text(query, "q"),
    )


def visible_tasks(user: Any, query: Mapping[str, str]) -> QuerySet[Task]:
    """The tasks that the person may see, of those that the query parameters ask for."""
    return task_filter(query).of(visible_to(user, Task.objects.all()))


def table_of(tasks: QuerySet[Task], query: Mapping[str, str], *, now: datetime) -> Table:
    """One page of `tasks`; the sums are of all of them."""
    sort = tables.sort_parameter(query, COLUMNS, default="state")
    ordered = _sorted(tasks, sort)
    page = list(_after(ordered, sort, query.get("after", ""))[: tables.PAGE_ROWS + 1])
    shown, more = page[: tables.PAGE_ROWS], page[tables.PAGE_ROWS :]
    sums = task_sums(tasks, most=SUMMED_MAX)
    return Table(
        name="tasks",
        title="Tasks",
        columns=COLUMNS,
        file_columns=_FILE_COLUMNS,
        rows=rows_of([pk for pk, _ in shown], now=now),
        totals={name: getattr(sums, name) for name in _SUMMED} if sums else {},
        sort=sort,
        count=sums.tasks if sums else SUMMED_MAX,
        is_capped=sums is None,
        next_page=_place(shown[-1]) if more else "",
        every_row=lambda: _every_row(ordered, now),
        empty="No task is as you asked.",
        named_by="pk",
    )


def rows_to_update(tasks: QuerySet[Task], shown: Sequence[Row], *, now: datetime) -> list[Row]:
    """The rows that a page may show: those of its first page, and tasks that ended just now."""
    ended = recently_ended(tasks, within=_LIVE_FOR, most=tables.PAGE_ROWS)
    known = {row["pk"] for row in shown}
    return [*shown, *rows_of([pk for pk in ended if pk not in known], now=now)]


def rows_of(pks: Sequence[int], *, now: datetime) -> list[Row]:
    """The rows of these tasks; two queries."""
    return [_row(each, now) for each in tasks_now(pks)] if pks else []


def _text(query: Mapping[str, str], name: str) -> str:
    return query.get(name, "").replace("\0", "").strip()[:_TEXT_MAX]


def _sorted(tasks: QuerySet[Task], sort: str) -> QuerySet[Any]:
    """Pairs of the id and the value that they are sorted by; of equals the newest is first."""
    rows = tasks.annotate(place=SORTED_BY[sort.removeprefix("-")])
    order = F("place").desc() if sort.startswith("-") else F("place").asc()
    return rows.order_by(order, "-pk").values_list("pk", "place")


def _after(rows: QuerySet[Any], sort: str, text: str) -> QuerySet[Any]:
    """The rows after a place in the order; all, if the text names none."""
    value, _, number = text.rpartition("_")
    try:
        place, pk = _PLACES[sort.removeprefix("-")](value), _number(number)
    except (ValueError, OverflowError):
        return rows
    than = "lt" if sort.startswith("-") else "gt"
    return rows.filter(Q(**{f"place__{than}": place}) | Q(place=place, pk__lt=pk))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS_MAX):
        raise ValueError("It is no number.")
    return int(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("The moment has no zone.")
    return moment


def _microseconds(text: str) -> timedelta:
    return timedelta(microseconds=_number(text))


_PLACES: dict[str, Callable[[str], Any]] = {
    "state": _number,
    "budget": _number,
    "started": _moment,
    "took": _microseconds,
}


def _place(row: tuple[int, Any]) -> str:
    pk, value = row
    if isinstance(value, datetime):
        value = value.isoformat()
    elif isinstance(value, timedelta):
        value = max(value // timedelta(microseconds=1), 0)
    return f"{value}_{pk}"


def _every_row(ordered: QuerySet[Any], now: datetime) -> Iterator[Row]:
    pks = [pk for pk, _ in ordered]
    for start in range(0, len(pks), _BATCH):
        yield from rows_of(pks[start : start + _BATCH], now=now)


def _row(each: TaskNow, now: datetime) -> Row:
    progress = each.progress
    task, counts = progress.task, sub_task_counts(progress)
    budget = task.budget
    label = f"{progress.used:,} tokens used and {progress.lent:,} lent of {budget:,}"
    bar = meter(
        [MeterPart(progress.used), MeterPart(progress.lent, "committed")], whole=budget, label=label
    )
    return {
        "pk": task.pk,
        "task": Cell(task.name, links.url("task", task.pk)),
        "state": each.state,
        "agent": Cell(task.agent_id, links.url("agent_budget", task.agent_id)),
        "cost_centre": Cell(task.cost_centre_id, links.url("budget", task.cost_centre_id)),
        "parts": Cell(counts.summary, picture=_parts(counts)),
        "tokens": Cell(
            label, picture=format_html("{}<small>{}</small>", bar, _used(progress.used, budget))
        ),
        "used": progress.used,
        "lent": progress.lent,
        "budget": budget,
        "cost": each.cost,
        "started": task.created_at,
        "ended": task.ended_at,
        "took": took(task.created_at, task.ended_at, now=now),
        "seconds": seconds_of(task.created_at, task.ended_at, now=now),
    }


def _parts(counts: SubTaskCounts) -> str:
    return render_to_string("dashboard/tasks/parts_bar.html", {"counts": counts})


def _used(used: int, budget: int) -> str:
    return f"{percent(formatting.percent(used, budget)).text} used"
