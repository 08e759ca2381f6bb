"""Tables of scheduled reports: those of a person, and the runs of one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from common import links
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table
from reports.models import ReportDelivery, ReportRun, ReportSchedule

_RUNS = 200
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def report_schedules_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The person's own; three queries."""
    rows = ReportSchedule.objects.filter(owner=user).select_related("channel")
    return tables.paged(
        Table(
            name="report-schedules",
            title="Scheduled reports of you",
            columns=[
                Column("name", "Report", "link"),
                Column("status", "Status", "status"),
                Column("when", "When"),
                Column("to", "To"),
                Column("next", "Next", "moment"),
            ],
            rows=[_schedule_row(each) for each in rows.prefetch_related("persons")],
            sort="name",
            empty="You have no scheduled reports yet.",
        ),
        query,
    )


def _schedule_row(schedule: ReportSchedule) -> Row:
    return {
        "name": Cell(schedule.name, links.url("report_schedule", schedule.pk)),
        "status": "paused" if schedule.paused_at else "active",
        "when": when(schedule),
        "to": receivers(schedule),
        "next": None if schedule.paused_at else schedule.next_at,
    }


def when(schedule: ReportSchedule) -> str:
    """When it is sent, in words."""
    at = f"at {schedule.hour:02}:00" + (f" in {schedule.zone}" if schedule.zone else "")
    if schedule.frequency == ReportSchedule.Frequency.WEEKLY:
        return f"every {_WEEKDAYS[schedule.on_day or 0]} {at}"
    if schedule.frequency == ReportSchedule.Frequency.MONTHLY:
        return f"on day {schedule.on_day} of each month {at}"
    return f"every day {at}"


def receivers(schedule: ReportSchedule) -> str:
    """To whom it is sent."""
    names = sorted(person.get_username() for person in schedule.persons.all())
    return ", ".join([*names, *([schedule.channel.name] if schedule.channel else [])])


def report_runs_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """The latest runs of the person's schedule that the parameter `pk` names; three queries."""
    number = query.get("pk", "")
    pk = int(number) if number.isascii() and number.isdecimal() and len(number) < 18 else 0
    runs = ReportRun.objects.filter(schedule=pk, schedule__owner=user)[:_RUNS]
    related = ("deliveries__person", "deliveries__channel")
    return tables.paged(
        Table(
            name="report-runs",
            title="Runs of the report",
            columns=[
                Column("due", "Of", "moment"),
                Column("status", "Status", "status"),
                Column("why", "Why"),
                Column("rows", "Rows", "count"),
                Column("total", "Total in the file"),
                Column("sent", "Sent to"),
            ],
            rows=[_run_row(run) for run in runs.prefetch_related(*related)],
            sort="-due",
            empty="It was not sent yet.",
        ),
        query,
    )


def _run_row(run: ReportRun) -> Row:
    return {
        "due": run.due_at,
        "status": run.status,
        "why": run.error or ("test" if run.is_test else run.asked_by or "by its schedule"),
        "rows": run.rows,
        "total": run.total,
        "sent": "; ".join(map(_delivery, run.deliveries.all())),
    }


def _delivery(delivery: ReportDelivery) -> str:
    receiver = delivery.person or delivery.channel
    said = f", {delivery.answer}" if delivery.answer else ""
    return f"{receiver}: {delivery.status}{said}"
