"""The table of channels: what each gets, its last delivery, and what waits."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from alerts import queries as alerts
from alerts.models import Channel, Notification
from common import links
from common.admin.visible_rows import visible_to
from dashboard import tables
from dashboard.tables import Cell, Column, Row, Table

_COLUMNS = (
    Column("name", "Channel", "link"),
    Column("state", "Status", "status"),
    Column("service", "Service"),
    Column("gets", "Gets"),
    Column("last_at", "Last delivery", "moment"),
    Column("last_status", "Result", "status"),
    Column("waiting", "Waiting", "count"),
    Column("given_up", "Given up", "count"),
)


def channels_table(user: Any, query: Mapping[str, str], now: datetime) -> Table:
    """All channels; two queries."""
    channels = list(visible_to(user, alerts.channels_with_counts()))
    last = _last_deliveries(channels)
    return tables.paged(
        Table(
            name="channels",
            title="Channels",
            columns=_COLUMNS,
            rows=[_row(channel, last.get(channel.pk), now) for channel in channels],
            sort="name",
            empty="Nobody is told of alerts yet. Add the first channel.",
        ),
        query,
    )


def state(channel: Channel, now: datetime) -> str:
    """Whether messages are sent through the channel: `enabled`, `resting` or `disabled`."""
    if channel.disabled_at:
        return "disabled"
    return "resting" if channel.is_resting(now) else "enabled"


def service(channel: Channel) -> str:
    """What the channel sends by, as people call it."""
    if channel.is_webhook:
        return "signed webhook"
    return channel.service or "Apprise"


def gets(channel: Channel) -> str:
    """Which alerts the channel gets, in words."""
    kinds = ", ".join(kind.replace("_", " ") for kind in channel.kinds) or "all kinds"
    above = "" if channel.severity_min == "critical" else " and above"
    return f"{channel.severity_min}{above}: {kinds}"


def _last_deliveries(channels: Iterable[Any]) -> dict[Any, Notification]:
    ids = [channel.last_delivery for channel in channels]
    return {each.channel_id: each for each in Notification.objects.filter(pk__in=ids)}


def _row(channel: Any, last: Notification | None, now: datetime) -> Row:
    own = {
        "name": Cell(channel.name, links.url("channel", channel.pk)),
        "state": state(channel, now),
        "service": service(channel),
        "gets": gets(channel),
        "waiting": Cell(
            channel.waiting_count, links.url("notifications", channel=channel.pk, status="waiting")
        ),
        "given_up": Cell(
            channel.given_up_count,
            links.url("notifications", channel=channel.pk, status="given_up"),
        ),
    }
    if last is None:
        return own
    result = Cell(last.get_status_display().lower(), links.url("notification", last.pk))
    return own | {"last_at": last.sent_at or last.queued_at, "last_status": result}
