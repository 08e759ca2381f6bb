"""The text of a notification."""

from collections.abc import Iterator
from typing import TypedDict

from django.conf import settings

from alerts.models import Alert, Notification
from common import links

_SUBJECTS = (("API key", "key_id"), ("Agent", "agent_id"), ("Session", "session_id"))


class Message(TypedDict):
    """What `apprise_transport.send` takes besides the URL. `severity` chooses icon and colour."""

    title: str
    body: str
    severity: str


def message(notification: Notification) -> Message:
    """The message to send: what happened, what it means, what to do, and a link to the alert."""
    alert = notification.alert
    if alert is None:
        return Message(
            title="Butler: test message",
            body=f"The channel {notification.channel.name} works.",
            severity="info",
        )
    return Message(
        title=f"[{alert.severity}] {alert.title}",
        body="\n".join([*_lines(alert), _address(alert)]),
        severity=alert.severity,
    )


def _lines(alert: Alert) -> Iterator[str]:
    yield from filter(None, (alert.detail, alert.meaning))
    if alert.remedy:
        yield f"What to do: {alert.remedy}"
    for label, field in _SUBJECTS:
        if value := getattr(alert, field):
            yield f"{label}: {value}"
    yield f"Raised: {alert.raised_at:%Y-%m-%d %H:%M:%S} UTC"


def _address(alert: Alert) -> str:
    return settings.PUBLIC_URL + links.url("alert", alert.pk)
