"""The kinds of alerts that this app raises itself."""

from alerts.kinds import AlertKind, register
from alerts.severity import Severity

CHANNEL_FAILING = register(
    AlertKind(
        slug="channel_failing",
        severity=Severity.WARNING,
        meaning="Several deliveries in a row to this notification channel failed. People who rely "
        "on the channel do not see new alerts. Butler keeps trying for 24 hours.",
        remedy="Read the reason in the log of the queue. Correct the channel's URL or repair the "
        "service behind it, then send a test message.",
        page="channel",
        subject="channel_id",
    )
)
DELIVERIES_FAILED = register(
    AlertKind(
        slug="deliveries_failed",
        severity=Severity.WARNING,
        meaning="Many notifications of a channel failed within a day. People who rely on the "
        "channel may have missed alerts, also if it works now.",
        remedy="Read in the delivery log what the service answered, repair the channel, and send "
        "again what was given up. Butler resolves the alert when the rule no longer finds this.",
        page="channel",
        subject="channel_id",
    )
)
