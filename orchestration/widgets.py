"""How tasks, sub-tasks and attempts look in lists and on pages."""

from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import formatting
from common.admin.widgets import Segment, badge, bar, one_line, segments_bar
from orchestration.models import Attempt, SubTask
from orchestration.queries.pages import SubTaskCounts

TASK_COLOURS = {
    "active": "info",
    "paused": "warning",
    "cancelling": "warning",
    "completed": "success",
    "partial": "warning",
    "failed": "danger",
    "cancelled": "default",
}
SUB_TASK_COLOURS = {
    "blocked": "default",
    "gated": "warning",
    "waiting": "default",
    "running": "info",
    "succeeded": "success",
    "failed": "danger",
    "cancelled": "default",
}


def status_badge(status: str) -> SafeString:
    """The status of a sub-task or an attempt as a coloured label."""
    return badge(status, SUB_TASK_COLOURS[status])


def status_with_error(row: SubTask | Attempt, *, characters: int) -> SafeString:
    """The status as a coloured label, and the beginning of the error."""
    kind = f"{row.error_kind}: " if row.error_kind else ""
    label = status_badge(row.status)
    return format_html("{} <small>{}{}</small>", label, kind, row.error[:characters])


def sub_tasks_bar(counts: SubTaskCounts) -> SafeString:
    """A bar of the sub-tasks that succeeded, failed (or were cancelled) and run, with a text."""
    succeeded = formatting.percent(counts.succeeded, counts.total)
    failed = formatting.percent(counts.failed + counts.cancelled, counts.total)
    running = formatting.percent(counts.running, counts.total)
    segments = [
        Segment(Decimal(0), succeeded, "used"),
        Segment(succeeded, failed, "hot"),
        Segment(succeeded + failed, running, "committed"),
    ]
    return segments_bar(segments, label=counts.summary)


def tokens_bar(*, used: int, lent: int, of: int) -> SafeString:
    """Tokens used and lent of a budget: a bar and its figures."""
    also = f", {formatting.group_digits(lent)} lent" if lent else ""
    figures = f"{formatting.group_digits(used)} of {formatting.group_digits(of)}{also}"
    svg = bar(used=used, committed=lent, amount=of, unit="tokens")
    return format_html("{}{}", svg, one_line(figures))
