"""The app in the admin: alerts are closed, channels kept, the delivery log read."""

from alerts.admin.alert import AlertAdmin
from alerts.admin.channel import ChannelAdmin
from alerts.admin.notification import NotificationAdmin

__all__ = ["AlertAdmin", "ChannelAdmin", "NotificationAdmin"]
