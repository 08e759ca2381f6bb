"""The delivery log as a table: which channel was told what, and what came of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from alerts import queries as alerts
from alerts.models import Channel, Notification
from alerts.models.notification import NotificationQuerySet
from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table

_COLUMNS = (
    Column("notification", "Delivery", "link", sortable=False),
    Column("status", "Status", "status", sortable=False),
    Column("what", "What", "link", sortable=False),
    Column("channel", "Channel", "link", sortable=False),
    Column("queued_at", "Queued", "moment", sortable=False),
    Column("sent_at", "Sent", "moment", sortable=False),
    Column("attempts", "Tries", "count", sortable=False),
    Column("answer", "Answer", sortable=False),
    Column("last_error", "Last error", sortable=False),
    Column("next_attempt_at", "Next try", "moment", sortable=False),
)
_FILE_COLUMNS = (
    *_COLUMNS,
    Column("delivery_id", "Delivery id"),
    Column("again_of", "Sent again of"),
)
_BATCH = 1_000
_DIGITS_MAX = 18
# Those that are queued or failed: they are still to be sent.
WAITING = "waiting"
COUNT_MAX = 10_000


@dataclass(frozen=True)
class LogQuery:
    """What the query parameters `status`, `channel`, `alert` and `after` ask for."""

    status: str = ""
    channel: UUID | None = None
    alert: int = 0
    after: int = 0

    def url(self, **changes: Any) -> str:
        """The log as asked for, with changes, from its first row."""
        asked = {"status": self.status, "channel": self.channel, "alert": self.alert} | changes
        filters = {name: str(value) for name, value in asked.items() if value}
        return links.url("notifications", **filters)


def log_query(query: Mapping[str, str]) -> LogQuery:
    """What the query parameters ask for; what cannot be read is left out."""
    status = query.get("status", "")
    return LogQuery(
        status=status if status in (WAITING, *Notification.Status.values) else "",
        channel=as_uuid(query.get("channel", "")),
        alert=_number(query.get("alert", "")),
        after=_number(query.get("after", "")),
    )


def as_uuid(text: str) -> UUID | None:
    """The UUID that the text is; None if it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _number(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    return int(text) if is_number else 0


def of_all_statuses(user: Any, asked: LogQuery) -> NotificationQuerySet:
    """The rows asked for, of every status, the newest first."""
    wanted = {"channel": asked.channel, "alert": asked.alert}
    filters = {name: value for name, value in wanted.items() if value}
    rows: Any = visible_to(user, alerts.deliveries().order_by("-pk").filter(**filters))
    found: NotificationQuerySet = rows
    return found


def deliveries_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """One page of the delivery log; two queries."""
    asked = log_query(query)
    found = of_all_statuses(user, asked)
    if asked.status == WAITING:
        found = found.waiting()
    elif asked.status:
        found = found.filter(status=asked.status)
    page = found.filter(pk__lt=asked.after) if asked.after else found
    rows = list(page[: tables.PAGE_ROWS + 1])
    shown, more = rows[: tables.PAGE_ROWS], rows[tables.PAGE_ROWS :]
    count = found.order_by().values("pk")[: COUNT_MAX + 1].count()
    return Table(
        name="deliveries",
        title="Delivery log",
        columns=_COLUMNS,
        file_columns=_FILE_COLUMNS,
        rows=[_row(each) for each in shown],
        count=min(count, COUNT_MAX),
        is_capped=count > COUNT_MAX,
        next_page=str(shown[-1].pk) if more else "",
        every_row=lambda: _every_row(found),
        empty="No delivery is as you asked.",
    )


def _every_row(found: QuerySet[Notification]) -> Iterator[Row]:
    for each in found.iterator(chunk_size=_BATCH):
        yield _row(each)


def what(notification: Notification) -> Cell:
    """What the notification tells, with the page of its alert."""
    if notification.alert is None:
        return Cell("Digest" if notification.is_digest else "Test message")
    return Cell(notification.alert.title, links.url("alert", notification.alert.pk))


def channel_cell(channel: Channel) -> Cell:
    """The channel with its page; that of a person is no page of its own."""
    if channel.is_person:
        return Cell(channel.name, links.url("user", channel.person_id))
    return Cell(channel.name, links.url("channel", channel.pk))


def _row(each: Notification) -> Row:
    return {
        "notification": Cell(str(each.pk), links.url("notification", each.pk)),
        "status": each.get_status_display().lower(),
        "what": what(each),
        "channel": channel_cell(each.channel),
        "queued_at": each.queued_at,
        "sent_at": each.sent_at,
        "attempts": each.attempts,
        "answer": each.answer,
        "last_error": each.last_error,
        "next_attempt_at": each.next_attempt_at if each.is_unfinished else None,
        "delivery_id": str(each.delivery_id),
        "again_of": str(each.again_of_id or ""),
    }
