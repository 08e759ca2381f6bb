"""The pages of the app, registered for `common.links`."""

from common import links
from common.links import Page

links.register(
    {
        "alert": Page("admin:alerts_alert_change"),
        "alerts": Page(
            "admin:alerts_alert_changelist",
            {"unresolved": "resolved_at__isnull", "severity": "severity__exact"},
        ),
        "channel": Page("admin:alerts_channel_change"),
        "channels": Page("admin:alerts_channel_changelist"),
        "notification": Page("admin:alerts_notification_change"),
        "notifications": Page(
            "admin:alerts_notification_changelist", {"channel": "channel__id__exact"}
        ),
    }
)
