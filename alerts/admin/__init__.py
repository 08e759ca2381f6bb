"""Alerts, channels and the delivery log in the admin."""

from alerts.admin.alert import AlertAdmin
from alerts.admin.channel import ChannelAdmin
from alerts.admin.notification import NotificationAdmin

__all__ = ["AlertAdmin", "ChannelAdmin", "NotificationAdmin"]
