"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import Page

links.register(
    {
        # Those that people look at are pages of the dashboard.
        "recorded_alert": Page("admin:alerts_alert_change"),
        "recorded_alerts": Page("admin:alerts_alert_changelist"),
        "channel": Page("admin:alerts_channel_change"),
        "channels": Page("admin:alerts_channel_changelist"),
        "notification": Page("admin:alerts_notification_change"),
        "notifications": Page(
            "admin:alerts_notification_changelist", {"channel": "channel__id__exact"}
        ),
    }
)
