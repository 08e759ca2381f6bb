"""The attempts of a task over time: bars, the table behind them, and the log of what happened."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.safestring import SafeString

from common import links
from dashboard.charts.gantt import Bar, Line, gantt_svg
from dashboard.tables import Cell, Column, Row, Table
from dashboard.tasks.states import SIGNS
from dashboard.tasks.took import took
from orchestration.models import Attempt, SubTask, Task
from orchestration.queries.pages import spent_by_attempt
from orchestration.queries.parts import cost_of

# The latest attempts: of them are the bars, the table and the log.
ATTEMPTS_MAX = 200
LINES_MAX = 60
EVENTS_MAX = 40
_COLUMNS = (
    Column("part", "Part", "link", sortable=False),
    Column("number", "Try", "count", sortable=False),
    Column("status", "State", "status", sortable=False),
    Column("started", "Started", "moment", sortable=False),
    Column("ended", "Ended", "moment", sortable=False),
    Column("took", "Took", sortable=False),
    Column("tokens", "Tokens", "tokens", sortable=False),
    Column("cost", "Cost", "money", "USD", sortable=False),
    Column("error", "Error", sortable=False),
)


class Timeline(NamedTuple):
    """Bars with the parts that they are of, in lines, and the table behind them."""

    title: str
    lines: Sequence[Line]
    svg: SafeString
    table: Table


class Event(NamedTuple):
    """What happened when to which part; `name` identifies it on the page."""

    name: str
    at: datetime
    part: str
    url: str
    sign: str
    what: str


def timeline(task: Task, attempts: Sequence[Attempt], *, now: datetime) -> Timeline | None:
    """The attempts over time, `attempts` the latest first; None before the first one."""
    if not attempts:
        return None
    by_part: dict[int, list[Attempt]] = defaultdict(list)
    for attempt in reversed(attempts):
        by_part[attempt.sub_task_id].append(attempt)
    # The latest parts, if there are too many.
    lines = [_line(tries, now) for tries in list(by_part.values())[-LINES_MAX:]]
    title = "Attempts over time"
    if len(by_part) > LINES_MAX or len(attempts) == ATTEMPTS_MAX:
        title = f"The latest attempts over time, of {len(lines)} parts"
    svg = gantt_svg("task-gantt", lines, label=f"{title}; the table below has them all", now=now)
    return Timeline(title, lines, svg, _table(task, attempts, now))


def events(task: Task, attempts: Sequence[Attempt], approved: Sequence[SubTask]) -> list[Event]:
    """What happened last, the latest first."""
    happened = [
        *_of_task(task),
        *(event for attempt in attempts for event in _of_attempt(attempt)),
        *(_approval(part) for part in approved),
    ]
    return sorted(happened, key=lambda each: (each.at, each.name), reverse=True)[:EVENTS_MAX]


def _line(tries: Sequence[Attempt], now: datetime) -> Line:
    part = tries[0].sub_task
    bars = [
        Bar(
            starts_at=each.created_at,
            ends_at=each.ended_at,
            state=each.status,
            sign=SIGNS[each.status],
            words=f"{part.name}, try {each.number}: {each.status} after "
            f"{took(each.created_at, each.ended_at, now=now)}",
        )
        for each in tries
    ]
    return Line(_name(part), links.url("sub_task", part.pk), bars)


def _table(task: Task, attempts: Sequence[Attempt], now: datetime) -> Table:
    rows = [_row(each, now) for each in attempts]
    return Table(
        name="task-attempts",
        title=f"Attempts of {task.name}",
        columns=_COLUMNS,
        rows=rows,
        count=len(rows),
        is_capped=len(rows) == ATTEMPTS_MAX,
    )


def _row(each: Attempt, now: datetime) -> Row:
    tokens, _ = spent_by_attempt(each)
    return {
        "part": Cell(_name(each.sub_task), links.url("sub_task", each.sub_task_id)),
        "number": each.number,
        "status": each.status,
        "started": each.created_at,
        "ended": each.ended_at,
        "took": took(each.created_at, each.ended_at, now=now),
        "tokens": tokens,
        "cost": cost_of(each),
        "error": each.error_kind,
    }


def _of_task(task: Task) -> Iterator[Event]:
    moments = (
        ("submitted", task.created_at, "●", f"submitted by {task.agent_id}"),
        ("paused", task.paused_at, "!", task.status_reason or "paused"),
        ("ended", task.ended_at, "■", f"ended: {task.status}"),
    )
    for name, at, sign, what in moments:
        if at:
            yield Event(f"event-{name}", at, "", "", sign, f"Task {what}")


def _of_attempt(attempt: Attempt) -> Iterator[Event]:
    part, url = _name(attempt.sub_task), links.url("sub_task", attempt.sub_task_id)
    again = f", try {attempt.number}" if attempt.number > 1 else ""
    name = f"event-{attempt.pk}"
    yield Event(f"{name}-a", attempt.created_at, part, url, SIGNS["running"], f"started{again}")
    if attempt.ended_at:
        kind = attempt.error_kind
        why = f": {kind.replace('_', ' ')}" if kind and kind != attempt.status else ""
        what, sign = f"{attempt.status}{again}{why}", SIGNS[attempt.status]
        yield Event(f"{name}-b", attempt.ended_at, part, url, sign, what)


def _approval(part: SubTask) -> Event:
    what = f"approved by {part.approved_by}"
    if part.approved_reason:
        what = f"{what}: “{part.approved_reason}”"
    # Only approved parts come here.
    at = part.approved_at or part.not_before
    url = links.url("sub_task", part.pk)
    return Event(f"event-approval-{part.pk}", at, _name(part), url, SIGNS["succeeded"], what)


def _name(part: SubTask) -> str:
    return f"{part.position}. {part.name}" if part.position else part.name
