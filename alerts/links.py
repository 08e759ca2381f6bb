"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import Page

# Those that people look at are pages of the dashboard.
links.register(
    {
        "recorded_alert": Page("admin:alerts_alert_change"),
        "recorded_alerts": Page("admin:alerts_alert_changelist"),
        "recorded_channel": Page("admin:alerts_channel_change"),
        "recorded_channels": Page("admin:alerts_channel_changelist"),
        "recorded_notification": Page("admin:alerts_notification_change"),
        "recorded_notifications": Page(
            "admin:alerts_notification_changelist", {"channel": "channel__id__exact"}
        ),
    }
)
