"""Every write of the app: raise, snooze and close alerts, channels, notifications."""

from alerts.services.channels import (
    add_channel,
    change_channel,
    change_channel_url,
    disable_channel,
    enable_channel,
    test_channel,
)
from alerts.services.close import (
    acknowledge,
    reopen,
    resolve,
    resolve_by_key,
    withdraw_acknowledgement,
)
from alerts.services.deliver import deliver
from alerts.services.import_alerts import ForeignAlert, import_alerts
from alerts.services.raise_alert import count_again, raise_alert
from alerts.services.retry import retry_due
from alerts.services.snooze import end_due_snoozes, end_snooze, snooze

__all__ = [
    "ForeignAlert",
    "acknowledge",
    "add_channel",
    "change_channel",
    "change_channel_url",
    "count_again",
    "deliver",
    "disable_channel",
    "enable_channel",
    "end_due_snoozes",
    "end_snooze",
    "import_alerts",
    "raise_alert",
    "reopen",
    "resolve",
    "resolve_by_key",
    "retry_due",
    "snooze",
    "test_channel",
    "withdraw_acknowledgement",
]
