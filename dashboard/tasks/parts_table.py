"""The table of the parts of a task, in the order of its plan."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.html import format_html

from common import formatting, links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.charts import MeterPart, meter
from dashboard.figures import tokens
from dashboard.tables import Cell, Column, Row, Table
from dashboard.tasks.took import seconds_of, took
from orchestration.models import SubTask, Task
from orchestration.queries.parts import Part, parts

_COLUMNS = (
    Column("part", "Part", "link", sortable=False),
    Column("status", "State", "status", sortable=False),
    Column("tokens", "Tokens of its share", sortable=False),
    Column("cost", "Cost", "money", "USD", sortable=False, total=True),
    Column("took", "Took", sortable=False),
    Column("key", "API key", "link", sortable=False),
    Column("tries", "Tries", "count", sortable=False),
    Column("result", "Result", "link", sortable=False),
    Column("error", "Error", sortable=False),
)
_FILE_COLUMNS = (
    Column("position", "Part", "count"),
    Column("part", "Name"),
    Column("status", "State"),
    Column("used", "Used", "tokens", total=True),
    Column("share", "Share", "tokens"),
    Column("cost", "Cost", "money", "USD", total=True),
    Column("started", "Started", "moment"),
    Column("ended", "Ended", "moment"),
    Column("seconds", "Took", "count", "s"),
    Column("key", "API key"),
    Column("tries", "Tries", "count"),
    Column("error", "Error"),
)
_PREFIX = "parts-"
_BATCH = 500
_DIGITS_MAX = 9


def parts_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The table for files, of the task whose id is the `pk` in the path of the page."""
    task = get_object_or_404(visible_to(user, Task.objects.all()), pk=query.get("pk", ""))
    return replace(table_of(task, query, now=now), count=task.sub_tasks.count())


def table_of(task: Task, query: Mapping[str, str], *, now: datetime) -> Table:
    """One page of the parts; two queries."""
    status = query.get(f"{_PREFIX}status")
    status = status if status in SubTask.Status.values else None
    after = query.get(f"{_PREFIX}after", "")
    is_place = after.isascii() and after.isdigit() and len(after) <= _DIGITS_MAX
    found = parts(
        task,
        after=int(after) if is_place else -1,
        most=tables.PAGE_ROWS + 1,
        status=status,
    )
    shown = found[: tables.PAGE_ROWS]
    return Table(
        name="task-parts",
        title=f"Parts of {task.name}",
        columns=_COLUMNS,
        file_columns=_FILE_COLUMNS,
        rows=[_row(part, now) for part in shown],
        count=len(shown),
        next_page=str(shown[-1].position) if len(found) > len(shown) else "",
        every_row=lambda: _every_row(task, status, now),
        prefix=_PREFIX,
        empty="No part is planned yet." if status is None else f"No part is {status}.",
        named_by="pk",
    )


def with_totals(table: Table, *, count: int, used: int, cost: Any) -> Table:
    """The table with what all parts add up to."""
    return replace(table, count=count, totals={"cost": cost, "tokens": _short(used)})


def _short(used: int) -> Cell:
    return Cell(f"{used:,} tokens")


def _every_row(task: Task, status: str | None, now: datetime) -> Iterator[Row]:
    after = -1
    while found := parts(task, after=after, most=_BATCH, status=status):
        yield from (_row(part, now) for part in found)
        after = found[-1].position


def _row(part: Part, now: datetime) -> Row:
    url = links.url("sub_task", part.pk)
    status = part.status
    name = f"{part.position}. {part.name}" if part.position else part.name
    gate = part.needs_approval and not part.approved_at and status == SubTask.Status.GATED
    return {
        "pk": part.pk,
        "position": part.position,
        "part": Cell(name, url),
        "status": Cell(
            status, f"{url}?act=approve" if gate else "", "Approve or refuse it" if gate else ""
        ),
        "tokens": Cell(f"{part.tokens} of {part.share}", picture=_tokens(part)),
        "used": part.tokens,
        "share": part.share,
        "cost": part.cost,
        "started": part.started_at,
        "ended": part.ended_at,
        "took": took(part.started_at, part.ended_at, now=now),
        "seconds": seconds_of(part.started_at, part.ended_at, now=now),
        "key": Cell(part.api_key, links.url("key", part.api_key) if part.api_key else ""),
        "tries": part.attempts,
        "result": Cell(f"{part.result_bytes:,} bytes", f"{url}#result")
        if part.result_bytes
        else None,
        "error": _error(part),
    }


def _tokens(part: Part) -> str:
    label = f"{part.tokens:,} of {part.share:,} tokens used"
    bar = meter([MeterPart(part.tokens)], whole=part.share, label=label)
    words = f"{tokens(part.tokens).text} of {formatting.short(part.share)}"
    return format_html('{}<small title="{}">{}</small>', bar, label, words)


def _error(part: Part) -> str:
    kind = part.error_kind.replace("_", " ")
    return f"{kind}: {part.error}" if kind and part.error else kind or part.error
