"""Tables of the app: alerts, channels, and the notifications sent through them."""

from alerts.models.alert import Alert
from alerts.models.channel import Channel
from alerts.models.notification import Notification
from alerts.severity import Severity

__all__ = ["Alert", "Channel", "Notification", "Severity"]
