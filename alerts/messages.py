"""What a notification says."""

from django.conf import settings

from common import links

_SUBJECTS = (("API key", "key_id"), ("Agent", "agent_id"), ("Session", "session_id"))


def message(notification) -> dict[str, str]:
    """The `title`, `body` and `severity` to send; with a link to the alert."""
    if notification.is_test:
        return {
            "title": "Butler: test message",
            "body": f"The channel {notification.channel.name} works.",
            "severity": "info",
        }
    alert = notification.alert
    return {
        "title": f"[{alert.severity}] {alert.title}",
        "body": "\n".join([*_lines(alert), _address(alert)]),
        "severity": alert.severity,
    }


def _lines(alert):
    if alert.detail:
        yield alert.detail
    for label, field in _SUBJECTS:
        if value := getattr(alert, field):
            yield f"{label}: {value}"
    yield f"Raised: {alert.raised_at:%Y-%m-%d %H:%M:%S} UTC"


def _address(alert) -> str:
    return settings.PUBLIC_URL + links.url("alert", alert.pk)
