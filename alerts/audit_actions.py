"""What `alerts` records in the audit."""

from enum import StrEnum

from security import audit


@audit.register
class Action(StrEnum):
    """Actions on alerts, channels, routes and rules."""

    ALERT_ACKNOWLEDGE = "alert.acknowledge"
    ALERT_WITHDRAW_ACKNOWLEDGEMENT = "alert.withdraw_acknowledgement"
    ALERT_SNOOZE = "alert.snooze"
    ALERT_END_SNOOZE = "alert.end_snooze"
    ALERT_RESOLVE = "alert.resolve"
    ALERT_REOPEN = "alert.reopen"
    CHANNEL_ADD = "channel.add"
    CHANNEL_CHANGE = "channel.change"
    CHANNEL_REPLACE_URL = "channel.replace_url"
    CHANNEL_DISABLE = "channel.disable"
    CHANNEL_ENABLE = "channel.enable"
    CHANNEL_TEST = "channel.test"
    CHANNEL_ROTATE_SIGNING_SECRET = "channel.rotate_signing_secret"  # noqa: S105
    ROUTE_ADD = "route.add"
    ROUTE_CHANGE = "route.change"
    ROUTE_DISABLE = "route.disable"
    ROUTE_ENABLE = "route.enable"
    RULE_ADD = "alert_rule.add"
    RULE_CHANGE = "alert_rule.change"
    RULE_DISABLE = "alert_rule.disable"
    RULE_ENABLE = "alert_rule.enable"
    NOTICES_CHANGE = "notices.change"
    NOTIFICATION_SEND_AGAIN = "notification.send_again"
