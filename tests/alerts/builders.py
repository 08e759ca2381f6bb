"""Alerts and channels, made in one line each."""

from alerts import services
from alerts.models import Alert
from tests.moments import NOON

SECRET = "canary-7f3a9c51e0"


def raised(**changes):
    """Raise the usual alert at NOON, with changes; the alert."""
    asked = {
        "kind": "rotation_needed",
        "severity": "warning",
        "dedup_key": "rotation_needed:s-1",
        "title": "Session s-1 needs another key",
        "now": NOON,
    } | changes
    return services.raise_alert(**asked)[0]


def channel(url, name="ops", **changes):
    """Add the usual channel, with changes."""
    return services.add_channel(name=name, url=url, now=NOON, **changes)


def standing():
    """How many alerts are not resolved."""
    return Alert.objects.unresolved().count()
