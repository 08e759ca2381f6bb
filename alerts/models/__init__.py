"""Tables of the app: alerts, the channels they go out on, and the notifications sent."""

from alerts.models.alert import Alert, Severity
from alerts.models.channel import Channel
from alerts.models.notification import Notification

__all__ = ["Alert", "Channel", "Notification", "Severity"]
