"""Builders of alerts and channels."""

from dataclasses import replace

from alerts import services
from alerts.models import Alert
from keys.alert_kinds import ROTATION_NEEDED
from security.actor import Actor
from security.models import AuditEntry
from tests.moments import NOON

ADA, BOB = Actor.person("ada", address="192.0.2.7"), Actor.person("bob")
SWEEP = Actor.job("sweep")
SECRET = "canary-7f3a9c51e0"


def raised(**changes):
    """Raise the usual alert at NOON, with changes (also of its kind's severity); the alert."""
    asked = {
        "kind": ROTATION_NEEDED,
        "dedup_key": "rotation_needed:s-1",
        "title": "Session s-1 needs another key",
        "now": NOON,
    } | changes
    if severity := asked.pop("severity", None):
        asked["kind"] = replace(asked["kind"], severity=severity)
    return services.raise_alert(**asked)[0]


def channel(url, name="ops", **changes):
    """Add the usual channel, with changes."""
    return services.add_channel(name=name, url=url, actor=ADA, now=NOON, **changes)


def recorded(subject):
    """What the audit has about `subject`, the oldest first: action, actor, before, after."""
    return [
        (entry.action, entry.actor, entry.before, entry.after)
        for entry in AuditEntry.objects.about(subject).order_by("pk")
    ]


def standing():
    """How many alerts are not resolved."""
    return Alert.objects.unresolved().count()
