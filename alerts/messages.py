"""What a notification says: a text for people, or a JSON object for the program of a webhook."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, TypedDict

from alerts.models import Alert, Notification, Severity
from alerts.queries import alerts_of_digest
from common import links
from common.public_urls import absolute

_TEST_TITLE = "Butler: test message"
_ALERT_MEMBERS = (
    "kind",
    "severity",
    "title",
    "detail",
    "meaning",
    "remedy",
    "facts",
    "key_id",
    "agent_id",
    "session_id",
    "raised_at",
)
_SUBJECTS = (("API key", "key_id"), ("Agent", "agent_id"), ("Session", "session_id"))


class Message(TypedDict):
    """What `apprise_transport.send` takes besides the URL. `severity` chooses icon and colour."""

    title: str
    body: str
    severity: str


def message(notification: Notification) -> Message:
    """The message to send: what happened, what it means, what to do, and a link to the alert."""
    alert = notification.alert
    if notification.is_digest:
        return _digest(notification)
    if alert is None:
        return Message(
            title=_TEST_TITLE,
            body=f"{_test_body(notification)}\n{_delivery(notification)}",
            severity="info",
        )
    return Message(
        title=f"[{alert.severity}] {alert.title}",
        body="\n".join([*_lines(alert), _delivery(notification), _address(alert)]),
        severity=alert.severity,
    )


def payload(notification: Notification, *, now: datetime) -> dict[str, Any]:
    """The object that a webhook gets: `type`, `timestamp` and `data`, as Standard Webhooks asks.

    `data.again_of` is the delivery id of the notification that a person had sent again.
    """
    alert, first = notification.alert, notification.again_of
    again = {"again_of": first.delivery_id} if first else {}
    if notification.is_digest:
        alerts = [_members(each, now=now) for each in alerts_of_digest(notification)]
        data = {"title": _digest_title(len(alerts)), "alerts": alerts}
        return {"type": "digest", "timestamp": notification.queued_at, "data": data | again}
    if alert is None:
        data = {"title": _TEST_TITLE, "detail": _test_body(notification)}
        return {"type": "test", "timestamp": notification.queued_at, "data": data | again}
    members = _members(alert, now=now)
    return {"type": "alert", "timestamp": notification.queued_at, "data": members | again}


def _digest(notification: Notification) -> Message:
    alerts = alerts_of_digest(notification)
    lines = [f"[{each.severity}] {each.title}\n{_address(each)}" for each in alerts]
    return Message(
        title=_digest_title(len(alerts)),
        body="\n".join([*lines, _delivery(notification)]),
        severity=max((each.severity for each in alerts), key=_rank, default="info"),
    )


def _rank(severity: str) -> int:
    return list(Severity).index(Severity(severity))


def _digest_title(count: int) -> str:
    return f"Butler: {count} alert{'' if count == 1 else 's'}"


def _members(alert: Alert, *, now: datetime) -> dict[str, Any]:
    members: dict[str, Any] = {name: getattr(alert, name) for name in _ALERT_MEMBERS}
    return members | {"id": alert.pk, "status": alert.stage_at(now), "url": _address(alert)}


def _test_body(notification: Notification) -> str:
    return f"The channel {notification.channel.name} works."


def _delivery(notification: Notification) -> str:
    return f"Delivery: {notification.delivery_id}"


def _lines(alert: Alert) -> Iterator[str]:
    yield from filter(None, (alert.detail, alert.meaning))
    if alert.remedy:
        yield f"What to do: {alert.remedy}"
    if path := alert.remedy_path:
        yield f"Where to do it: {absolute(path)}"
    for label, field in _SUBJECTS:
        if value := getattr(alert, field):
            yield f"{label}: {value}"
    yield f"Raised: {alert.raised_at:%Y-%m-%d %H:%M:%S} UTC"


def _address(alert: Alert) -> str:
    return absolute(links.url("alert", alert.pk))
